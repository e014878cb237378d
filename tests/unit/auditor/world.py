"""A small, sound world: one job from the shop floor to a mail, a payment and a reminder.

Every figure in the tables is derived from the events, so that a test breaks exactly one thing.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import UUID

from stdnum import iso11649

from services.auditor.domain.audit import Files, Tables, audit
from services.auditor.domain.books import Books, Entry, Side, entry_from
from services.auditor.domain.deliveries import Delivery, DocumentKey, Mails, Stored
from services.auditor.domain.evidence import Evidence
from services.auditor.domain.facts import InvoiceKey, JobKey, Seen, Tax, wanted
from services.auditor.domain.findings import Checked, Severity
from services.auditor.domain.held import Applied, Held
from services.auditor.domain.jobs import Extraction
from services.auditor.domain.jobs import Tables as JobTables
from services.auditor.domain.numbers import Series
from services.auditor.domain.postings import Application, OpenItem, Posted, Settled
from services.auditor.gateway.avro import Decoder
from services.ledger_writer.domain import chain, entries, told
from shared.codec.codec import Codec
from shared.events.accounting import EntryPosted
from shared.events.base import Event
from shared.events.billing import (
    DocumentRendered,
    InvoiceIssued,
    JobPriced,
    PricedLine,
)
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered
from shared.events.masterdata import Basis, Channel
from shared.events.payments import PaymentApplied
from shared.events.production import EndStatus, JobCompleted, MetricsExtracted, Quality
from shared.identity import message_id, topic_of
from shared.topology import BY_EVENT, consumers
from tests.invoices import numbered

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
PDF = b"%PDF: R-2026-000001"
SHA = sha256(PDF).hexdigest()
COMPLETED_AT = datetime(2026, 2, 13, 15, tzinfo=UTC)


@cache
def decoder() -> Decoder:
    """The auditor's decoder."""
    return Decoder(wanted(), None)


@cache
def reference(number: str) -> str:
    """The payment reference of an invoice number, by the standard library for such numbers."""
    body = number.replace("-", "")
    digits = next(f"{n:02d}" for n in range(98) if iso11649.is_valid(f"RF{n:02d}{body}"))
    return f"RF{digits}{body}"


def issued(number: int = 1, **changes: Any) -> InvoiceIssued:  # noqa: ANN401 - any field
    """Invoice `number` of its series, sound in itself, of job J-`number`."""
    made = numbered(number, payment_reference=reference(f"R-2026-{number:06d}"))
    return made.model_copy(update=changes)


def completed(invoice: InvoiceIssued, **changes: Any) -> JobCompleted:  # noqa: ANN401 -- plain values by name
    """The completed job of an invoice."""
    job = JobCompleted(
        legal_entity_id=invoice.legal_entity_id,
        job_id=invoice.job_id,
        revision=invoice.revision,
        customer_id="C-1001",
        description="Programmheft",
        completed_at=COMPLETED_AT,
        end_status=EndStatus.COMPLETED,
        quality=Quality.PASSED,
    )
    return job.model_copy(update=changes)


def extracted(job: JobCompleted) -> MetricsExtracted:
    """The metrics of a completed job."""
    return MetricsExtracted(
        legal_entity_id=job.legal_entity_id,
        job_id=job.job_id,
        revision=job.revision,
        customer_id="C-1001",
        description=job.description,
        completed_at=job.completed_at,
        completed_on=date(2026, 2, 13),
        currency="EUR",
        items=(),
        metrics=(),
    )


def priced(invoice: InvoiceIssued, **changes: Any) -> JobPriced:  # noqa: ANN401 -- plain values by name
    """The price that an invoice rests on."""
    lines = tuple(
        PricedLine(**line.model_dump(exclude={"tax_category", "tax_rate"}))
        for line in invoice.lines
    )
    price = JobPriced(
        legal_entity_id=invoice.legal_entity_id,
        job_id=invoice.job_id,
        revision=invoice.revision,
        pricing_no=invoice.pricing_no,
        customer_id="C-1001",
        description="Programmheft",
        completed_at=COMPLETED_AT,
        completed_on=date(2026, 2, 13),
        path=invoice.path,
        rule_version="1",
        currency=invoice.currency,
        basis=Basis.RATE_CARD,
        lines=lines,
        net_total=invoice.net_total,
    )
    return price.model_copy(update=changes)


def rendered(invoice: InvoiceIssued) -> DocumentRendered:
    """The document of an invoice."""
    return DocumentRendered(
        legal_entity_id=invoice.legal_entity_id,
        invoice_id=invoice.invoice_id,
        invoice_number=invoice.invoice_number,
        document_kind="invoice",
        sha256=SHA,
        media_type="application/pdf",
        size_bytes=len(PDF),
        language="de",
        rendered_at=NOW,
    )


def delivered(invoice: InvoiceIssued) -> DocumentDelivered:
    """The delivery of an invoice."""
    return DocumentDelivered(
        legal_entity_id=invoice.legal_entity_id,
        invoice_id=invoice.invoice_id,
        document_kind="invoice",
        stage="0",
        channel=Channel.EMAIL,
        contact_id="P-1001",
        message_id=f"mail-{invoice.invoice_id}",
        delivered_at=NOW,
        attempts=1,
    )


def payment(invoice: InvoiceIssued, amount: str = "200.00", number: int = 1) -> PaymentApplied:
    """A payment applied to an invoice."""
    return PaymentApplied(
        legal_entity_id=invoice.legal_entity_id,
        payment_id="PAY-1",
        invoice_id=invoice.invoice_id,
        application_no=number,
        applied_at=NOW,
        applied_on=NOW.date(),
        currency=invoice.currency,
        amount=Decimal(amount),
        open_amount=invoice.gross_total - Decimal(amount),
    )


def reminder(invoice: InvoiceIssued, stage: int = 1, **changes: Any) -> ReminderDue:  # noqa: ANN401 -- plain values by name
    """A reminder of an invoice."""
    due = ReminderDue(
        legal_entity_id=invoice.legal_entity_id,
        invoice_id=invoice.invoice_id,
        invoice_number=invoice.invoice_number,
        customer_id="C-1001",
        contact_id="P-1001",
        stage=stage,
        tone="friendly",
        due_on=invoice.due_on,
        days_overdue=stage,
        decided_at=datetime(2026, 3, 3, 8, tzinfo=UTC) + timedelta(days=stage),
        currency=invoice.currency,
        gross_total=invoice.gross_total,
        open_amount=invoice.gross_total,
        payment_reference=invoice.payment_reference,
    )
    return due.model_copy(update=changes)


@dataclass
class World:
    """Events on the topics, and what the tables and files say; change any of it, then `audit`."""

    events: list[Event] = field(default_factory=list)
    journal: list[Entry] = field(default_factory=list)
    tables: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    unapplied: set[tuple[str, UUID]] = field(default_factory=set)
    raw: list[Seen] = field(default_factory=list)
    applied: set[tuple[str, str, UUID]] = field(default_factory=set)

    def replace(self, old: type[Event], new: Event | None, place: int = 0) -> None:
        """Put `new` in the place of the event of the class `old`, or nothing."""
        at = [n for n, event in enumerate(self.events) if isinstance(event, old)][place]
        self.events[at : at + 1] = [] if new is None else [new]

    def first(self, kind: type[Any]) -> Any:  # noqa: ANN401 - an event of that kind
        """The first event of a kind."""
        return next(event for event in self.events if isinstance(event, kind))

    def audit(self) -> list[Checked]:
        """Every rule, held against this world."""
        applied = Applied(self._inbox(), self.held)
        evidence = Evidence(applied)
        for one in (*records(self.events), *self.raw):
            evidence.take(one)
        journal = Books()
        for entry in self.journal:
            journal.take(entry)
        jobs = JobTables(**self.jobs)
        tables = Tables(applied=applied, jobs=jobs, journal=journal, corrected={}, **self.tables)
        return list(audit(evidence, tables, Files(**{"corrected": {}, **self.files})))

    def broken(self) -> dict[str, str]:
        """The rules that do not hold, and their first finding's subject."""
        return {
            one.rule: one.findings[0].subject
            for one in self.audit()
            if any(finding.severity is Severity.ERROR for finding in one.findings)
        }

    def _inbox(self) -> dict[tuple[str, str], frozenset[UUID]]:
        found: defaultdict[tuple[str, str], set[UUID]] = defaultdict(set)
        built = {service.name for service in consumers()}
        for event in self.events:
            topic, identity = topic_of(event), message_id(topic_of(event), event)
            for reader in built.intersection(topic.consumers):
                if (reader, identity) not in self.unapplied:
                    found[reader, topic.name].add(identity)
        for reader, name, identity in self.applied:
            found[reader, name].add(identity)
        return {place: frozenset(ids) for place, ids in found.items()}


def records(events: list[Event]) -> list[Seen]:
    """`events` as the topics hand them out, encoded by the codec and decoded by the auditor."""
    codec = Codec()
    found = []
    for offset, event in enumerate(events):
        topic = topic_of(event)
        value = codec.encode(event)
        found.append(
            Seen(
                topic=topic.name,
                partition=0,
                offset=offset,
                at_ms=NOW_MS,
                message_id=message_id(topic, event),
                digest=sha256(value).digest(),
                fields=decoder().decode(topic.name, value),
            )
        )
    return found


def entry_of(event: EntryPosted) -> Entry:
    """The journal's row of an entry."""
    said = event.model_dump()
    sides = [{**Side(**side)._asdict()} for side in said["postings"]]
    return entry_from({**said, "postings": sides})


def sound() -> World:
    """One invoice, delivered, reminded, partly paid, and all of it in the books."""
    invoice, money = issued(), payment(issued())
    job = completed(invoice)
    head = chain.first_head("DE01")
    first = chain.post(entries.draft_invoice(invoice), head, NOW)
    second = chain.post(entries.draft_payment(money), chain.head_after(first), NOW)
    posted = told.invoice_posted(invoice, first)
    key = InvoiceKey("DE01", invoice.invoice_id)
    document = DocumentKey(*key, "invoice")
    mail = delivered(invoice).message_id
    totals = ("EUR", invoice.net_total, invoice.tax_total, invoice.gross_total)
    last = chain.head_after(second)
    paid = Settled(money.amount, Decimal(0))
    applied = Application("DE01", "PAY-1", invoice.invoice_id, 1)
    return World(
        events=[
            job,
            extracted(job),
            priced(invoice),
            invoice,
            rendered(invoice),
            delivered(invoice),
            reminder(invoice),
            money,
            first,
            second,
            posted,
        ],
        journal=[entry_of(first), entry_of(second)],
        jobs={
            "accepted": frozenset({("DE01", "J-1", 1)}),
            "extractions": {JobKey("DE01", "J-1"): Extraction(1, "extracted", None)},
            "billing_states": {JobKey("DE01", "J-1"): "invoiced"},
        },
        tables={
            "invoices": {
                key: ("R-2026-000001", "J-1", 1, 1, invoice.issued_on, invoice.due_on, *totals)
            },
            "line_sums": {key: invoice.net_total},
            "taxes": {key: [Tax("S", Decimal(19), invoice.net_total, invoice.tax_total)]},
            "series": {Series("DE01", "R", 2026): 1},
            "documents": {document: SHA},
            "heads": {"DE01": (last.sequence, last.hash)},
            "posted": {key: Posted("380", "R-2026-000001", first.entry_id, *totals)},
            "open_items": {key: _open_item(invoice, money)},
            "applications": {applied: ("EUR", money.amount, second.entry_id)},
            "deliveries": {(*document, 0): Delivery(*document, 0, mail, "EMAIL", "delivered", 0)},
            "reminders": {(key, 1): False},
            "balances": {"notifier": {key: paid}, "dunning_scheduler": {key: paid}},
            "outbox_ms": {},
            "quarantined": {},
        },
        files={
            "stored": {SHA: Stored(SHA, len(PDF))},
            "texts": {key: TEXT},
            "copies": {mail: Mails(1, NOW_MS)},
            "contents": {},
        },
    )


def _open_item(invoice: InvoiceIssued, money: PaymentApplied) -> OpenItem:
    left = invoice.gross_total - money.amount
    return OpenItem("EUR", invoice.gross_total, Decimal(0), money.amount, left)


TEXT = """Rechnung R-2026-000001  Nettosumme 1.027,80
USt. 19\u00a0% auf 1.027,80 195,28 Gesamtbetrag EUR\u00a01.223,08
Bitte zahlen Sie EUR 1.223,08 bis zum 2. März 2026.
Verwendungszweck """ + "\u00a0".join(
    reference("R-2026-000001")[at : at + 4] for at in range(0, 15, 4)
)


def held_of(event: Event, service: str, state: str, reason: str) -> Held:
    """What `service` holds of `event`."""
    topic = topic_of(event)
    return Held(service, topic.name, 0, 99, state, reason, message_id(topic, event), None, 1.0)


def unreadable(kind: type[Event], offset: int = 50) -> Seen:
    """Bytes that are no event, on the topic of `kind`."""
    return Seen(BY_EVENT[kind].name, 0, offset, NOW_MS, None, b"", {}, "no event")


def again(event: Event, content: bytes = b"", offset: int = 70) -> Seen:
    """`event` sent once more; with other bytes where `content` says so."""
    (first,) = records([event])
    digest = content or first.digest
    return Seen(first.topic, 0, offset, NOW_MS, first.message_id, digest, first.fields)
