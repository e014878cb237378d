"""One batch inside its transaction: every record to its fate, all effects set-based.

A handler's bug and a database's refusal are traced to their record.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from shared import held, inbox, outbox
from shared.bounds import out_of_bounds
from shared.clock import Clock
from shared.codec.codec import Codec
from shared.errors import ColophonError, Rejected, Unquoted, WaitFor, headline, kind_of
from shared.events.base import Event
from shared.held import Head, Held, Lane
from shared.inbox import Applied
from shared.metrics import CONSUMER_BISECT_ATTEMPTS
from shared.outbox import Outgoing
from shared.retry import is_data_error, transient_reason
from shared.runtime import faults, letters
from shared.runtime.faults import Point
from shared.runtime.fence import Partition
from shared.runtime.outcome import Late, Outcome
from shared.runtime.records import Arrival
from shared.runtime.service import Fact, ServiceSpec
from shared.runtime.watch import HandlerTimeout, Watch
from shared.settings import Settings
from shared.store import Store

_PARTS: Final = ("table_name", "column_name", "constraint_name")
"""What PostgreSQL names of its own where it refuses a value; its words may quote the value."""


class HandlerFailed(ColophonError):
    """Handlers broke on these records: bugs, each tried a bounded number of times."""

    def __init__(self, failures: Sequence[tuple[Arrival, Exception]]) -> None:
        self.failures = [(arrival, _told(arrival, cause)) for arrival, cause in failures]
        _, cause = self.failures[0]
        super().__init__(f"{headline(cause)} ({len(failures)} records)")


class TooManyParked(ColophonError):
    """More than `parked_per_key_max` records of one key queue: decide about its dead letter."""

    def __init__(self, places: set[Partition]) -> None:
        super().__init__(f"too many records of one key are parked in {sorted(places)}")
        self.places = places


class Batch:
    """Works off one batch on `connection`; the caller began the transaction and will commit it.

    `taken` holds the rows of the records that come from the held queue, by their id.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        settings: Settings,
        codec: Codec,
        clock: Clock,
        connection: Connection,
        taken: Mapping[int, held.Queued] | None = None,
    ) -> None:
        self._spec = spec
        self._settings = settings
        self._codec = codec
        self._clock = clock
        self._connection = connection
        self._taken = taken or {}

    def live(self, arrivals: Sequence[Arrival]) -> Outcome:
        """Records from Kafka: those of a held lane queue behind its head, the rest are applied.

        Raises `TooManyParked` where a lane is full, before anything is applied.
        """
        outcome = Outcome()
        heads = held.shared_lanes(self._connection, (arrival.in_lane for arrival in arrivals))
        free: list[Arrival] = []
        for arrival in arrivals:
            if heads and arrival.in_lane in heads:
                outcome.divert(heads, arrival)
            else:
                free.append(arrival)
        self._refuse_overflow(outcome)
        outcome = outcome.then(self._apply(free, Outcome()))
        faults.reach(Point.HANDLED)
        self._write(outcome)
        return outcome

    def taken_up(self, arrivals: Sequence[Arrival]) -> Outcome:
        """Records from the held queue, whose lanes this transaction has locked."""
        outcome = self._apply(arrivals, Outcome())
        self._write(outcome)
        return outcome

    def _refuse_overflow(self, outcome: Outcome) -> None:
        queueing = [arrival for arrival in outcome.parked if arrival.in_lane not in outcome.woken]
        lanes = {arrival.in_lane for arrival in queueing}
        full = held.full_lanes(self._connection, lanes, self._settings.parked_per_key_max)
        if full:
            records = [arrival.record for arrival in queueing if arrival.in_lane in full]
            raise TooManyParked({(record.topic.name, record.partition) for record in records})

    def _apply(self, arrivals: Sequence[Arrival], before: Outcome) -> Outcome:
        """Apply in order, after `before`; where the database refuses, halve to find the record."""
        if not arrivals:
            return Outcome()
        savepoint = self._connection.begin_nested()
        try:
            outcome = self._run(arrivals, before)
        except HandlerFailed:
            raise
        except Exception as error:
            if transient_reason(error) or not savepoint.is_active:
                raise
            savepoint.rollback()
            CONSUMER_BISECT_ATTEMPTS.labels(self._spec.name).inc()
            if len(arrivals) == 1:
                return _refused(arrivals[0], error)
        else:
            savepoint.commit()
            return outcome
        half = len(arrivals) // 2
        first = self._apply(arrivals[:half], before)
        return first.then(self._apply(arrivals[half:], before.then(first)))

    def _run(self, arrivals: Sequence[Arrival], before: Outcome) -> Outcome:
        outcome = Outcome(blocked=dict(before.blocked))
        applied = self._applied(arrivals, before)
        store = self._spec.store(self._connection)
        sound = [arrival for arrival in arrivals if arrival.is_sound]
        fresh = [a.event for a in sound if a.event and a.message_id not in applied]
        if fresh:
            store.prefetch(fresh)
        now = self._clock.now()
        with Watch(self._settings.record_limit_s) as watch:
            for arrival in arrivals:
                if outcome.blocked and arrival.in_lane in outcome.blocked:
                    outcome.divert(outcome.blocked, arrival)
                elif arrival.event is None:
                    # What repeats an applied fact, however broken, need not hold up its key.
                    is_repeat = arrival.message_id in applied
                    outcome.bury(arrival.apart() if is_repeat else arrival)
                elif earlier := applied.get(_identity(arrival)):
                    outcome.repeat(arrival, earlier)
                elif arrival.failure is not None:
                    outcome.bury(arrival)
                else:
                    watch.start()
                    self._handle(outcome, arrival, arrival.event, store, now)
                    watch.stop()
                    if outcome.applied and outcome.applied[-1] is arrival:
                        applied[_identity(arrival)] = _as_applied(arrival)
        if outcome.broken:
            raise HandlerFailed(outcome.broken)
        store.flush()
        return outcome

    def _applied(self, arrivals: Sequence[Arrival], before: Outcome) -> dict[UUID | None, Applied]:
        """Which of these facts have had their effect: committed, or earlier in this batch."""
        ids = [arrival.message_id for arrival in arrivals if arrival.message_id is not None]
        applied: dict[UUID | None, Applied] = dict(inbox.known(self._connection, ids).items())
        applied |= {arrival.message_id: _as_applied(arrival) for arrival in before.applied}
        return applied

    def _handle(
        self, outcome: Outcome, arrival: Arrival, event: Event, store: Store, now: datetime
    ) -> None:
        store.begin()
        try:
            events = self._events(arrival, event, store, now)
            records = [self._outgoing(out, arrival) for out in events]
        except WaitFor as wait:
            store.undo()
            outcome.wait(arrival, wait)
        except Rejected as failure:
            store.undo()
            outcome.bury(arrival.failed(failure, arrival.attempts))
        except HandlerTimeout as late:  # the next one might take as long: the session is idle
            raise HandlerFailed([*outcome.broken, (arrival, late)]) from late
        except Exception as error:
            if transient_reason(error):
                raise
            store.undo()
            if grown := out_of_bounds(error):
                outcome.bury(arrival.failed(grown, arrival.attempts))
            else:
                outcome.fail(arrival, error)
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
        before = self._before(arrival)
        return before is not None and before.overdue

    def _outgoing(self, event: Event, cause: Arrival) -> Outgoing:
        trace = cause.record.header("traceparent")
        return outbox.outgoing(self._codec, event, self._spec.name, trace)

    def _write(self, outcome: Outcome) -> None:
        connection, dead = self._connection, outcome.dead
        inbox.remember(connection, [_as_applied(arrival) for arrival in outcome.applied])
        waits = {Fact(wait.kind, wait.key) for _, wait in outcome.waiting}
        arrived = held.meet(connection, waits, outcome.facts)
        buried = [letters.row(self._spec.name, arrival) for arrival in dead]
        rows = [*buried, *(self._waiting_row(a, w) for a, w in outcome.waiting)]
        owners = [*dead, *(arrival for arrival, _ in outcome.waiting)]
        rows += [held.row_of(arrival, "parked") for arrival in outcome.parked]
        owners += outcome.parked
        _store(connection, owners, rows)
        self._close_heads(outcome)
        heads = [a for a in dead if not a.is_apart] + [a for a, _ in outcome.waiting]
        held.hold(connection, (head.in_lane for head in heads))
        outcome.woken |= {a.in_lane for a, w in outcome.waiting if Fact(w.kind, w.key) in arrived}
        held.wake_waiters(connection, outcome.facts)
        held.wake(connection, outcome.woken)
        outcome.outgoing += self._copies(dead, buried)
        outbox.write(connection, outcome.outgoing)

    def _close_heads(self, outcome: Outcome) -> None:
        """Dead letters that are ended, replaced or had their effect at last; kept for the audit."""
        late = [*outcome.mending, *outcome.superseding]
        fresh = [one.arrival.in_lane for one in late if one.head_id is None]
        heads = held.heads(self._connection, fresh) if fresh else {}
        done = [arrival.record.held_id for arrival in (*outcome.applied, *outcome.duplicates)]
        ended = {i: "replayed" for i in done if i is not None and self._taken[i].was_dead}
        ended |= {_head_id(one, heads): "superseded" for one in outcome.superseding}
        held.settle(self._connection, ended)
        moved = [one.arrival.record.held_id for one in outcome.mending]
        gone = [i for i in (*done, *moved) if i is not None and i not in ended]
        held.forget(self._connection, gone)
        mended = [(_head_id(one, heads), one.arrival) for one in outcome.mending]
        held.mend(self._connection, mended)

    def _copies(self, dead: Sequence[Arrival], rows: Sequence[Held]) -> list[Outgoing]:
        name, pairs = self._spec.name, zip(dead, rows, strict=True)
        copies = [letters.copy(name, arrival, row, self._before(arrival)) for arrival, row in pairs]
        return [copy for copy in copies if copy is not None]

    def _before(self, arrival: Arrival) -> held.Queued | None:
        return self._taken.get(arrival.record.held_id or 0)

    def _waiting_row(self, arrival: Arrival, wait: WaitFor) -> Held:
        deadline = self._clock.now() + self._spec.wait_limit
        fact = Fact(wait.kind, wait.key)
        return held.row_of(
            arrival, "waiting", fact_kind=fact.kind, fact_key=fact.key, deadline_at=deadline
        )


def _told(arrival: Arrival, error: Exception) -> Exception:
    """`error`, as logs may have it: what others raise may quote the record."""
    is_ours = isinstance(error, ColophonError)
    return error if is_ours or not arrival.record.topic.personal else Unquoted(error)


def _refused(arrival: Arrival, error: Exception) -> Outcome:
    """The database refuses this record's values; anything else is the handler's bug."""
    if not is_data_error(error):
        raise HandlerFailed([(arrival, error)]) from error
    outcome = Outcome()
    cause: Any = getattr(error, "orig", error)
    place = {name: found for name in _PARTS if (found := getattr(cause.diag, name))}
    message = "the database refused the values"
    failure = Rejected("database-refused", message, cause=kind_of(cause), **place)
    failure.stage = "database"
    failure.__cause__ = error
    outcome.bury(arrival.failed(failure, arrival.attempts))
    return outcome


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


def _head_id(late: Late, heads: Mapping[Lane, Head]) -> int:
    found = heads[late.arrival.in_lane].id if late.head_id is None else late.head_id
    if found is None:
        msg = f"the dead letter before {late.arrival.record.place} is not stored"
        raise AssertionError(msg)
    return found


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
