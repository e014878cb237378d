"""What the loop does between batches: held records, ticks, back-pressure, gauges."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, Engine

from shared import held, metrics, outbox, tracing
from shared.clock import Clock, monotonic
from shared.codec.codec import Codec
from shared.logging import logger
from shared.retry import NARROWED, Backoff, is_bug, transient_reason
from shared.runtime import gauges
from shared.runtime.assignment import Assignment
from shared.runtime.attempts import Attempts
from shared.runtime.batch import HandlerFailed
from shared.runtime.outcome import Outcome
from shared.runtime.service import ServiceSpec, Tick
from shared.runtime.takeup import TakeUp
from shared.runtime.transaction import transact
from shared.settings import Settings

T = TypeVar("T")

_TAKE_UP_EVERY_S = 0.5
_OVERDUE_EVERY_S = 5.0
_PRESSURE_EVERY_S = 0.5
_GAUGES_EVERY_S = 5.0


@dataclass
class _Chore:
    name: str
    run: Callable[[], bool]
    every_s: float
    fills_outbox: bool = False
    due_at: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)


class Chores:
    """The chores of one service instance, each on its interval, or at once while there is more."""

    def __init__(
        self,
        spec: ServiceSpec,
        settings: Settings,
        clock: Clock,
        engine: Engine,
        codec: Codec,
        assignment: Assignment,
        *,
        attempts: Attempts,
    ) -> None:
        self._spec, self._settings, self._clock = spec, settings, clock
        self._engine, self._codec, self._assignment = engine, codec, assignment
        self._attempts = attempts
        self._held = TakeUp(spec, settings, codec, clock, attempts)
        self._is_outbox_full = False
        self._log = logger()
        self._take_up = _Chore("take-up", self._take_up_held, _TAKE_UP_EVERY_S, fills_outbox=True)
        self._chores = [
            _Chore("back-pressure", self._press_back, _PRESSURE_EVERY_S),
            self._take_up,
            _Chore("overdue", self._wake_overdue, _OVERDUE_EVERY_S),
            _Chore("gauges", self._show, _GAUGES_EVERY_S),
            *(
                _Chore(tick.name, self._ticking(tick), tick.every_s, fills_outbox=True)
                for tick in spec.ticks
            ),
        ]

    def due_in_s(self) -> float:
        """Seconds until the next chore."""
        due = (chore.due_at for chore in self._chores if not self._is_held_up(chore))
        return min(due) - monotonic()

    def take_up_soon(self) -> None:
        """Something that held records wait for has happened."""
        self._take_up.due_at = 0.0

    def run(self) -> bool:
        """Do what is due, once each, and say whether anything was.

        A chore with more to do is due again at once; one that fails, after its interval, and the
        next turn begins with the one behind it, so that it starves nobody. A bug ends nothing: the
        other chores go on, and so does consumption.
        """
        was_done = False
        for turn, chore in enumerate(self._chores, 1):
            if chore.due_at <= monotonic() and not self._is_held_up(chore):
                was_done = True
                chore.due_at = monotonic() + chore.every_s
                try:
                    has_more = chore.run()
                except Exception as error:
                    if isinstance(error, HandlerFailed) or not is_bug(error):
                        self._chores = [*self._chores[turn:], *self._chores[:turn]]
                        raise
                    self._broken(chore, error)
                else:
                    chore.backoff.reset()
                    if has_more:
                        chore.due_at = 0.0
        return was_done

    def _broken(self, chore: _Chore, error: Exception) -> None:
        """A bug: say so, and try it again, more and more slowly."""
        metrics.CONSUMER_RETRIES.labels(self._spec.name, "bug").inc()
        self._log.error("failed", part=chore.name, exc_info=error)
        chore.due_at = monotonic() + max(chore.every_s, chore.backoff.next_s())

    def _is_held_up(self, chore: _Chore) -> bool:
        return chore.fills_outbox and self._is_outbox_full

    def _take_up_held(self) -> bool:
        started = monotonic()
        try:
            outcome, more = self._transact(self._held.run)
        except Exception as error:
            if transient_reason(error) in NARROWED:
                self._held.narrow(error)
            raise
        self._held.widen()
        self._attempts.settle((*outcome.dead, *outcome.applied))
        count_replayed(self._spec.name, outcome)
        if tracing.export is not None:
            tracing.export.handled(outcome.fates(), monotonic() - started)
        return more or bool(outcome.facts)

    def _wake_overdue(self) -> bool:
        woken = self._transact(lambda c: held.wake_overdue(c, self._clock.now()))
        if woken:
            self.take_up_soon()
        return woken >= held.WAKE_MAX

    def _press_back(self) -> bool:
        """Add nothing to a full outbox, and go on when half of it is drained, by the relay alone.

        Nothing is consumed meanwhile, no held record is taken up, and the ticks rest.
        """
        backlog = self._transact(outbox.backlog)
        if backlog >= self._settings.outbox_rows_max:
            self._is_outbox_full = True
            self._assignment.pause(list(self._assignment.claims), "outbox")
        elif backlog <= self._settings.outbox_rows_max // 2:
            self._is_outbox_full = False
            self._assignment.resume(list(self._assignment.claims), "outbox")
        return False

    def _show(self) -> bool:
        self._transact(lambda c: gauges.show(c, self._spec.name))
        self._assignment.show_lag()
        return False

    def _ticking(self, tick: Tick) -> Callable[[], bool]:
        def work(connection: Connection) -> bool:
            store = self._spec.store(connection)
            events = list(tick.run(store, self._clock.now()))
            store.flush()
            records = [outbox.outgoing(self._codec, e, self._spec.name, None) for e in events]
            outbox.write(connection, records)
            return bool(events)

        return lambda: self._transact(work)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        return transact(self._engine, self._spec.name, work)


def count_outcome(service: str, outcome: Outcome) -> None:
    """Count every record of a batch under what became of it."""
    for (topic, result), count in outcome.counts().items():
        metrics.CONSUMER_RECORDS.labels(service, topic, result).inc(count)
    _count_dead(service, outcome)


def count_replayed(service: str, outcome: Outcome) -> None:
    """Count the held records that were taken up."""
    for (_, result), count in outcome.counts().items():
        metrics.DLQ_REPLAYED.labels(service, result).inc(count)
    _count_dead(service, outcome)


def _count_dead(service: str, outcome: Outcome) -> None:
    for arrival in outcome.dead:
        if failure := arrival.failure:
            metrics.DLQ_RECORDS.labels(service, failure.stage, failure.code).inc()
