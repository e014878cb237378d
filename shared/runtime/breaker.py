"""The breaker: when too many records of a partition would become dead letters, stop and say so.

A poisoned record is one of many; when most of them fail, the fault is ours or the producer's, and
dead-lettering everything helps nobody. An open breaker rests, then is half-open and tries one
record. If that fails, it rests longer; if it neither fails nor queues behind one that has, the
breaker closes, and so it does when none comes for long.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from shared.retry import Backoff
from shared.runtime.fence import Partition


class State(IntEnum):
    """As `dlq_breaker_state` shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass
class _Trip:
    """Resting `until` then; half-open, closed from then on."""

    until: float
    backoff: Backoff
    state: State = State.OPEN


@dataclass
class Breaker:
    """One breaker per partition.

    It opens where `share` of at least `records_min` records of a batch fail, or `records_min` in a
    row, wherever batches begin and end. Half-open, it closes when nothing has failed for `quiet_s`.
    """

    records_min: int
    share: float
    first_s: float = 5.0
    longest_s: float = 120.0
    quiet_s: float = 120.0
    _trips: dict[Partition, _Trip] = field(default_factory=dict)
    _streaks: dict[Partition, int] = field(default_factory=dict)

    def tripped_by(self, fates: Sequence[tuple[Partition, bool]]) -> set[Partition]:
        """The closed partitions that this batch would trip; a fate is (partition, is dead)."""
        totals = Counter(place for place, _ in fates)
        dead = Counter(place for place, is_dead in fates if is_dead)
        crowded = {
            place
            for place, count in dead.items()
            if totals[place] >= self.records_min and count >= self.share * totals[place]
        }
        streaks = {place for place, n in self._streak_by_record(fates) if n >= self.records_min}
        return (crowded | streaks) - self._trips.keys()

    def note(self, fates: Sequence[tuple[Partition, bool]]) -> None:
        """The batch is committed: remember how many in a row have failed."""
        self._streaks.update(self._streak_by_record(fates))

    def _streak_by_record(
        self, fates: Sequence[tuple[Partition, bool]]
    ) -> Iterator[tuple[Partition, int]]:
        """After each record, how many of its partition have failed in a row."""
        streaks = dict(self._streaks)
        for place, is_dead in fates:
            streaks[place] = streaks.get(place, 0) + 1 if is_dead else 0
            yield place, streaks[place]

    def open(self, places: Iterable[Partition], now: float) -> None:
        """Open for these partitions, each time longer until one of their records does not fail."""
        for place in places:
            backoff = self._trips[place].backoff if place in self._trips else self._backoff()
            self._trips[place] = _Trip(now + backoff.next_s(), backoff)

    def half_open(self, now: float, has_more: Callable[[Partition], bool]) -> list[Partition]:
        """The partitions whose rest is over: each may try one record.

        One that has been quiet since then is closed, and what failed before it is forgotten. While
        it `has_more` to read and cannot, quiet says nothing.
        """
        due = {place: trip for place, trip in self._trips.items() if trip.until <= now}
        rested = [place for place, trip in due.items() if trip.state is State.OPEN]
        tried = due.keys() - rested
        self.forget([place for place in tried if not has_more(place)])
        for place in due.keys() & self._trips.keys():
            self._trips[place].state = State.HALF_OPEN
            self._trips[place].until = now + self.quiet_s
        return rested

    def is_probing(self, place: Partition) -> bool:
        """Whether `place` may have just one record now."""
        return place in self._trips

    def close(self, place: Partition) -> None:
        """A record of `place` did not fail. How many have in a row, `note` knows."""
        self._trips.pop(place, None)

    def forget(self, places: Iterable[Partition]) -> None:
        """Nothing that has failed in these partitions counts any more: they are another's, say."""
        for place in places:
            self._trips.pop(place, None)
            self._streaks.pop(place, None)

    @property
    def state(self) -> State:
        """The worst of all partitions."""
        return max((trip.state for trip in self._trips.values()), default=State.CLOSED)

    def _backoff(self) -> Backoff:
        return Backoff(self.first_s, self.longest_s)
