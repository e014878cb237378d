"""What becomes of each record at a service: applied, duplicate, conflict, dead, parked, waiting."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.errors import Rejected, WaitFor
from shared.events.base import Event
from shared.topology import BY_EVENT, BY_NAME
from tests.chaos.oracle.records import Rec, key_of

Rule = Callable[[Event], Iterable[Event]]
Place = tuple[str, int, int]
Lane = tuple[str, bytes]


@dataclass
class Fates:
    """The inbox, the held records and the emitted events that a service must have.

    `applied` is by message id, `held` by place, with state and reason code; `emitted` by topic and
    key, in order.
    """

    applied: dict[UUID, Rec] = field(default_factory=dict)
    held: dict[Place, tuple[str, str | None]] = field(default_factory=dict)
    emitted: dict[Lane, list[Event]] = field(default_factory=lambda: defaultdict(list))
    duplicates: int = 0

    def emit(self, event: Event) -> None:
        """Note an event that the service must have published."""
        topic = BY_EVENT[type(event)]
        self.emitted[topic.name, key_of(event, topic.key)].append(event)


def fates(records: Sequence[Rec], rule: Rule) -> Fates:
    """Interpret `records` one by one, in order; `rule` says what follows from an event.

    Who waits is asked again, with all that queue behind, until nothing more follows.
    """
    found = Fates()
    queues: dict[Lane, list[Rec]] = {}
    for rec in records:
        lane = (rec.topic, rec.key or b"")
        if rec.key and lane in queues:
            queues[lane].append(rec)
        elif not _settled(rec, rule, found) and rec.key:
            queues[lane] = [rec]
    while any(_released(queue, rule, found) for queue in list(queues.values())):
        pass
    for queue in queues.values():
        for rec in queue[1:]:
            found.held[rec.place] = ("parked", None)
    return found


def _released(queue: list[Rec], rule: Rule, found: Fates) -> bool:
    """Whether the head waited and is done now; what follows it is then done as far as it can be."""
    moved = False
    while queue and found.held.get(queue[0].place, ("waiting", None))[0] == "waiting":
        found.held.pop(queue[0].place, None)
        if not _settled(queue[0], rule, found):
            break
        queue.pop(0)
        moved = True
    return moved


def _settled(rec: Rec, rule: Rule, found: Fates) -> bool:
    """Give a record its fate; False where its key must queue behind it."""
    code = _unsound(rec)
    if code is not None or rec.event is None:
        found.held[rec.place] = ("dead", code)
        return code == "key-missing"
    if known := found.applied.get(rec.identity):
        if known.event == rec.event:
            found.duplicates += 1
        else:
            found.held[rec.place] = ("dead", "conflict")
        return True
    try:
        events = list(rule(rec.event))
    except WaitFor:
        found.held[rec.place] = ("waiting", None)
        return False
    except Rejected as refused:
        found.held[rec.place] = ("dead", refused.code)
        return False
    found.applied[rec.identity] = rec
    for event in events:
        found.emit(event)
    return True


def _unsound(rec: Rec) -> str | None:
    """Why no rule may have the record; of bytes that are no event, the runtime says which way."""
    if not rec.key:
        return "key-missing"
    if rec.value is None:
        return "value-missing"
    if rec.event is None:
        return "undecodable"
    return None if rec.key == key_of(rec.event, BY_NAME[rec.topic].key) else "key-mismatch"
