"""A print shop's work as events: deterministic, any number of jobs, in the order of arrival."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from typing import Final

from services.simulator import mix, plots, troubles
from services.simulator.logo import Logo, logo
from services.simulator.mix import Teller
from services.simulator.parties import HOUSES, PARTIES
from services.simulator.payments import payment_of
from services.simulator.scene import LEAD, Arrival, Story
from services.simulator.terms import (
    AGREEMENTS,
    RATE_CARDS,
    approval_policies,
    cost_rate,
    tax_rules,
)
from shared.events.base import Event

__all__ = [
    "logos",
    "master_data",
    "payment_of",
    "simulate",
    "special_cases",
    "starting_for",
    "stories_of",
]

SETTLED: Final = timedelta(days=4)
"""No event of a job comes later than this after the job's last day."""
SPECIAL: Final[Mapping[str, Teller]] = {
    "straight-through": plots.plain,
    "actual-within-cap": troubles.within_cap,
    "review": troubles.slow_press,
    "hold": troubles.unknown_operation,
    "not-billable": troubles.failed,
    "tax-hold": troubles.without_vat_id,
    "released-later": plots.released_later,
    "mixed-vat": plots.mixed_vat,
    "gang-run": plots.ganged,
    "customer-paper": plots.customer_paper,
    "alteration": plots.altered,
    "minimum-charge": plots.small,
    "long-invoice": plots.long_invoice,
    "non-latin": plots.non_latin,
    "late-estimate": plots.late_estimate,
    "overdue": plots.prompt,
    "duplicate": troubles.duplicate,
    "conflict": troubles.conflict,
    "revision": plots.corrected,
    "outrun-revision": troubles.outrun_revision,
    "revision-after-issue": troubles.revised_after_issue,
}


def master_data() -> tuple[Event, ...]:
    """Who trades with whom on which terms: the same in every simulation."""
    return (
        *(house.entity for house in HOUSES.values()),
        *tax_rules(),
        *RATE_CARDS.values(),
        *(cost_rate(house) for house in HOUSES.values()),
        *approval_policies(),
        *(party.customer for party in PARTIES.values()),
        *(party.contact for party in PARTIES.values()),
        *AGREEMENTS.values(),
    )


def logos() -> tuple[Logo, ...]:
    """The houses' logos, to be put into the document store."""
    return tuple(map(logo, HOUSES))


def simulate(jobs: int, seed: int, *, starting: date) -> Iterator[Event]:
    """The master data, then the events of `jobs` jobs as they arrive.

    The first jobs end on the first weekday from `starting` on (a date in each house's own zone),
    120 a day; estimates are up to two weeks older. Same arguments, same events; more jobs, the
    same ones first. `starting_for` says when to start.
    """
    yield from master_data()
    yield from (arrival.event for arrival in in_order(mix.stories(jobs, seed, starting)))


def stories_of(jobs: int, seed: int, *, starting: date) -> Iterator[Story]:
    """The same jobs one by one, each with its name and the billing path on which it must end."""
    return mix.stories(jobs, seed, starting)


def special_cases(seed: int, *, starting: date) -> Mapping[str, Story]:
    """One job for each thing that a demonstration should show, by name; master data apart."""
    day = mix.working_day(starting, 1)
    return {
        name: mix.tell(teller, f"{starting:%y%m%d}-{seed}-{name}", day)
        for name, teller in SPECIAL.items()
    }


def starting_for(jobs: int, until: date) -> date:
    """The last day to start `jobs` jobs on so that all their events arrive before `until`."""
    days = -(-jobs // mix.JOBS_A_DAY)
    start = until - SETTLED
    while mix.working_day(start, days * mix.JOBS_A_DAY) > until - SETTLED:
        start -= timedelta(days=1)
    return start


def in_order(told: Iterable[Story]) -> Iterator[Arrival]:
    """The arrivals of all stories by time, holding only those that are under way together.

    `told` are in the order of their last days; see `LEAD` and `SETTLED` for how far events reach.
    """
    heap: list[tuple[datetime, int, Arrival]] = []
    number = 0
    for story in told:
        settled = story.arrivals[-1].at - LEAD - SETTLED
        for arrival in story.arrivals:
            number += 1
            heappush(heap, (arrival.at, number, arrival))
        while heap[0][0] < settled:
            yield heappop(heap)[2]
    while heap:
        yield heappop(heap)[2]
