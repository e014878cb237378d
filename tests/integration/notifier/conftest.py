"""The notifier on a database of its own, with a mail sink as its relay."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from services.notifier.main import SERVICE
from shared.clock import FixedClock
from shared.documents import DocumentStore
from shared.events.base import Event
from shared.events.billing import DocumentRendered, InvoiceIssued
from shared.events.collections import ReminderDue
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.masterdata import Channel, Contact, Customer, PaymentTerms
from shared.events.payments import PaymentApplied
from shared.local.mailsink import MailSink, Step
from shared.settings import Settings
from shared.testing import ServiceHarness, service_harness
from tests.emptied import emptied
from tests.invoices import BUYER, ISSUED

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 117  # 30 KB, as an invoice has


@dataclass
class Postmaster:
    """What the sink answers; a test tells it whom to refuse."""

    refusals: dict[tuple[Step, str], str] = field(default_factory=dict)

    def answer(self, step: Step, address: str, content: bytes) -> str | None:
        del content
        return self.refusals.get((step, address))


@pytest.fixture
def postmaster() -> Postmaster:
    return Postmaster()


@pytest.fixture
def sink(tmp_path: Path, postmaster: Postmaster) -> Iterator[MailSink]:
    with MailSink(tmp_path / "mails", answer=postmaster.answer) as running:
        yield running


@pytest.fixture(scope="session")
def migrated(settings: Settings) -> Iterator[ServiceHarness]:
    """One database for all tests of this folder."""
    with service_harness(SERVICE, settings, FixedClock(NOW)) as made:
        yield made


@pytest.fixture
def harness(migrated: ServiceHarness, sink: MailSink, tmp_path: Path) -> ServiceHarness:
    """The notifier with nothing in its tables, `sink` as its relay, and folders of its own."""
    relay = {"smtp_host": sink.host, "smtp_port": sink.port, "data_dir": tmp_path}
    migrated.settings = migrated.settings.model_copy(update=relay)
    return emptied(migrated)


@pytest.fixture
def mails(sink: MailSink) -> Callable[[], list[EmailMessage]]:
    """The mails in the sink, parsed."""

    def read() -> list[EmailMessage]:
        files = sorted(sink.directory.glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=default) for file in files]

    return read


def contact(**changes: object) -> Contact:
    made = Contact(
        contact_id="P-1001",
        revision=1,
        customer_id="C-1001",
        recorded_at=NOW,
        name="Marlene Voss",
        email="marlene@nordlicht.example",
    )
    return made.model_copy(update=changes)


def customer(**changes: object) -> Customer:
    made = Customer(
        customer_id="C-1001",
        version=1,
        valid_from=date(2020, 1, 1),
        recorded_at=NOW,
        name="Verlag Nordlicht GmbH",
        address=BUYER.address,
        locale="de_DE",
        preferred_channel=Channel.EMAIL,
        contact_id="P-1001",
        payment_terms=PaymentTerms(net_days=14),
    )
    return made.model_copy(update=changes)


def rendered(
    harness: ServiceHarness, of: InvoiceIssued = ISSUED, content: bytes = PDF, **changes: object
) -> DocumentRendered:
    """The document of an invoice, put into the store."""
    made = DocumentRendered(
        legal_entity_id=of.legal_entity_id,
        invoice_id=of.invoice_id,
        invoice_number=of.invoice_number,
        document_kind="invoice",
        sha256=DocumentStore(harness.settings.documents_dir).put(content),
        media_type="application/pdf",
        size_bytes=len(content),
        language="de",
        rendered_at=NOW,
    )
    return made.model_copy(update=changes)


def reminder(stage: int = 1, tone: str = "friendly", of: InvoiceIssued = ISSUED) -> ReminderDue:
    return ReminderDue(
        legal_entity_id=of.legal_entity_id,
        invoice_id=of.invoice_id,
        invoice_number=of.invoice_number,
        customer_id=of.buyer.customer_id,
        contact_id=of.buyer.contact_id,
        stage=stage,
        tone=tone,
        due_on=of.due_on,
        days_overdue=1,
        decided_at=NOW,
        currency=of.currency,
        gross_total=of.gross_total,
        open_amount=of.gross_total,
        payment_reference=of.payment_reference,
    )


def paid(amount: str, of: InvoiceIssued = ISSUED) -> PaymentApplied:
    return PaymentApplied(
        legal_entity_id=of.legal_entity_id,
        payment_id="B-77",
        invoice_id=of.invoice_id,
        application_no=1,
        applied_at=NOW,
        applied_on=date(2026, 3, 10),
        currency=of.currency,
        amount=Decimal(amount),
        open_amount=Decimal(0),
    )


def disputed(amount: str) -> DisputeOpened:
    return DisputeOpened(
        legal_entity_id="DE01",
        dispute_id="D-1",
        invoice_id=ISSUED.invoice_id,
        opened_at=NOW,
        currency="EUR",
        amount=Decimal(amount),
        reason="wrong paper",
    )


def resolved(outcome: str) -> DisputeResolved:
    return DisputeResolved(
        legal_entity_id="DE01",
        dispute_id="D-1",
        invoice_id=ISSUED.invoice_id,
        resolved_at=NOW,
        outcome=outcome,
    )


def states(harness: ServiceHarness) -> list[tuple[object, ...]]:
    rows = harness.query("SELECT document_kind, stage, state, code FROM delivery ORDER BY 1, 2")
    return [tuple(row) for row in rows]


def plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def known(*more: Event) -> tuple[Event, ...]:
    """The people and the invoice, then `more`."""
    return contact(), customer(), ISSUED, *more
