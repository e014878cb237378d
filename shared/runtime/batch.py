"""One batch inside its transaction: every record to its fate, all effects set-based.

Applied, duplicate, conflict, rejected, waiting or parked; nothing else can happen to a record
here. A handler's bug and a database's refusal are traced to their record.
"""

import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from shared import held, inbox, outbox
from shared.clock import Clock, system_now
from shared.codec.codec import Codec
from shared.errors import ColophonError, Rejected, Transient, WaitFor
from shared.events.base import Event
from shared.held import Held, Lane
from shared.ids import cause_id
from shared.inbox import Applied
from shared.outbox import Outgoing
from shared.retry import is_data_error, transient_reason
from shared.runtime.records import Arrival, headers_json
from shared.runtime.service import Fact, ServiceSpec
from shared.runtime.watch import Watch
from shared.store import Store
from shared.topology import BY_NAME

_TEXT_MAX = 8_000


class HandlerFailed(ColophonError):
    """A handler broke on one record: a bug, tried a bounded number of times."""

    def __init__(self, arrival: Arrival, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.arrival = arrival
        self.cause = cause


@dataclass
class Outcome:
    """What became of a batch; written at its end in a fixed number of statements."""

    applied: list[Arrival] = field(default_factory=list)
    duplicates: list[Arrival] = field(default_factory=list)
    dead: list[Arrival] = field(default_factory=list)
    waiting: list[tuple[Arrival, WaitFor]] = field(default_factory=list)
    parked: list[Arrival] = field(default_factory=list)
    mended: list[tuple[int, Arrival]] = field(default_factory=list)
    superseded: list[int] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    blocked: set[Lane] = field(default_factory=set)
    woken: set[Lane] = field(default_factory=set)

    def counts(self) -> Counter[tuple[str, str]]:
        """How many records of which topic met which fate."""
        fates = [
            ("applied", self.applied),
            ("duplicate", self.duplicates),
            ("conflict", [arrival for arrival in self.dead if _is_conflict(arrival)]),
            ("rejected", [arrival for arrival in self.dead if not _is_conflict(arrival)]),
            ("waiting", [arrival for arrival, _ in self.waiting]),
            ("parked", [*self.parked, *(arrival for _, arrival in self.mended)]),
        ]
        return Counter((a.record.topic.name, fate) for fate, group in fates for a in group)

    def take(self, other: "Outcome") -> None:
        """Add what became of a part of the batch."""
        self.applied += other.applied
        self.duplicates += other.duplicates
        self.dead += other.dead
        self.waiting += other.waiting
        self.parked += other.parked
        self.outgoing += other.outgoing
        self.facts += other.facts
        self.blocked |= other.blocked


class Batch:
    """Works off one batch on `connection`; the caller began the transaction and will commit it."""

    def __init__(
        self,
        spec: ServiceSpec,
        codec: Codec,
        clock: Clock,
        connection: Connection,
        *,
        record_limit_s: float,
        taken: Mapping[int, held.Queued] | None = None,
    ) -> None:
        self._spec = spec
        self._codec = codec
        self._clock = clock
        self._connection = connection
        self._record_limit_s = record_limit_s
        self._taken = taken or {}

    def live(self, arrivals: Sequence[Arrival]) -> Outcome:
        """Records from Kafka: those of a held lane queue behind its head, the rest are applied."""
        outcome = Outcome()
        heads = held.shared_lanes(self._connection, (_lane(arrival) for arrival in arrivals))
        free = [arrival for arrival in arrivals if _lane(arrival) not in heads]
        for arrival in arrivals:
            if head := heads.get(_lane(arrival)):
                _divert(outcome, arrival, head)
        outcome.take(self._apply(free, frozenset()))
        self._write(outcome)
        return outcome

    def taken_up(self, arrivals: Sequence[Arrival]) -> Outcome:
        """Records from the held queue, whose lanes this transaction has locked."""
        outcome = self._apply(arrivals, frozenset())
        self._write(outcome)
        return outcome

    def _apply(self, arrivals: Sequence[Arrival], blocked: frozenset[Lane]) -> Outcome:
        """Apply in order; where the database refuses, halve until the record is found."""
        if not arrivals:
            return Outcome(blocked=set(blocked))
        savepoint = self._connection.begin_nested()
        try:
            outcome = self._run(arrivals, blocked)
        except HandlerFailed:
            raise
        except Exception as error:
            if transient_reason(error) or not savepoint.is_active:
                raise
            savepoint.rollback()
            if len(arrivals) == 1:
                return self._refused(arrivals[0], error, blocked)
            half = len(arrivals) // 2
            outcome = self._apply(arrivals[:half], blocked)
            outcome.take(self._apply(arrivals[half:], frozenset(outcome.blocked)))
            return outcome
        savepoint.commit()
        return outcome

    def _refused(self, arrival: Arrival, error: Exception, blocked: frozenset[Lane]) -> Outcome:
        if not is_data_error(error):
            raise HandlerFailed(arrival, error) from error
        outcome = Outcome(blocked=set(blocked))
        cause = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        failure = Rejected("database-refused", f"the database refused the values: {cause}")
        failure.stage = "database"
        failure.__cause__ = error
        _bury(outcome, arrival.failed(failure, arrival.attempts))
        return outcome

    def _run(self, arrivals: Sequence[Arrival], blocked: frozenset[Lane]) -> Outcome:
        outcome = Outcome(blocked=set(blocked))
        applied = inbox.known(
            self._connection, [a.message_id for a in arrivals if a.message_id is not None]
        )
        sound = [arrival for arrival in arrivals if arrival.failure is None]
        store = self._spec.store(self._connection)
        fresh = [a.event for a in sound if a.event and a.message_id not in applied]
        if fresh:
            store.prefetch(fresh)
        now = self._clock.now()
        with Watch(self._record_limit_s) as watch:
            for arrival in arrivals:
                if _lane(arrival) in outcome.blocked:
                    outcome.parked.append(arrival)
                elif arrival.event is None:
                    _bury(outcome, arrival)
                elif before := applied.get(_identity(arrival)):
                    _repeat(outcome, arrival, before)
                elif arrival.failure is not None:
                    _bury(outcome, arrival)
                else:
                    watch.start()
                    self._handle(outcome, arrival, arrival.event, store, now)
                    watch.stop()
                    if outcome.applied and outcome.applied[-1] is arrival:
                        applied[_identity(arrival)] = _as_applied(arrival)
        store.flush()
        return outcome

    def _handle(
        self, outcome: Outcome, arrival: Arrival, event: Event, store: Store, now: datetime
    ) -> None:
        store.begin()
        try:
            events = self._events(arrival, event, store, now)
            records = [self._outgoing(out, arrival) for out in events]
        except WaitFor as wait:
            store.undo()
            outcome.waiting.append((arrival, wait))
            outcome.blocked.add(_lane(arrival))
        except Rejected as failure:
            store.undo()
            _bury(outcome, arrival.failed(failure, arrival.attempts))
        except Transient:
            raise
        except Exception as error:
            if transient_reason(error):
                raise
            raise HandlerFailed(arrival, error) from error
        else:
            outcome.applied.append(arrival)
            outcome.outgoing += records
            if facts := self._spec.facts.get(type(event)):
                outcome.facts += facts(event)

    def _events(
        self, arrival: Arrival, event: Event, store: Store, now: datetime
    ) -> Sequence[Event]:
        handler = self._spec.handlers[type(event)]
        try:
            return list(handler(event, store, now))
        except WaitFor as wait:
            if not self._is_overdue(arrival):
                raise
            store.undo()
            if give_up := self._spec.give_up.get(type(event)):
                return list(give_up(event, store, now, wait))
            raise Rejected(
                "reference-missing",
                f"{wait.kind} {wait.key} did not come in time; send it, then replay",
                kind=wait.kind,
                key=wait.key,
            ) from wait

    def _is_overdue(self, arrival: Arrival) -> bool:
        queued = self._taken.get(arrival.record.held_id or 0)
        return queued is not None and queued.overdue

    def _outgoing(self, event: Event, cause: Arrival) -> Outgoing:
        trace = cause.record.header("traceparent")
        return outbox.outgoing(self._codec, event, self._spec.name, trace)

    def _write(self, outcome: Outcome) -> None:
        connection, dead = self._connection, outcome.dead
        inbox.remember(connection, [_as_applied(arrival) for arrival in outcome.applied])
        arrived = held.await_facts(connection, (Fact(w.kind, w.key) for _, w in outcome.waiting))
        rows = [*map(_dead_row, dead), *(self._waiting_row(a, w) for a, w in outcome.waiting)]
        owners = [*dead, *(arrival for arrival, _ in outcome.waiting)]
        rows += [held.row_of(arrival, "parked") for arrival in outcome.parked]
        owners += outcome.parked
        _store(connection, owners, rows)
        ended = self._ended(outcome)
        held.settle(connection, ended | dict.fromkeys(outcome.superseded, "superseded"))
        done = (a.record.held_id for a in (*outcome.applied, *outcome.duplicates))
        held.forget(connection, [i for i in done if i is not None and i not in ended])
        held.mend(connection, outcome.mended)
        held.hold(connection, (_lane(a) for a in (*dead, *(a for a, _ in outcome.waiting))))
        outcome.woken |= {_lane(a) for a, w in outcome.waiting if Fact(w.kind, w.key) in arrived}
        held.announce(connection, outcome.facts)
        held.wake(connection, outcome.woken)
        outcome.outgoing += [_copy(self._spec.name, a) for a in dead if _publishable(a)]
        outbox.write(connection, outcome.outgoing)

    def _ended(self, outcome: Outcome) -> dict[int, str]:
        """Dead letters that have had their effect at last; they stay for the audit."""
        done = [*outcome.applied, *outcome.duplicates]
        ids = [arrival.record.held_id for arrival in done if arrival.record.held_id is not None]
        return {i: "replayed" for i in ids if self._taken[i].state == "dead"}

    def _waiting_row(self, arrival: Arrival, wait: WaitFor) -> Held:
        deadline = self._clock.now() + self._spec.wait_limit
        return held.row_of(
            arrival, "waiting", fact_kind=wait.kind, fact_key=wait.key, deadline_at=deadline
        )


def _lane(arrival: Arrival) -> Lane:
    return arrival.record.topic.name, arrival.lane


def _identity(arrival: Arrival) -> UUID:
    if arrival.message_id is None:
        msg = f"{arrival.record.place} has no message id"
        raise AssertionError(msg)
    return arrival.message_id


def _as_applied(arrival: Arrival) -> Applied:
    record = arrival.record
    return Applied(
        _identity(arrival),
        arrival.fingerprint,
        record.topic.name,
        record.partition,
        record.offset,
    )


def _divert(outcome: Outcome, arrival: Arrival, head: held.Head) -> None:
    """Queue behind the head, unless the record mends or supersedes a dead one."""
    is_dead = head.state == "dead" and arrival.failure is None
    if is_dead and arrival.message_id is not None and arrival.message_id == head.message_id:
        outcome.mended.append((head.id, arrival))
        outcome.woken.add(_lane(arrival))
        return
    outcome.parked.append(arrival)
    newer = (arrival.revision or 0) > (head.revision or 0)
    if is_dead and head.revision is not None and newer:
        outcome.superseded.append(head.id)
        outcome.woken.add(_lane(arrival))


def _bury(outcome: Outcome, arrival: Arrival) -> None:
    outcome.dead.append(arrival)
    outcome.blocked.add(_lane(arrival))


def _repeat(outcome: Outcome, arrival: Arrival, before: Applied) -> None:
    """The same fact again: a duplicate, or a conflict, which holds up nothing."""
    if before.fingerprint == arrival.fingerprint:
        outcome.duplicates.append(arrival)
        return
    conflict = Rejected(
        "conflict",
        "this fact was applied before with other content; a change needs a new revision",
        message_id=before.message_id,
        applied_from=before.origin,
    )
    outcome.dead.append(arrival.apart().failed(conflict, arrival.attempts))


def _is_conflict(arrival: Arrival) -> bool:
    return arrival.failure is not None and arrival.failure.code == "conflict"


def _dead_row(arrival: Arrival) -> Held:
    failure, now = arrival.failure, system_now()
    if failure is None:
        msg = f"{arrival.record.place} did not fail"
        raise AssertionError(msg)
    cause = failure.__cause__
    stack = "".join(traceback.format_exception(cause)) if cause else None
    return held.row_of(
        arrival,
        "dead",
        dead_letter_id=_dead_letter_id(arrival),
        stage=failure.stage,
        code=failure.code,
        error_class=type(cause or failure).__name__,
        message=str(failure)[:_TEXT_MAX].replace("\x00", "?"),
        stacktrace=stack[-_TEXT_MAX:].replace("\x00", "?") if stack else None,
        attempts=arrival.attempts,
        first_failed_at=now,
        failed_at=now,
    )


def _dead_letter_id(arrival: Arrival) -> UUID:
    return cause_id("dead-letter", *arrival.record.place)


def _store(connection: Connection, owners: Sequence[Arrival], rows: Sequence[Held]) -> None:
    """Insert what is newly held, give what was held before its new fate."""
    pairs = list(zip(owners, rows, strict=True))
    held.insert(connection, [row for owner, row in pairs if owner.record.held_id is None])
    held.refate(
        connection,
        [
            (owner.record.held_id, row)
            for owner, row in pairs
            if owner.record.held_id is not None and row.state != "parked"
        ],
    )


def _publishable(arrival: Arrival) -> bool:
    return len(arrival.record.value or b"") <= arrival.record.topic.max_message_bytes


def _copy(service: str, arrival: Arrival) -> Outgoing:
    """The published copy of a dead letter: the record byte for byte, and why it failed."""
    record, row = arrival.record, _dead_row(arrival)
    facts: Mapping[str, object] = {
        "dlq.id": row.dead_letter_id,
        "dlq.original.topic": record.topic.name,
        "dlq.original.partition": record.partition,
        "dlq.original.offset": record.offset,
        "dlq.original.timestamp": record.timestamp_ms,
        "dlq.consumer.group": service,
        "dlq.stage": row.stage,
        "dlq.error.code": row.code,
        "dlq.error.class": row.error_class,
        "dlq.error.message": row.message,
        "dlq.error.stacktrace": row.stacktrace or "",
        "dlq.attempts": row.attempts,
        "dlq.first_failed_at": row.first_failed_at.isoformat() if row.first_failed_at else "",
        "dlq.failed_at": row.failed_at.isoformat() if row.failed_at else "",
        "dlq.replay.count": 0,
    }
    added = tuple((name, str(value).encode("latin-1", "replace")) for name, value in facts.items())
    topic = BY_NAME[record.topic.name].dead_letters(service)
    return Outgoing(topic, record.key, record.value, headers_json((*record.headers, *added)))
