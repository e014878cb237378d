"""Documents and payments against the ledger: each posted once, with its own figures."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from services.auditor.domain.arithmetic import plain
from services.auditor.domain.books import Books, Moved
from services.auditor.domain.facts import INVOICE, Document, InvoiceKey, Tax, topic_of
from services.auditor.domain.findings import Finding
from services.auditor.domain.held import NOWHERE, Applied
from shared.events.accounting import InvoicePosted
from shared.events.base import Event
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.payments import PaymentApplied

LEDGER: Final = "ledger_writer"


class Posted(NamedTuple):
    """A document in the ledger's table, or as accounting was told of it."""

    document_type: str
    number: str
    entry_id: str
    currency: str
    net_total: Decimal
    tax_total: Decimal
    gross_total: Decimal


class Told(NamedTuple):
    """What accounting was told: the document, its taxes, and when."""

    posted: Posted
    taxes: tuple[Tax, ...]
    at_ms: int


class Payment(NamedTuple):
    """One application of a payment to an invoice, as the topic says it; negative: a reversal."""

    currency: str
    amount: Decimal
    message_id: UUID
    at_ms: int


class Application(NamedTuple):
    """Which application: payment, invoice and its number."""

    legal_entity_id: str
    payment_id: str
    invoice_id: str
    application_no: int

    def __str__(self) -> str:
        return f"payment {self.payment_id} on {self.invoice_id} ({self.legal_entity_id})"


class Settled(NamedTuple):
    """What has been paid and credited on an invoice, and when the last of it was written."""

    paid: Decimal
    credited: Decimal
    newest_ms: int = 0

    def plus(self, paid: Decimal, credited: Decimal, at_ms: int) -> "Settled":
        """This and another movement."""
        newest_ms = max(self.newest_ms, at_ms)
        return Settled(self.paid + paid, self.credited + credited, newest_ms)


ZERO: Final = Decimal(0)
NOTHING: Final = Settled(ZERO, ZERO)


class OpenItem(NamedTuple):
    """An invoice in the sub-ledger."""

    currency: str
    gross_total: Decimal
    credited: Decimal
    paid: Decimal
    open_amount: Decimal


def documents_are_posted_once(
    issued: Mapping[InvoiceKey, Document],
    posted: Mapping[InvoiceKey, Posted],
    books: Books,
    applied: Applied,
) -> Iterator[Finding]:
    """Every invoice and credit note stands in the books once, with its own totals."""
    for key in sorted({*issued, *posted}):
        if key not in issued:
            yield Finding(f"posted {key}", "an issued document", "none", "ledger_writer tables")
            continue
        document = issued[key]
        look = f"ledger_writer.posted_document where document_id = '{document.document_id}'"
        row = posted.get(key)
        if row is None:
            if not _is_held(applied, document):
                yield Finding(str(document), "posted", "not", look, cause_ms=document.at_ms)
        elif (row.document_type, row.number, *row[3:]) != _figures(document):
            found = _words(row.currency, row.net_total, row.tax_total, row.gross_total)
            yield Finding(str(document), _words(*document.totals), found, look)
        else:
            yield from _entries_of(document, row, books)


def accounting_is_told_once(
    issued: Mapping[InvoiceKey, Document],
    posted: Mapping[InvoiceKey, Posted],
    told: Mapping[InvoiceKey, Told],
    outbox_ms: int | None = None,
) -> Iterator[Finding]:
    """Accounting was told of every posted document, with its totals and taxes as issued."""
    look = topic_of(InvoicePosted)
    for key in sorted({*posted, *told}):
        if key not in told:
            subject = f"posted {key}"
            yield Finding(subject, "a record on the topic", "none", look, cause_ms=outbox_ms)
        elif key not in posted:
            cause = told[key].at_ms
            yield Finding(f"posted {key}", "a row", "none", f"{LEDGER} tables", cause_ms=cause)
        elif posted[key] != told[key].posted:
            yield Finding(f"posted {key}", str(posted[key]), str(told[key].posted), look)
        elif key in issued and sorted(issued[key].taxes) != sorted(told[key].taxes):
            expected, found = map(str, (issued[key].taxes, told[key].taxes))
            yield Finding(f"{issued[key]}, taxes", expected, found, look)


def payments_are_posted_once(
    payments: Mapping[Application, Payment],
    applications: Mapping[Application, tuple[str, Decimal, str]],
    books: Books,
    applied: Applied,
) -> Iterator[Finding]:
    """Every application of a payment is posted once, with its amount, or held.

    `applications`: currency, amount and entry id by the ledger's table.
    """
    entries = {entry[0]: entry for found in books.by_source.values() for entry in found}
    for which in sorted({*payments, *applications}):
        look = f"ledger_writer.application where payment_id = '{which.payment_id}'"
        said, row = payments.get(which), applications.get(which)
        if said is None:
            yield Finding(str(which), "a record on the topic", "none", topic_of(PaymentApplied))
        elif row is None:
            topic = topic_of(PaymentApplied)
            if not applied.held_instead(LEDGER, topic, said.message_id, NOWHERE):
                yield Finding(str(which), "posted", "not", look, cause_ms=said.at_ms)
        elif row[:2] != said[:2]:
            expected = f"{said.currency} {plain(said.amount)}"
            yield Finding(str(which), expected, f"{row[0]} {plain(row[1])}", look)
        else:
            entry = entries.get(row[2])
            moved = None if entry is None else (entry[1], entry[2].bank, entry[2].receivable)
            if moved != (said.currency, said.amount, -said.amount):
                expected = f"bank {plain(said.amount)}, receivable {plain(-said.amount)}"
                yield Finding(str(which), expected, str(moved), look)


def every_entry_has_a_cause(
    books: Books,
    posted: Mapping[InvoiceKey, Posted],
    applications: Mapping[Application, tuple[str, Decimal, str]],
) -> Iterator[Finding]:
    """No entry stands in the journal but for a document or a payment, one each."""
    caused: defaultdict[str, int] = defaultdict(int)
    for entry_id in (
        *(p.entry_id for p in posted.values()),
        *(a[2] for a in applications.values()),
    ):
        caused[entry_id] += 1
    for (entity, kind, source), entries in books.by_source.items():
        for entry_id, _, _ in entries:
            if caused[entry_id] != 1:
                subject = f"entry {entry_id} ({entity}, {kind} {source})"
                found = f"{caused[entry_id]} of them"
                yield Finding(subject, "one document or payment", found, f"{LEDGER}.journal_entry")


def open_items_follow_from_events(
    issued: Mapping[InvoiceKey, Document],
    payments: Mapping[Application, Payment],
    items: Mapping[InvoiceKey, OpenItem],
    applied: Applied,
) -> Iterator[Finding]:
    """What an invoice still owes is its gross less credit notes and payments, from the topics."""
    settled = settlements(LEDGER, issued, payments, applied)
    invoices = {
        key: document
        for key, document in issued.items()
        if document.document_type == INVOICE and not _is_held(applied, document)
    }
    for key, invoice in invoices.items():
        paid, credited, newest_ms = settled[key]
        left = invoice.gross_total - credited - paid
        expected = OpenItem(invoice.currency, invoice.gross_total, credited, paid, left)
        if items.get(key) != expected:
            found = str(items[key]) if key in items else "none"
            cause = max(newest_ms, invoice.at_ms)
            look = f"ledger_writer.receivable where invoice_id = '{key.invoice_id}'"
            yield Finding(f"open item of {invoice}", str(expected), found, look, cause_ms=cause)
    for key in sorted(set(items) - set(invoices)):
        yield Finding(f"open item of {key}", "an invoice", "none", "ledger_writer.receivable")


def settlements(
    service: str,
    issued: Mapping[InvoiceKey, Document],
    payments: Mapping[Application, Payment],
    applied: Applied,
) -> defaultdict[InvoiceKey, Settled]:
    """What is paid and credited on each invoice by the topics, less what `service` holds."""
    found: defaultdict[InvoiceKey, Settled] = defaultdict(lambda: NOTHING)
    topic = topic_of(PaymentApplied)
    for which, payment in payments.items():
        if not applied.held_instead(service, topic, payment.message_id, NOWHERE):
            key = InvoiceKey(which.legal_entity_id, which.invoice_id)
            found[key] = found[key].plus(payment.amount, ZERO, payment.at_ms)
    for note in issued.values():
        if note.document_type != INVOICE and not _is_held(applied, note, service):
            key = InvoiceKey(note.legal_entity_id, note.invoice_id)
            found[key] = found[key].plus(ZERO, note.gross_total, note.at_ms)
    return found


def sums_of(items: Mapping[InvoiceKey, OpenItem]) -> Mapping[tuple[str, str], Decimal]:
    """What is open, by legal entity and currency."""
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for key, item in items.items():
        found[key.legal_entity_id, item.currency] += item.open_amount
    return found


def event_of(document: Document) -> type[Event]:
    """The event that issued it."""
    return InvoiceIssued if document.document_type == INVOICE else CreditNoteIssued


def _entries_of(document: Document, row: Posted, books: Books) -> Iterator[Finding]:
    """The one entry of a document moves what the document says, one way or the other."""
    kind, sign = ("invoice", 1) if document.document_type == INVOICE else ("credit-note", -1)
    found = books.by_source.get((document.legal_entity_id, kind, document.document_id), [])
    look = f"ledger_writer.journal_entry where source_id = '{document.document_id}'"
    if [entry_id for entry_id, _, _ in found] != [row.entry_id]:
        yield Finding(str(document), f"one entry, {row.entry_id}", str([e[0] for e in found]), look)
        return
    _, currency, moved = found[0]
    net, tax, gross = document.net_total, document.tax_total, document.gross_total
    expected = Moved(sign * gross, Decimal(0), -sign * net, -sign * tax)
    if (currency, moved) != (document.currency, expected):
        words = f"{currency} {moved}"
        yield Finding(f"entry of {document}", f"{document.currency} {expected}", words, look)


def _is_held(applied: Applied, document: Document, service: str = LEDGER) -> bool:
    topic, message_id = topic_of(event_of(document)), document.message_id
    return bool(applied.held_instead(service, topic, message_id, NOWHERE))


def _figures(document: Document) -> tuple[object, ...]:
    return (document.document_type, document.number, *document.totals)


def _words(currency: str, net: Decimal, tax: Decimal, gross: Decimal) -> str:
    return f"{currency} {plain(net)} + {plain(tax)} = {plain(gross)}"
