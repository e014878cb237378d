"""The dunning scheduler on a database of its own, with a clock that the test sets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.dunning_scheduler.main import SERVICE
from shared.events.base import Event
from shared.events.billing import InvoiceIssued
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.masterdata import Channel
from shared.events.payments import PaymentApplied
from shared.settings import Settings
from shared.testing import ServiceHarness, service_harness
from tests.emptied import emptied
from tests.invoices import ISSUED

DAY = timedelta(days=1)
DUE_AT_NINE = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday, 9:00 in Berlin


@dataclass
class MovableClock:
    """A business clock that the test sets."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(ISSUED.issued_at)


@pytest.fixture(scope="session")
def migrated(settings: Settings) -> Iterator[ServiceHarness]:
    """One database for all tests of this folder."""
    with service_harness(SERVICE, settings) as made:
        yield made


@pytest.fixture
def harness(migrated: ServiceHarness, clock: MovableClock) -> ServiceHarness:
    """The dunning scheduler with nothing in its tables."""
    migrated.clock = clock
    return emptied(migrated)


def paid(amount: str, number: int = 1, of: InvoiceIssued = ISSUED) -> PaymentApplied:
    return PaymentApplied(
        legal_entity_id=of.legal_entity_id,
        payment_id="B-77",
        invoice_id=of.invoice_id,
        application_no=number,
        applied_at=DUE_AT_NINE,
        applied_on=date(2026, 3, 2),
        currency=of.currency,
        amount=Decimal(amount),
        open_amount=Decimal(0),
    )


def disputed(amount: str) -> DisputeOpened:
    return DisputeOpened(
        legal_entity_id="DE01",
        dispute_id="D-1",
        invoice_id=ISSUED.invoice_id,
        opened_at=DUE_AT_NINE,
        currency="EUR",
        amount=Decimal(amount),
        reason="wrong paper",
    )


def resolved(outcome: str) -> DisputeResolved:
    return DisputeResolved(
        legal_entity_id="DE01",
        dispute_id="D-1",
        invoice_id=ISSUED.invoice_id,
        resolved_at=DUE_AT_NINE,
        outcome=outcome,
    )


def delivered(stage: str = "0", kind: str = "invoice") -> DocumentDelivered:
    return DocumentDelivered(
        legal_entity_id="DE01",
        invoice_id=ISSUED.invoice_id,
        document_kind=kind,
        stage=stage,
        channel=Channel.EMAIL,
        contact_id="P-1001",
        message_id="m",
        delivered_at=DUE_AT_NINE,
        attempts=8,
    )


def failed(stage: str = "0", kind: str = "invoice") -> DocumentFailed:
    return DocumentFailed(
        legal_entity_id="DE01",
        invoice_id=ISSUED.invoice_id,
        document_kind=kind,
        stage=stage,
        channel=Channel.EMAIL,
        contact_id="P-1001",
        message_id="m",
        failed_at=DUE_AT_NINE,
        attempts=7,
        code="recipient-refused",
        reason="550 no such user",
    )


def remind(harness: ServiceHarness, clock: MovableClock, days: int) -> list[Event]:
    """What the tick emits at nine, `days` after the due date."""
    clock.at = DUE_AT_NINE + days * DAY
    return harness.tick("remind")


def stages(events: list[Event]) -> list[int]:
    return [event.stage for event in events if isinstance(event, ReminderDue)]
