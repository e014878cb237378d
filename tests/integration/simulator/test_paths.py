"""Every story of the simulator ends where it says, by the real services on a real database.

Kafka is not in it: each service is given what the one before it emits.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

from services.invoicer.main import SERVICE as INVOICER
from services.ledger_writer.main import SERVICE as LEDGER_WRITER
from services.metrics_extractor.main import SERVICE as METRICS_EXTRACTOR
from services.pricer.main import SERVICE as PRICER
from services.simulator.main import SPECIAL, master_data, special_cases
from services.simulator.mix import MIX, tell
from services.simulator.scene import Story
from shared.clock import FixedClock
from shared.events.accounting import EntryPosted, InvoicePosted
from shared.events.base import Event
from shared.events.billing import BILLABLE_PATHS, InvoiceIssued, JobPriced
from shared.events.production import JobCompleted
from shared.runtime.service import ServiceSpec
from shared.testing import ServiceHarness

Harness = Callable[..., ServiceHarness]
BATCH = 40
START = date(2026, 3, 2)
TOLD_TWICE = ("duplicate", "conflict")  # what only the inbox can tell from a new fact


def stories() -> list[Story]:
    """Every plot twice, and the special cases."""
    mix = [
        tell(teller, f"{teller.__name__}-{number}", START)
        for teller, _ in MIX
        for number in range(2)
    ]
    special = special_cases(1, starting=START)
    return mix + [special[name] for name in SPECIAL if name not in TOLD_TWICE]


class Pipeline:
    """Four services, each fed with all that it consumes."""

    def __init__(self, make: Harness) -> None:
        clock = FixedClock(datetime(2026, 3, 16, 8, tzinfo=UTC))
        self._services = [
            make(spec, clock) for spec in (METRICS_EXTRACTOR, PRICER, INVOICER, LEDGER_WRITER)
        ]

    def run(self, events: Iterable[Event]) -> list[Event]:
        """All that the services emit."""
        known = list(events)
        for service in self._services:
            wanted = consumed(service.spec, known)
            for start in range(0, len(wanted), BATCH):
                known += service.apply(*wanted[start : start + BATCH])
        return known


def consumed(spec: ServiceSpec, events: Iterable[Event]) -> list[Event]:
    """What the service consumes of `events`: what others refer to first, as if they had waited."""
    wanted = [event for event in events if type(event) in spec.handlers]
    return sorted(wanted, key=lambda event: type(event) not in spec.facts)


def test_every_story_ends_where_it_says(service_harness: Harness) -> None:
    # given every story that can be told
    told = stories()
    events = [arrival.event for story in told for arrival in story.arrivals]

    # when the services have done with all of them
    done = Pipeline(service_harness).run([*master_data(), *events])

    # then each job is on the path that its story says, and nowhere else
    ended = outcomes(done)
    assert {s.job_id: s.outcome for s in told} == {s.job_id: ended[s.job_id] for s in told}
    # and what is billable is invoiced and posted, once
    issued = [event for event in done if isinstance(event, InvoiceIssued)]
    posted = [event for event in done if isinstance(event, InvoicePosted)]
    assert sorted(i.job_id for i in issued) == sorted(
        s.job_id for s in told if s.outcome in ("straight-through", "actual-within-cap")
    )
    assert [(p.document_id, p.gross_total) for p in posted] == [
        (i.invoice_id, i.gross_total) for i in issued
    ]
    # and the books hold exactly that
    entries = [event for event in done if isinstance(event, EntryPosted)]
    owed = sum((receivable(entry) for entry in entries), Decimal(0))
    assert owed == sum((invoice.gross_total for invoice in issued), Decimal(0)) > 0


def receivable(entry: EntryPosted) -> Decimal:
    """What the entry adds to what customers owe."""
    sides = [side for side in entry.postings if side.account == "Assets:Receivable"]
    return sum((side.debit - side.credit for side in sides), Decimal(0))


def outcomes(events: list[Event]) -> dict[str, str]:
    """Where every job stands after `events`, in the words of the stories."""
    ended = {e.job_id: "not-billable" for e in events if isinstance(e, JobCompleted)}
    invoiced = {event.job_id for event in events if isinstance(event, InvoiceIssued)}
    priced = [event for event in events if isinstance(event, JobPriced)]
    for price in sorted(priced, key=lambda price: price.pricing_no):
        path = price.path.lower().replace("_", "-")
        held = price.path in BILLABLE_PATHS and price.job_id not in invoiced
        ended[price.job_id] = "tax-hold" if held else path
    return ended
