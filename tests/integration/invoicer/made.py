"""Jobs to bill, and what came of them, for the tests of this folder."""

from dataclasses import dataclass
from datetime import datetime

from shared.events.base import Event
from shared.events.billing import (
    InvoiceIssued,
    JobPriced,
    ReviewRequested,
)
from shared.testing import ServiceHarness
from tests.unit.invoicer.factory import (
    priced,
    rate_card_lines,
)


@dataclass
class MovableClock:
    """A business clock that the test sets."""

    at: datetime

    def now(self) -> datetime:
        return self.at


def job(number: int, **changes: object) -> JobPriced:
    return priced(*rate_card_lines(), job_id=f"J-{number}", **changes)


def issued(events: list[Event]) -> list[InvoiceIssued]:
    return [event for event in events if isinstance(event, InvoiceIssued)]


def reviews(events: list[Event]) -> list[ReviewRequested]:
    return [event for event in events if isinstance(event, ReviewRequested)]


def states(harness: ServiceHarness) -> dict[str, str]:
    return {row.job_id: row.state for row in harness.query("SELECT job_id, state FROM job")}
