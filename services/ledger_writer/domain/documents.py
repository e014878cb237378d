"""Which facts stand in the books, each once: documents, and payments applied to invoices."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.ledger_writer.domain import entries
from shared.errors import Rejected
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.payments import PaymentApplied


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or credit note that stands in the books, and the entry that posted it."""

    legal_entity_id: str
    document_id: str
    document_type: str
    document_number: str
    invoice_id: str
    job_id: str | None
    entry_id: str
    issued_on: date
    currency: str
    net_total: Decimal
    tax_total: Decimal
    gross_total: Decimal


@dataclass(frozen=True, slots=True)
class Application:
    """A payment applied to an invoice, or (negative) taken back from it, and its entry."""

    legal_entity_id: str
    payment_id: str
    invoice_id: str
    application_no: int
    entry_id: str
    applied_on: date
    currency: str
    amount: Decimal


def of_invoice(event: InvoiceIssued) -> Document:
    """The document that `event` issues."""
    return Document(
        legal_entity_id=event.legal_entity_id,
        document_id=event.invoice_id,
        document_type=event.document_type,
        document_number=event.invoice_number,
        invoice_id=event.invoice_id,
        job_id=event.job_id,
        entry_id=entries.invoice_entry_id(event),
        issued_on=event.issued_on,
        currency=event.currency,
        net_total=event.net_total,
        tax_total=event.tax_total,
        gross_total=event.gross_total,
    )


def of_credit_note(event: CreditNoteIssued) -> Document:
    """The document that `event` issues; its figures are positive."""
    return Document(
        legal_entity_id=event.legal_entity_id,
        document_id=event.credit_note_id,
        document_type=event.document_type,
        document_number=event.credit_note_number,
        invoice_id=event.invoice_id,
        job_id=None,
        entry_id=entries.credit_note_entry_id(event),
        issued_on=event.issued_on,
        currency=event.currency,
        net_total=event.net_total,
        tax_total=event.tax_total,
        gross_total=event.gross_total,
    )


def application(event: PaymentApplied) -> Application:
    """The application that `event` makes."""
    return Application(
        legal_entity_id=event.legal_entity_id,
        payment_id=event.payment_id,
        invoice_id=event.invoice_id,
        application_no=event.application_no,
        entry_id=entries.payment_entry_id(event),
        applied_on=event.applied_on,
        currency=event.currency,
        amount=event.amount,
    )


def stands(posted: Document | Application | None, received: Document | Application) -> bool:
    """Whether `received` was posted before; raises `Rejected` where that was otherwise."""
    if posted is not None and posted != received:
        raise Rejected(
            "posted-otherwise",
            "this stands in the books with other content; correct it by a further document",
            posted=posted,
            received=received,
        )
    return posted is not None


def check_number(owner_id: str, document: Document) -> None:
    """Raise `Rejected` unless the document that has this number is `document` itself."""
    if owner_id != document.document_id:
        raise Rejected(
            "number-posted-before",
            "another document stands in the books under this number; its issuer must look",
            document_number=document.document_number,
            document_id=document.document_id,
            posted_document_id=owner_id,
        )
