"""Taking up held records: a fact has arrived, a deadline has passed, somebody has decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from shared import held
from shared.clock import Clock
from shared.codec.codec import Codec
from shared.errors import Rejected
from shared.held import Lane, Queued
from shared.runtime.batch import Batch, Outcome
from shared.runtime.records import Arrival, arrive
from shared.runtime.service import ServiceSpec

LANES_MAX = 200
RECORDS_PER_LANE_MAX = 50


@dataclass(frozen=True)
class TakeUp:
    """Works off the ready lanes of a service, each in its order."""

    spec: ServiceSpec
    codec: Codec
    clock: Clock
    record_limit_s: float

    def run(
        self, connection: Connection, given_up: dict[tuple[str, int, int], Rejected]
    ) -> tuple[Outcome, bool]:
        """One portion, in the caller's transaction: what became of it, and is more ready."""
        lanes = held.claim(connection, LANES_MAX)
        if not lanes:
            return Outcome(), False
        rows = held.queue(connection, lanes, RECORDS_PER_LANE_MAX, self.clock.now())
        discarded, taken, stuck = _sort(rows)
        held.settle(connection, dict.fromkeys(discarded, "discarded"))
        batch = Batch(
            self.spec,
            self.codec,
            self.clock,
            connection,
            record_limit_s=self.record_limit_s,
            taken={_held_id(queued): queued for queued in taken},
        )
        outcome = batch.taken_up([self._arrival(queued, given_up) for queued in taken])
        stopped = (outcome.blocked - outcome.woken) | stuck
        held.hold(connection, stuck - outcome.blocked)
        held.release(connection, set(lanes) - stopped)
        more = len(lanes) == LANES_MAX or len(rows) > RECORDS_PER_LANE_MAX
        return outcome, more or bool(outcome.woken)

    def _arrival(self, queued: Queued, given_up: dict[tuple[str, int, int], Rejected]) -> Arrival:
        (arrival,) = arrive(self.codec, [queued.record])
        arrival = replace(arrival, lane=queued.lane)
        failure = given_up.get(queued.record.place)
        return arrival.failed(failure) if failure else arrival


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
