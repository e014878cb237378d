"""The consumer loop: poll, one transaction a batch, and what time brings.

One thread, so that rebalance callbacks fire inside `poll` and never inside a transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from prometheus_client import Histogram
from sqlalchemy import Connection, Engine

from shared import metrics, tracing
from shared.clock import Clock, monotonic, system_now
from shared.codec.codec import Codec
from shared.errors import ColophonError, ConfigurationError, headline
from shared.logging import logger
from shared.retry import NARROWED, Backoff, transient_reason
from shared.runtime import faults, fence
from shared.runtime.assignment import Assignment
from shared.runtime.attempts import Attempts, Place
from shared.runtime.batch import Batch, HandlerFailed, TooManyParked
from shared.runtime.breaker import Breaker
from shared.runtime.chores import Chores, count_outcome
from shared.runtime.faults import Point
from shared.runtime.fence import Claim, Partition, PartitionsLost
from shared.runtime.intake import Intake
from shared.runtime.outcome import Outcome
from shared.runtime.records import Arrival, Record, arrive, ce_time
from shared.runtime.service import ServiceSpec
from shared.runtime.transaction import CommitInDoubt, transact
from shared.settings import Settings
from shared.topology import consumed_by

POLL_S = 0.5
PARKED_LOOK_S = 5.0


class _Tripped(ColophonError):
    """The batch would dead-letter too much of these partitions."""

    def __init__(self, places: set[Partition]) -> None:
        super().__init__(f"too many records of {sorted(places)} fail")
        self.places = places


class ConsumerLoop:
    """Consumes the topics of one service until told to stop."""

    def __init__(
        self, spec: ServiceSpec, settings: Settings, clock: Clock, engine: Engine, codec: Codec
    ) -> None:
        self._spec, self._settings, self._clock = spec, settings, clock
        self._engine, self._codec = engine, codec
        self._limit = settings.batch_size
        self._backoff = Backoff()
        self._attempts = Attempts()
        self._full: dict[Partition, float] = {}
        self._log = logger()
        self.breaker = Breaker(settings.breaker_records_min, settings.breaker_share)
        self.assignment = Assignment(settings, spec.name, (t.name for t in consumed_by(spec.name)))
        self.assignment.after_drop = self._forget
        self.chores = Chores(
            spec, settings, clock, engine, codec, self.assignment, attempts=self._attempts
        )
        self._intake = Intake(self.assignment, self.breaker, settings.batch_size)
        self.is_stopping = False
        self.heartbeat_at = monotonic()
        self.database_ok = True

    def run(self) -> None:
        """Work until `is_stopping`, then leave the group; raises what no retry can mend."""
        try:
            while not self.is_stopping:
                self.step()
        finally:
            self.assignment.close()

    def step(self) -> None:
        """One turn: take what has come, apply it, then the chores."""
        self.heartbeat_at = monotonic()
        self.assignment.insist()
        records = self._intake.take(self._poll_s())
        self._guard(self._claim)
        self._intake.done(self._work(records))
        self._guard(self.chores.run)
        self.assignment.commit(wait=False)
        self._look_again()

    def _poll_s(self) -> float:
        return max(0.0, min(POLL_S, self.chores.due_in_s()))

    def _claim(self) -> bool:
        pending = self.assignment.look_up()
        if pending is None:
            return False
        faults.reach(Point.LOOKED_UP)
        claims = transact(self._engine, self._spec.name, pending)
        faults.reach(Point.CLAIMED)
        self.assignment.begin(claims)
        return True

    def _guard(self, duty: Callable[[], bool]) -> None:
        """Do `duty`, which says whether there was any; where the world is not ready, rest."""
        try:
            was_done = duty()
        except Exception as error:
            reason = transient_reason(error)
            if isinstance(error, HandlerFailed):
                self._count_all(error)
            elif reason is None:
                raise
            elif reason in NARROWED:
                self._backoff.reset()  # whoever takes up held records takes fewer now
            self._retry_later(reason or "handler", error)
        else:
            if was_done and not self.database_ok:
                self._recover()

    def _work(self, records: list[Record]) -> list[Record]:
        """Apply `records` in portions, until all are done or no longer ours; returns the rest.

        The chores go on while a portion is tried again: gauges, ticks and other keys do not wait.
        """
        records = [record for record in records if self._intake.is_next(record)]
        while records and not self.is_stopping:
            portion = records[: self._limit]
            try:
                self._attempt(portion)
            except Exception as error:  # noqa: BLE001 -- sorted by fate, the rest raised
                self._survive(error, portion)
                self._guard(self._meanwhile)
            else:
                self._recover()
                self._limit = min(self._settings.batch_size, self._limit * 2)
            records = [record for record in records if self._intake.is_next(record)]
        return records

    def _meanwhile(self) -> bool:
        """The chores; that they work says nothing of the batch, so they count as nothing done."""
        self.chores.run()
        return False

    def _survive(self, error: Exception, portion: Sequence[Record]) -> None:
        """Sort out why a batch failed and prepare the next attempt; raises what no retry mends."""
        match error:
            case PartitionsLost():
                self._reconsider(error.lost)
            case CommitInDoubt():
                self._resolve()
            case _Tripped():
                self._trip(error)
            case TooManyParked():
                self._wait_for_people(error)
            case HandlerFailed():
                self._count_all(error)
                self._retry_later("handler", error)
            case _:
                reason = transient_reason(error)
                if reason is None:
                    raise error
                if reason in NARROWED and len(portion) == 1:
                    self._count(portion[0].place, error)
                elif reason in NARROWED:
                    self._limit = max(1, len(portion) // 2)
                    self._backoff.reset()  # a smaller portion is another attempt
                self._retry_later(reason, error)

    def _attempt(self, records: Sequence[Record]) -> None:
        """One transaction over `records`: afterwards all of them are behind us."""
        started = monotonic()
        faults.reach(Point.POLLED)
        arrivals = self._attempts.with_histories(arrive(self._codec, records))
        steps = self._steps(records)

        def work(connection: Connection) -> Outcome:
            faults.reach(Point.BEGUN)
            fence.advance(connection, steps)
            faults.reach(Point.FENCED)
            batch = Batch(self._spec, self._settings, self._codec, self._clock, connection)
            outcome = batch.live(arrivals)
            self._judge(arrivals, outcome)
            faults.reach(Point.WRITTEN)
            return outcome

        outcome = transact(self._engine, self._spec.name, work)
        faults.reach(Point.COMMITTED)
        for claim, next_offset in steps:
            self.assignment.claims[claim.place] = claim.at(next_offset)
        self.assignment.note_times(records)
        self._settle(arrivals, outcome, started)

    def _steps(self, records: Sequence[Record]) -> list[tuple[Claim, int]]:
        ends: dict[Partition, int] = {}
        for record in records:
            ends[record.topic.name, record.partition] = record.offset + 1
        return [(self.assignment.claims[place], end) for place, end in ends.items()]

    def _judge(self, arrivals: Sequence[Arrival], outcome: Outcome) -> None:
        if tripped := self.breaker.tripped_by(_fates(arrivals, outcome)):
            raise _Tripped(tripped)

    def _settle(self, arrivals: Sequence[Arrival], outcome: Outcome, started: float) -> None:
        """The batch is committed: note it, and let the breaker know."""
        name, now = self._spec.name, system_now()
        fates, failed = _fates(arrivals, outcome), _places(outcome.dead)
        self.breaker.note(fates)
        for place in {place for place, _ in fates} - failed:
            self.breaker.close(place)
        self._open(filter(self.breaker.is_probing, failed))
        self._attempts.settle((*outcome.dead, *outcome.applied))
        took_s = monotonic() - started
        count_outcome(name, outcome)
        if tracing.export is not None:
            tracing.export.handled(outcome.fates(), took_s)
        metrics.CONSUMER_BATCH_SIZE.labels(name).observe(len(arrivals))
        metrics.CONSUMER_BATCH_DURATION.labels(name).observe(took_s)
        metrics.CONSUMER_LAST_PROGRESS.labels(name).set(now.timestamp())
        self._observe_ages(outcome.applied, now)
        if outcome.facts or outcome.woken:
            self.chores.take_up_soon()

    def _observe_ages(self, applied: Sequence[Arrival], now: datetime) -> None:
        """How long ago each record was emitted, by its header."""
        latency: dict[str, Histogram] = {}
        for arrival in applied:
            if (emitted := ce_time(arrival.record)) is None:
                continue
            topic = arrival.record.topic.name
            if topic not in latency:
                latency[topic] = metrics.END_TO_END_LATENCY.labels(self._spec.name, topic)
            latency[topic].observe(max(0.0, (now - emitted).total_seconds()))

    def _count_all(self, error: HandlerFailed) -> None:
        for arrival, cause in error.failures:
            self._log.error("handler failed", place=arrival.record.place, exc_info=cause)
            self._count(arrival.record.place, cause)

    def _count(self, place: Place, cause: Exception) -> None:
        """A record failed: after some attempts it is given up, with the stack trace."""
        if self._attempts.count(place, cause):
            self._backoff.reset()  # without this record, it is another batch

    def _retry_later(self, reason: str, error: Exception) -> None:
        """Hold what we have, keep polling, then go on."""
        metrics.CONSUMER_RETRIES.labels(self._spec.name, reason).inc()
        self.database_ok = not reason.startswith("database")
        rest_s = self._backoff.next_s()
        self._log.warning("trying again", reason=reason, rest_s=rest_s, error=headline(error))
        self._rest(rest_s)

    def _rest(self, seconds: float) -> None:
        places = list(self.assignment.claims)
        self.assignment.pause(places, "retry")
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and not self.is_stopping:
            self.heartbeat_at = monotonic()
            self._intake.poll(min(left, 0.2))
        self.assignment.resume(places, "retry")

    def _recover(self) -> None:
        self._backoff.reset()
        self.database_ok = True

    def _reconsider(self, lost: AbstractSet[Partition]) -> bool:
        """Ask the database what is still ours; says whether a commit of ours came through.

        Raises `ConfigurationError` where the database was set back to an earlier moment.
        """
        found = self._read_fence()
        has_moved = False
        for place in lost & self.assignment.claims.keys():
            claim = self.assignment.claims[place]
            next_offset, epoch = found.get(place, (0, 0))
            if epoch != claim.epoch:
                self.assignment.lose([place])
                self._log.warning("fenced", topic=place[0], partition=place[1])
            elif next_offset < claim.next_offset:
                msg = (
                    f"the database was set back: in {place[0]}/{place[1]} it goes on at"
                    f" {next_offset}, and had committed {claim.next_offset}. Start this service"
                    " again: its checks decide whether it may go on from there"
                )
                raise ConfigurationError(msg)
            elif next_offset != claim.next_offset:
                self.assignment.claims[place] = claim.at(next_offset)
                has_moved = True
        return has_moved

    def _resolve(self) -> None:
        """A commit is in doubt: the offsets in the database say what happened."""
        has_moved = self._reconsider(frozenset(self.assignment.claims))
        outcome = "committed" if has_moved else "rolled-back"
        metrics.CONSUMER_IN_DOUBT_COMMITS.labels(self._spec.name, outcome).inc()

    def _read_fence(self) -> dict[Partition, tuple[int, int]]:
        """Offsets and epochs; when told to stop meanwhile, as we knew them: the next start asks."""
        while not self.is_stopping:
            try:
                return transact(self._engine, self._spec.name, fence.read)
            except Exception as error:
                reason = transient_reason(error)
                if reason is None:
                    raise
                self._retry_later(reason, error)
        return {p: (claim.next_offset, claim.epoch) for p, claim in self.assignment.claims.items()}

    def _trip(self, error: _Tripped) -> None:
        self._log.error("breaker open", partitions=sorted(error.places))
        self._open(error.places)

    def _open(self, places: Iterable[Partition]) -> None:
        places = list(places)
        self.breaker.open(places, monotonic())
        self._hold_back(places, "breaker")
        metrics.DLQ_BREAKER_STATE.labels(self._spec.name).set(self.breaker.state)

    def _wait_for_people(self, error: TooManyParked) -> None:
        """A key is full: its partition waits until somebody has decided, and looks now and then."""
        self._log.error("key full", partitions=sorted(error.places))
        self._hold_back(error.places, "parked")
        self._full |= dict.fromkeys(error.places, monotonic() + PARKED_LOOK_S)

    def _hold_back(self, places: Iterable[Partition], reason: str) -> None:
        """Pause `places` and take their records, those in hand too, from the database's offset."""
        ours = [place for place in places if place in self.assignment.claims]
        self.assignment.pause(ours, reason)
        self._intake.read_again(ours)

    def _look_again(self) -> None:
        """Let partitions try again: whose breaker has rested, or whose key was full."""
        now = monotonic()
        if due := self.breaker.half_open(now, self.assignment.has_more):
            self.assignment.resume(due, "breaker")
        metrics.DLQ_BREAKER_STATE.labels(self._spec.name).set(self.breaker.state)
        if rested := [place for place, until in self._full.items() if until <= now]:
            self.assignment.resume(rested, "parked")
            for place in rested:
                del self._full[place]

    def _forget(self, places: Iterable[Partition]) -> None:
        """These partitions are another's now, with all that we knew of them."""
        self.breaker.forget(places)
        self._attempts.forget(places)
        for place in places:
            self._full.pop(place, None)


def _fates(arrivals: Sequence[Arrival], outcome: Outcome) -> list[tuple[Partition, bool]]:
    """Each record's partition and whether it is dead; what is parked does not count.

    Where all went well, one for each partition says the same.
    """
    if not outcome.dead and not outcome.parked:
        return [(place, False) for place in _places(arrivals)]
    dead = {arrival.record.place for arrival in outcome.dead}
    parked = {arrival.record.place for arrival in outcome.parked}
    records = [arrival.record for arrival in arrivals if arrival.record.place not in parked]
    return [((r.topic.name, r.partition), r.place in dead) for r in records]


def _places(arrivals: Iterable[Arrival]) -> set[Partition]:
    return {(arrival.record.topic.name, arrival.record.partition) for arrival in arrivals}
