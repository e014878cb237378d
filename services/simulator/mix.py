"""Which stories a print shop's days are made of, and on which days they end."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Final

from services.simulator import plots, troubles
from services.simulator.scene import Scene, Story

Teller = Callable[[Scene], None]

MIX: Final[tuple[tuple[Teller, int], ...]] = (
    (plots.plain, 333),
    (plots.reported, 100),
    (plots.actuals, 60),
    (plots.overs, 80),
    (plots.altered, 50),
    (plots.reworked, 30),
    (plots.substituted, 30),
    (plots.customer_paper, 20),
    (plots.delivered_in_drops, 50),
    (plots.mixed_vat, 20),
    (plots.ganged, 20),
    (plots.two_countries, 5),
    (plots.small, 10),
    (plots.long_invoice, 2),
    (plots.released_later, 20),
    (plots.corrected, 10),
    (plots.late_estimate, 10),
    (troubles.within_cap, 40),
    (troubles.slow_press, 20),
    (troubles.under_delivered, 10),
    (troubles.without_estimate, 10),
    (troubles.unordered_alteration, 5),
    (troubles.unknown_stock, 10),
    (troubles.unknown_operation, 10),
    (troubles.lapsed_agreement, 10),
    (troubles.without_vat_id, 5),
    (troubles.failed, 15),
    (troubles.aborted, 10),
    (troubles.undecided, 5),
)
"""Every story, and how often among a thousand jobs."""
_TELLERS: Final = tuple(teller for teller, _ in MIX)
_WEIGHTS: Final = tuple(weight for _, weight in MIX)


def tell(teller: Teller, job_id: str, ended_on: date) -> Story:
    """The story of one job; its dice are a function of its id and of the kind of story."""
    scene = Scene(Random(f"{teller.__name__}/{job_id}"), job_id, ended_on)
    teller(scene)
    arrivals = tuple(sorted(scene.arrivals, key=lambda arrival: arrival.at))
    return Story(teller.__name__, job_id, scene.outcome, arrivals)


def stories(jobs: int, seed: int, starting: date) -> Iterator[Story]:
    """`jobs` stories in the order of their last day."""
    rng = Random(seed)
    for number in range(1, jobs + 1):
        teller = rng.choices(_TELLERS, _WEIGHTS)[0]
        yield tell(teller, job_id(seed, starting, number), working_day(starting, number))


def job_id(seed: int, starting: date, number: int) -> str:
    """An id that no simulation with another seed or another first day gives."""
    return f"{starting:%y%m%d}-{seed}-{number:05d}"


JOBS_A_DAY: Final = 120
_WEEK, _FRIDAY = 7, 4


def working_day(starting: date, number: int) -> date:
    """The day on which the job of this number ends: 120 a day, Monday to Friday."""
    day = _next_weekday(starting)
    weeks, days = divmod((number - 1) // JOBS_A_DAY, 5)
    day += timedelta(weeks=weeks)
    for _ in range(days):
        day = _next_weekday(day + timedelta(days=1))
    return day


def _next_weekday(day: date) -> date:
    late = day.weekday() - _FRIDAY
    return day + timedelta(days=_WEEK - _FRIDAY - late) if late > 0 else day
