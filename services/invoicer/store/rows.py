"""The rows of the invoicer's tables, and how events become rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from shared.events.billing import InvoiceIssued, JobPriced
from shared.events.masterdata import Customer, LegalEntity, TaxRule

INVOICE_DOCUMENT: Final = "invoice"
PENDING: Final = "pending"
RENDERING: Final = "rendering"
RENDERED: Final = "rendered"
FAILED: Final = "failed"


@dataclass(frozen=True)
class LegalEntityRow:
    """A version of a legal entity."""

    legal_entity_id: str
    version: int
    country: str
    content: LegalEntity


@dataclass(frozen=True)
class CustomerRow:
    """A version of a customer."""

    customer_id: str
    version: int
    content: Customer


@dataclass(frozen=True)
class TaxRuleRow:
    """A version of a tax rule."""

    tax_rule_id: str
    version: int
    seller_country: str
    content: TaxRule


@dataclass(frozen=True)
class PublishedRow:
    """The offset in a partition before which every published number was known."""

    topic: str
    partition: int
    read_up_to: int


@dataclass(frozen=True)
class InvoiceRow:
    """An issued invoice: its figures, and the event that said it."""

    legal_entity_id: str
    invoice_id: str
    invoice_number: str
    series: str
    fiscal_year: int
    sequence: int
    job_id: str
    revision: int
    pricing_no: int
    customer_id: str
    issued_at: datetime
    issued_on: date
    due_on: date
    currency: str
    net_total: Decimal
    tax_total: Decimal
    gross_total: Decimal
    payment_reference: str
    content: InvoiceIssued


@dataclass(frozen=True)
class LineRow:
    """A line of an issued invoice."""

    legal_entity_id: str
    invoice_id: str
    line_no: int
    kind: str
    code: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    per: Decimal
    net: Decimal
    tax_category: str
    tax_rate: Decimal
    product_class: str
    change_order_ref: str | None


@dataclass(frozen=True)
class TaxRow:
    """Tax of an issued invoice, by category and rate."""

    legal_entity_id: str
    invoice_id: str
    category: str
    rate: Decimal
    net: Decimal
    tax: Decimal
    exemption_code: str | None


@dataclass(frozen=True)
class DocumentRow:
    """A document: to be rendered, being rendered until `not_before`, rendered, or given up."""

    legal_entity_id: str
    invoice_id: str
    document_kind: str
    state: str
    requested_at: datetime
    not_before: datetime
    attempts: int = 0
    last_error: str | None = None
    sha256: str | None = None
    media_type: str | None = None
    size_bytes: int | None = None
    language: str | None = None
    missing_characters: str | None = None
    rendered_at: datetime | None = None


@dataclass(frozen=True)
class JobRow:
    """The newest price of a job and what became of it; `priced` is kept only on tax hold."""

    legal_entity_id: str
    job_id: str
    revision: int
    pricing_no: int
    path: str
    state: str
    state_since: datetime
    customer_id: str
    currency: str
    net_total: Decimal
    tried_at: datetime
    invoice_id: str | None = None
    hold_reasons: str | None = None
    recheck: bool = False
    priced: JobPriced | None = None


def job_row(priced: JobPriced, state: str, now: datetime) -> JobRow:
    """The row of a job that has reached `state` with this price."""
    return JobRow(
        legal_entity_id=priced.legal_entity_id,
        job_id=priced.job_id,
        revision=priced.revision,
        pricing_no=priced.pricing_no,
        path=priced.path,
        state=state,
        state_since=now,
        customer_id=priced.customer_id,
        currency=priced.currency,
        net_total=priced.net_total,
        tried_at=now,
    )


def invoice_row(issued: InvoiceIssued) -> InvoiceRow:
    """The row of an issued invoice."""
    return InvoiceRow(
        legal_entity_id=issued.legal_entity_id,
        invoice_id=issued.invoice_id,
        invoice_number=issued.invoice_number,
        series=issued.series,
        fiscal_year=issued.fiscal_year,
        sequence=issued.sequence,
        job_id=issued.job_id,
        revision=issued.revision,
        pricing_no=issued.pricing_no,
        customer_id=issued.buyer.customer_id,
        issued_at=issued.issued_at,
        issued_on=issued.issued_on,
        due_on=issued.due_on,
        currency=issued.currency,
        net_total=issued.net_total,
        tax_total=issued.tax_total,
        gross_total=issued.gross_total,
        payment_reference=issued.payment_reference,
        content=issued,
    )


def line_rows(issued: InvoiceIssued) -> Iterator[LineRow]:
    """The rows of its lines."""
    for line in issued.lines:
        yield LineRow(
            legal_entity_id=issued.legal_entity_id,
            invoice_id=issued.invoice_id,
            line_no=line.line_no,
            kind=line.kind,
            code=line.code,
            quantity=line.quantity,
            unit=line.unit,
            unit_price=line.unit_price,
            per=line.per,
            net=line.net,
            tax_category=line.tax_category,
            tax_rate=line.tax_rate,
            product_class=line.product_class,
            change_order_ref=line.change_order_ref,
        )


def tax_rows(issued: InvoiceIssued) -> Iterator[TaxRow]:
    """The rows of its taxes."""
    for tax in issued.taxes:
        yield TaxRow(
            legal_entity_id=issued.legal_entity_id,
            invoice_id=issued.invoice_id,
            category=tax.category,
            rate=tax.rate,
            net=tax.net,
            tax=tax.tax,
            exemption_code=tax.exemption_code,
        )
