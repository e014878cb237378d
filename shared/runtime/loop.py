"""The consumer loop: poll, one transaction a batch, and what time brings.

One thread, so that rebalance callbacks fire inside `poll` and never inside a transaction.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import KafkaError, Message
from sqlalchemy import Connection, Engine

from shared import kafka, metrics
from shared.clock import Clock, monotonic, system_now
from shared.codec.codec import Codec
from shared.errors import ColophonError, Rejected, Transient
from shared.logging import logger
from shared.retry import Backoff, transient_reason
from shared.runtime import fence
from shared.runtime.assignment import Assignment, out_of_range
from shared.runtime.batch import Batch, HandlerFailed, Outcome
from shared.runtime.breaker import Breaker
from shared.runtime.chores import Chores, count_outcome
from shared.runtime.fence import Claim, Partition, PartitionsLost
from shared.runtime.records import Arrival, Record, arrive, ce_time
from shared.runtime.service import ServiceSpec
from shared.runtime.transaction import CommitInDoubt, transact
from shared.runtime.watch import HandlerTimeout
from shared.settings import Settings
from shared.topology import BY_NAME, consumed_by

ATTEMPTS_MAX = 3
POLL_S = 0.5
_LIMITS = frozenset({"transaction-limit", "statement-timeout"})


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
        self._spec, self._clock, self._engine, self._codec = spec, clock, engine, codec
        self._record_limit_s = settings.record_limit_s
        self._batch_max = settings.batch_size
        self._limit = settings.batch_size
        self._backoff = Backoff()
        self._attempts: Counter[tuple[str, int, int]] = Counter()
        self._given_up: dict[tuple[str, int, int], Rejected] = {}
        self._stash: list[Message] = []
        self._cut: set[Partition] = set()
        self._ends: dict[Partition, int] = {}
        self._log = logger()
        self.breaker = Breaker(settings.breaker_records_min, settings.breaker_share)
        self.assignment = Assignment(settings, spec.name, (t.name for t in consumed_by(spec.name)))
        self.chores = Chores(
            spec, settings, clock, engine, codec, self.assignment, given_up=self._given_up
        )
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
        records = self._take(0.0 if self._stash else self._poll_s())
        self._guard(self._claim)
        if records:
            self._work(records)
        self._note_ends()
        self._guard(self.chores.run)
        self.assignment.commit(wait=False)
        self._probe()

    def _poll_s(self) -> float:
        return max(0.0, min(POLL_S, self.chores.due_in_s()))

    def _take(self, timeout_s: float) -> list[Record]:
        """Up to a batch of records of the partitions that are claimed, in order by partition."""
        messages, self._stash = self._stash, []
        consumer = self.assignment.consumer
        first = consumer.poll(timeout_s)
        if first is not None:
            messages.append(first)
            messages += consumer.consume(self._batch_max - 1, 0)
        records = [record for message in messages if (record := self._record(message))]
        return self._while_probing(sorted(records, key=lambda record: record.place))

    def _while_probing(self, records: list[Record]) -> list[Record]:
        """A partition whose breaker is not closed may have one record; the rest is read again."""
        seen: set[Partition] = set()
        kept = []
        for record in records:
            place = (record.topic.name, record.partition)
            if place in seen and self.breaker.is_probing(place):
                self._cut.add(place)
            else:
                kept.append(record)
                seen.add(place)
        return kept

    def _record(self, message: Message) -> Record | None:
        error = message.error()
        place = (message.topic() or "", message.partition() or 0)
        offset = message.offset() or 0
        if error is not None:
            self._on_error(error, place, offset)
            return None
        claim = self.assignment.claims.get(place)
        if claim is None or offset < claim.next_offset:
            return None
        return Record(
            topic=BY_NAME[place[0]],
            partition=place[1],
            offset=offset,
            timestamp_ms=message.timestamp()[1],
            key=_bytes(message.key()),
            value=_bytes(message.value()),
            headers=tuple(
                (str(name), _bytes(value)) for name, value in list(message.headers() or ())
            ),
        )

    def _on_error(self, error: KafkaError, place: Partition, offset: int) -> None:
        if error.code() == kafka.PARTITION_EOF:
            self._ends[place] = offset
        elif error.code() == kafka.OUT_OF_RANGE:
            raise out_of_range(*place, offset)
        else:
            self._log.warning("kafka", error=error.str(), topic=place[0])
            if error.fatal():
                raise Transient("kafka-fatal", error.str())

    def _note_ends(self) -> None:
        """What was delivered is applied by now, so these partitions are read to their ends."""
        for place in self._ends.keys() & self.assignment.claims.keys():
            if not self.assignment.is_paused(place):
                self.assignment.at_end(place, self._ends[place])
        self._ends.clear()

    def _claim(self) -> None:
        if pending := self.assignment.look_up():
            claims = transact(self._engine, self._spec.name, pending)
            self.assignment.begin(claims)

    def _guard(self, duty: Callable[[], None]) -> None:
        """Do `duty`; when the world is not ready, rest and come back to it on the next turn."""
        try:
            duty()
        except Exception as error:
            reason = transient_reason(error)
            if isinstance(error, HandlerFailed):
                self._count(error)
            elif reason is None:
                raise
            self._retry_later(reason or "handler", error)
        else:
            if not self.database_ok:
                self.database_ok = True
                self._backoff.reset()

    def _work(self, records: list[Record]) -> None:
        """Apply `records` in portions, until all are done or no longer ours."""
        while records and not self.is_stopping:
            portion = records[: self._limit]
            try:
                done = self._attempt(portion)
            except Exception as error:  # noqa: BLE001 -- sorted by fate, the rest raised
                self._survive(error)
            else:
                records = records[done:]
                self._recover()
            records = [record for record in records if self._is_ours(record)]
        for place in self._cut & self.assignment.claims.keys():
            self.assignment.rewind(place)
        self._cut.clear()

    def _survive(self, error: Exception) -> None:
        """Sort out why a batch failed and prepare the next attempt; raises what no retry mends."""
        match error:
            case PartitionsLost():
                self._reconsider(error.lost)
            case CommitInDoubt():
                self._resolve()
            case _Tripped():
                self._trip(error)
            case HandlerFailed():
                self._count(error)
                self._retry_later("handler", error)
            case _:
                reason = transient_reason(error)
                if reason is None:
                    raise error
                if reason in _LIMITS:
                    self._limit = max(1, self._limit // 2)
                self._retry_later(reason, error)

    def _is_ours(self, record: Record) -> bool:
        """Whether to go on with a record: not of a lost, a passed or a paused partition."""
        place = (record.topic.name, record.partition)
        claim = self.assignment.claims.get(place)
        is_behind = claim is None or record.offset < claim.next_offset
        return not is_behind and not self.assignment.is_paused(place)

    def _attempt(self, records: Sequence[Record]) -> int:
        """One transaction over `records`; returns how many were applied, all of them."""
        started = monotonic()
        arrivals = [self._with_history(a) for a in arrive(self._codec, records)]
        steps = self._steps(records)

        def work(connection: Connection) -> Outcome:
            fence.advance(connection, steps)
            batch = Batch(
                self._spec,
                self._codec,
                self._clock,
                connection,
                record_limit_s=self._record_limit_s,
            )
            outcome = batch.live(arrivals)
            self._judge(arrivals, outcome)
            return outcome

        outcome = transact(self._engine, self._spec.name, work)
        for claim, next_offset in steps:
            if claim.place in self.assignment.claims:
                self.assignment.claims[claim.place] = claim.at(next_offset)
        self._settle(arrivals, outcome, started)
        return len(records)

    def _with_history(self, arrival: Arrival) -> Arrival:
        place = arrival.record.place
        failure = self._given_up.get(place)
        return arrival.failed(failure, self._attempts[place]) if failure else arrival

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
        self.breaker.note(_fates(arrivals, outcome))
        for arrival in outcome.applied:
            self.breaker.close((arrival.record.topic.name, arrival.record.partition))
        for arrival in outcome.dead:
            place = (arrival.record.topic.name, arrival.record.partition)
            if self.breaker.is_probing(place):
                self._open([place])
            self._given_up.pop(arrival.record.place, None)
            self._attempts.pop(arrival.record.place, None)
        count_outcome(name, outcome)
        metrics.CONSUMER_BATCH_SIZE.labels(name).observe(len(arrivals))
        metrics.CONSUMER_BATCH_DURATION.labels(name).observe(monotonic() - started)
        metrics.CONSUMER_LAST_PROGRESS.labels(name).set(now.timestamp())
        for arrival in outcome.applied:
            if emitted := ce_time(arrival.record):
                metrics.END_TO_END_LATENCY.labels(name, arrival.record.topic.name).observe(
                    max(0.0, (now - emitted).total_seconds())
                )
        if outcome.facts or outcome.woken:
            self.chores.take_up_soon()

    def _count(self, error: HandlerFailed) -> None:
        """A handler broke: after some attempts its record is given up, with the stack trace."""
        place = error.arrival.record.place
        self._attempts[place] += 1
        self._log.error("handler failed", place=place, exc_info=error.cause)
        if self._attempts[place] >= ATTEMPTS_MAX:
            is_late = isinstance(error.cause, HandlerTimeout)
            failure = Rejected("handler-timeout" if is_late else "handler-bug", str(error))
            failure.__cause__ = error.cause
            self._given_up[place] = failure

    def _retry_later(self, reason: str, error: Exception) -> None:
        """Hold what we have, keep polling, then go on."""
        metrics.CONSUMER_RETRIES.labels(self._spec.name, reason).inc()
        self.database_ok = not reason.startswith("database")
        rest_s = self._backoff.next_s()
        self._log.warning("trying again", reason=reason, rest_s=rest_s, error=str(error)[:500])
        self._rest(rest_s)

    def _rest(self, seconds: float) -> None:
        places = list(self.assignment.claims)
        self.assignment.pause(places, "retry")
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0 and not self.is_stopping:
            self.heartbeat_at = monotonic()
            message = self.assignment.consumer.poll(min(left, 0.2))
            if message is not None:
                self._stash.append(message)
        self.assignment.resume(places, "retry")

    def _recover(self) -> None:
        self._backoff.reset()
        self.database_ok = True
        self._limit = min(self._batch_max, self._limit * 2)

    def _reconsider(self, lost: frozenset[Partition]) -> None:
        """The fence refused: either another instance took over, or our own commit came through."""
        found = self._read_fence()
        for place in lost & self.assignment.claims.keys():
            claim = self.assignment.claims[place]
            next_offset, epoch = found.get(place, (0, 0))
            if epoch == claim.epoch:
                self.assignment.claims[place] = claim.at(next_offset)
                metrics.CONSUMER_IN_DOUBT_COMMITS.labels(self._spec.name, "committed").inc()
            else:
                self.assignment.lose([place])
                self._log.warning("fenced", topic=place[0], partition=place[1])

    def _resolve(self) -> None:
        """A commit is in doubt: the offsets in the database say what happened."""
        before = dict(self.assignment.claims)
        self._reconsider(frozenset(before))
        moved = any(self.assignment.claims.get(p) not in (None, c) for p, c in before.items())
        if not moved:
            metrics.CONSUMER_IN_DOUBT_COMMITS.labels(self._spec.name, "rolled-back").inc()

    def _read_fence(self) -> dict[Partition, tuple[int, int]]:
        while True:
            try:
                return transact(self._engine, self._spec.name, fence.read)
            except Exception as error:
                reason = transient_reason(error)
                if reason is None or self.is_stopping:
                    raise
                self._retry_later(reason, error)

    def _trip(self, error: _Tripped) -> None:
        self._log.error("breaker open", partitions=sorted(error.places))
        self._open(error.places)

    def _open(self, places: Iterable[Partition]) -> None:
        places = list(places)
        self.breaker.open(places, monotonic())
        ours = [place for place in places if place in self.assignment.claims]
        self.assignment.pause(ours, "breaker")
        for place in ours:
            self.assignment.rewind(place)
        metrics.DLQ_BREAKER_STATE.labels(self._spec.name).set(self.breaker.state)

    def _probe(self) -> None:
        """Let a partition whose breaker has rested try again."""
        if due := self.breaker.half_open(monotonic()):
            self.assignment.resume(due, "breaker")
        metrics.DLQ_BREAKER_STATE.labels(self._spec.name).set(self.breaker.state)


def _fates(arrivals: Sequence[Arrival], outcome: Outcome) -> list[tuple[Partition, bool]]:
    """Each record's partition and whether it is dead; what is parked does not count."""
    dead = {arrival.record.place for arrival in outcome.dead}
    parked = {arrival.record.place for arrival in outcome.parked}
    records = [arrival.record for arrival in arrivals if arrival.record.place not in parked]
    return [((r.topic.name, r.partition), r.place in dead) for r in records]


def _bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
