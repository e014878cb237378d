"""What the tests of the pricer on PostgreSQL share."""

from typing import Final

from shared.events.base import Event
from shared.events.billing import JobPriced, Path
from shared.events.masterdata import RateLine
from shared.events.production import Component
from shared.testing import ServiceHarness
from tests.unit.pricer.builders import (
    RATES,
    SHEETS,
    WORKED,
    agreement,
    customer,
    job,
    metric,
    rate,
    rate_card,
)

TERMS: Final = (customer(), agreement(), rate_card())
TRIAL: Final = metric(Component.SUBSTRATE, "PAP-TRIAL", SHEETS, "1000")
TRIAL_RATE: Final = rate(Component.SUBSTRATE, "PAP-TRIAL", SHEETS, "0.10")
JOBS: Final = "SELECT revision, pricing_no, path, net_total, reprice FROM job"


def price(events: list[Event]) -> JobPriced:
    """The one price among `events`."""
    (found,) = [event for event in events if isinstance(event, JobPriced)]
    return found


def held_for_a_rate(harness: ServiceHarness) -> None:
    """Put a job on hold: nobody has a price for its paper."""
    held = price(harness.apply(job((*WORKED, TRIAL), estimate_ref=None)))
    assert held.path is Path.HOLD


def new_card(version: int = 2, *more: RateLine, **changes: object) -> Event:
    """The rate card in another version, with `more` prices."""
    return rate_card((*RATES, *more), version=version, **changes)
