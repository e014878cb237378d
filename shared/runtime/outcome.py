"""What became of a batch, record by record; written at its end in a fixed number of statements."""

from collections import Counter
from dataclasses import dataclass, field, replace

from shared.errors import Rejected, WaitFor
from shared.held import Head, Lane
from shared.inbox import Applied
from shared.outbox import Outgoing
from shared.runtime.records import Arrival
from shared.runtime.service import Fact


@dataclass(frozen=True)
class Late:
    """A record that ends its lane's dead letter: `head_id` is None while that is of this batch."""

    arrival: Arrival
    head_id: int | None


@dataclass
class Outcome:
    """Applied, duplicate, dead, waiting, parked, mending or superseding; nothing else can happen.

    `broken` are the records on which a handler broke: their batch is tried again, not written.
    `blocked` holds the lanes that a record of this batch has stopped, with that record; `woken`
    those that are to be taken up next.
    """

    applied: list[Arrival] = field(default_factory=list)
    duplicates: list[Arrival] = field(default_factory=list)
    dead: list[Arrival] = field(default_factory=list)
    waiting: list[tuple[Arrival, WaitFor]] = field(default_factory=list)
    parked: list[Arrival] = field(default_factory=list)
    mending: list[Late] = field(default_factory=list)
    superseding: list[Late] = field(default_factory=list)
    broken: list[tuple[Arrival, Exception]] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    blocked: dict[Lane, Head] = field(default_factory=dict)
    woken: set[Lane] = field(default_factory=set)

    def bury(self, arrival: Arrival) -> None:
        """A dead letter, which later records of its lane queue behind."""
        self.dead.append(arrival)
        self.block(arrival, "dead")

    def wait(self, arrival: Arrival, fact: WaitFor) -> None:
        """A waiting record, which later records of its lane queue behind."""
        self.waiting.append((arrival, fact))
        self.block(arrival, "waiting")

    def fail(self, arrival: Arrival, error: Exception) -> None:
        """A handler broke: the rest is tried all the same, to know every such record at once."""
        self.broken.append((arrival, error))
        self.block(arrival, "broken")

    def block(self, arrival: Arrival, state: str) -> None:
        """The lane of `arrival` is stopped by it."""
        self.blocked[arrival.in_lane] = Head(
            arrival.record.held_id, state, arrival.message_id, arrival.revision
        )

    def repeat(self, arrival: Arrival, before: Applied) -> None:
        """The same fact again: a duplicate, or a conflict, which holds up nothing."""
        if before.fingerprint == arrival.fingerprint:
            self.duplicates.append(arrival)
            return
        conflict = Rejected(
            "conflict",
            "this fact was applied before with other content; a change needs a new revision",
            message_id=before.message_id,
            applied_from=before.origin,
        )
        self.dead.append(arrival.apart().failed(conflict, arrival.attempts))

    def divert(self, heads: dict[Lane, Head], arrival: Arrival) -> None:
        """Queue behind the lane's head, unless the record mends or supersedes a dead one.

        What does so closes the head: whatever follows in its lane queues.
        """
        head = heads[arrival.in_lane]
        late = Late(arrival, head.id)
        if head.is_mended_by(arrival):
            self.mending.append(late)
        elif head.is_superseded_by(arrival):
            self.parked.append(arrival)
            self.superseding.append(late)
        else:
            self.parked.append(arrival)
            return
        heads[arrival.in_lane] = replace(head, state="closed")
        self.woken.add(arrival.in_lane)

    def fates(self) -> list[tuple[str, list[Arrival]]]:
        """Every fate, and the records that met it."""
        return [
            ("applied", self.applied),
            ("duplicate", self.duplicates),
            ("conflict", [arrival for arrival in self.dead if _is_conflict(arrival)]),
            ("rejected", [arrival for arrival in self.dead if not _is_conflict(arrival)]),
            ("waiting", [arrival for arrival, _ in self.waiting]),
            ("parked", [*self.parked, *(late.arrival for late in self.mending)]),
        ]

    def counts(self) -> Counter[tuple[str, str]]:
        """How many records of which topic met which fate."""
        return Counter((a.record.topic.name, fate) for fate, group in self.fates() for a in group)

    def then(self, later: "Outcome") -> "Outcome":
        """This, and then `later`."""
        return Outcome(
            [*self.applied, *later.applied],
            [*self.duplicates, *later.duplicates],
            [*self.dead, *later.dead],
            [*self.waiting, *later.waiting],
            [*self.parked, *later.parked],
            [*self.mending, *later.mending],
            [*self.superseding, *later.superseding],
            [*self.broken, *later.broken],
            [*self.outgoing, *later.outgoing],
            [*self.facts, *later.facts],
            {**self.blocked, **later.blocked},
            self.woken | later.woken,
        )


def _is_conflict(arrival: Arrival) -> bool:
    return arrival.failure is not None and arrival.failure.code == "conflict"
