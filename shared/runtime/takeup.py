"""Taking up held records: a fact has arrived, a deadline has passed, somebody has decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from shared import held
from shared.clock import Clock
from shared.codec.codec import Codec
from shared.held import Lane, Queued
from shared.runtime import faults
from shared.runtime.attempts import Attempts, Place
from shared.runtime.batch import Batch
from shared.runtime.faults import Point
from shared.runtime.outcome import Outcome
from shared.runtime.records import Arrival, arrive
from shared.runtime.service import ServiceSpec
from shared.settings import Settings

LANES_MAX = 200
RECORDS_PER_LANE_MAX = 50


@dataclass
class TakeUp:
    """Works off the ready lanes of a service, each in its order, in portions that may shrink."""

    spec: ServiceSpec
    settings: Settings
    codec: Codec
    clock: Clock
    attempts: Attempts
    lanes_max: int = LANES_MAX
    records_max: int = RECORDS_PER_LANE_MAX
    in_hand: Place | None = None

    def narrow(self, cause: Exception) -> None:
        """A portion took too long: take half of it, and blame the record that is left alone."""
        if self.lanes_max > 1:
            self.lanes_max //= 2
        elif self.records_max > 1:
            self.records_max //= 2
        elif self.in_hand is not None:
            self.attempts.count(self.in_hand, cause)

    def widen(self) -> None:
        """A portion went well: take twice as much."""
        self.records_max = min(RECORDS_PER_LANE_MAX, self.records_max * 2)
        self.lanes_max = min(LANES_MAX, self.lanes_max * 2)

    def run(self, connection: Connection) -> tuple[Outcome, bool]:
        """One portion, in the caller's transaction: what became of it, and is more ready."""
        self.in_hand = None
        lanes = held.claim(connection, self.lanes_max)
        if not lanes:
            return Outcome(), False
        rows = held.queue(connection, lanes, self.records_max, self.clock.now())
        discarded, taken, stuck = _sort(rows)
        held.settle(connection, dict.fromkeys(discarded, "discarded"))
        self.in_hand = taken[0].record.place if taken else None
        batch = Batch(
            self.spec,
            self.settings,
            self.codec,
            self.clock,
            connection,
            taken={_held_id(queued): queued for queued in taken},
        )
        outcome = batch.taken_up([self._arrival(queued) for queued in taken])
        held.hold(connection, stuck - outcome.blocked.keys())
        held.release(connection, lanes)
        faults.reach(Point.TAKEN_UP)
        size = sum(len(queued.record.value or b"") for queued in rows)
        more = (
            len(lanes) == self.lanes_max
            or len(rows) >= self.records_max
            or size >= held.QUEUE_BYTES_MAX
        )
        return outcome, more or bool(outcome.woken)

    def _arrival(self, queued: Queued) -> Arrival:
        (arrival,) = arrive(self.codec, [queued.record])
        return self.attempts.with_history(arrival._replace(lane=queued.lane))


def _sort(rows: Sequence[Queued]) -> tuple[list[int], list[Queued], set[Lane]]:
    """What to discard, what to handle, and the lanes that still have an undecided dead head."""
    discarded: list[int] = []
    taken: list[Queued] = []
    stuck: set[Lane] = set()
    for queued in rows:
        lane = (queued.record.topic.name, queued.lane)
        if lane in stuck:
            continue
        if queued.decision == "discard":
            discarded.append(_held_id(queued))
        elif queued.state == "dead" and queued.decision is None:
            stuck.add(lane)
        else:
            taken.append(queued)
    return discarded, taken, stuck


def _held_id(queued: Queued) -> int:
    if queued.record.held_id is None:
        msg = f"{queued.record.place} is not held"
        raise AssertionError(msg)
    return queued.record.held_id
