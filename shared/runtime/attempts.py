"""How often each record has failed by a bug or lost a race: after some attempts it is given up."""

from collections import Counter
from collections.abc import Iterable

from shared.errors import Rejected, headline
from shared.retry import LIMITS, RACES, transient_reason
from shared.runtime.fence import Partition
from shared.runtime.records import Arrival
from shared.runtime.watch import HandlerTimeout

ATTEMPTS_MAX = 3
RACES_MAX = 6

Place = tuple[str, int, int]


class Attempts:
    """The failures of the records in work, by topic, partition and offset; lost races apart."""

    def __init__(self) -> None:
        self._counts: dict[Place, Counter[bool]] = {}
        self._given_up: dict[Place, Rejected] = {}

    def count(self, place: Place, cause: BaseException) -> bool:
        """The record at `place` failed; says whether it is given up for `cause` now."""
        reason = transient_reason(cause)
        is_race = reason in RACES
        counts = self._counts.setdefault(place, Counter())
        counts[is_race] += 1
        is_last = counts[is_race] >= (RACES_MAX if is_race else ATTEMPTS_MAX)
        if is_last:
            is_late = isinstance(cause, HandlerTimeout) or reason in LIMITS
            code = "handler-timeout" if is_late else "handler-bug"
            failure = Rejected(code, headline(cause))
            failure.__cause__ = cause
            self._given_up[place] = failure
        return is_last

    def with_histories(self, arrivals: list[Arrival]) -> list[Arrival]:
        """`arrivals`, those as failed whose records were given up before."""
        return [self.with_history(each) for each in arrivals] if self._counts else arrivals

    def with_history(self, arrival: Arrival) -> Arrival:
        """`arrival`, as failed where its record was given up before."""
        place = arrival.record.place
        failure = self._given_up.get(place)
        return arrival.failed(failure, self._counts[place].total()) if failure else arrival

    def settle(self, arrivals: Iterable[Arrival]) -> None:
        """These have met their fate."""
        for arrival in arrivals if self._counts else ():
            self._counts.pop(arrival.record.place, None)
            self._given_up.pop(arrival.record.place, None)

    def forget(self, places: Iterable[Partition]) -> None:
        """These partitions are another's now."""
        gone = set(places)
        for place in [place for place in self._counts if place[:2] in gone]:
            del self._counts[place]
            self._given_up.pop(place, None)
