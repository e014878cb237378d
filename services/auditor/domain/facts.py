"""What the topics say, as small values: only what the checks look at is kept of a record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from shared.events.accounting import EntryPosted, InvoicePosted
from shared.events.base import Event
from shared.events.billing import (
    CreditNoteIssued,
    DocumentRendered,
    InvoiceIssued,
    JobPriced,
    ReviewRequested,
)
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.payments import PaymentApplied
from shared.events.production import JobCompleted, MetricsExtracted, QualityDecided
from shared.topology import BY_EVENT, TOPICS

Fields = Mapping[str, Any]


class JobKey(NamedTuple):
    """A job."""

    legal_entity_id: str
    job_id: str

    def __str__(self) -> str:
        return f"job {self.legal_entity_id}/{self.job_id}"


class InvoiceKey(NamedTuple):
    """An invoice, or another document by its own id."""

    legal_entity_id: str
    invoice_id: str

    def __str__(self) -> str:
        return f"invoice {self.legal_entity_id}/{self.invoice_id}"


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of a topic. `problem` says why it is no event; then there are no `fields`.

    `digest` is equal for equal bytes, `at_ms` when the broker took it. `mended_by`: services that
    applied other bytes in its place; what the first of them applied is what it says here.
    """

    topic: str
    partition: int
    offset: int
    at_ms: int
    message_id: UUID | None
    digest: bytes
    fields: Fields
    problem: str | None = None
    mended_by: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return self.topic, self.partition, self.offset

    @property
    def identity(self) -> UUID:
        """The message id of a record that is an event."""
        if self.message_id is None:
            msg = f"{self.place} is no event: {self.problem}"
            raise ValueError(msg)
        return self.message_id


@dataclass(frozen=True, slots=True)
class Completed:
    """One revision of a completed job, and the records that said it (duplicates, conflicts)."""

    revision: int
    quality: str
    at_ms: int
    message_id: UUID
    place: tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Extracted:
    """Metrics of one revision of a job."""

    revision: int
    at_ms: int
    message_id: UUID


@dataclass(frozen=True, slots=True)
class Price:
    """One price of a job; `lines` is equal for equal lines."""

    revision: int
    pricing_no: int
    path: str
    currency: str
    net_total: Decimal
    lines: int
    at_ms: int
    message_id: UUID
    reasons: tuple[str, ...]

    @property
    def order(self) -> tuple[int, int]:
        """What holds: the highest revision, of that the highest pricing."""
        return self.revision, self.pricing_no


class Tax(NamedTuple):
    """Tax of one category and rate."""

    category: str
    rate: Decimal
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice (UNCL1001 380) or credit note (381) as it was issued.

    `invoice_id` is the invoice's own, or that which the credit note takes back; `lines` is equal
    for equal lines.
    """

    legal_entity_id: str
    document_id: str
    invoice_id: str
    document_type: str
    number: str
    series: str
    fiscal_year: int
    sequence: int
    issued_on: date
    currency: str
    net_total: Decimal
    tax_total: Decimal
    gross_total: Decimal
    taxes: tuple[Tax, ...]
    lines: int
    customer_id: str
    at_ms: int
    message_id: UUID
    due_on: date | None = None
    net_days: int = 0
    job_id: str = ""
    revision: int = 0
    pricing_no: int = 0
    path: str = ""
    reference: str = ""
    payment_url: str | None = None
    seller_locale: str = ""
    buyer_locale: str = ""
    live: bool = True

    @property
    def key(self) -> InvoiceKey:
        """The document itself."""
        return InvoiceKey(self.legal_entity_id, self.document_id)

    @property
    def job(self) -> JobKey:
        """The job it bills."""
        return JobKey(self.legal_entity_id, self.job_id)

    @property
    def totals(self) -> tuple[str, Decimal, Decimal, Decimal]:
        """Currency, net, tax and gross."""
        return self.currency, self.net_total, self.tax_total, self.gross_total

    def __str__(self) -> str:
        kind = "invoice" if self.document_type == INVOICE else "credit note"
        return f"{kind} {self.number} ({self.legal_entity_id})"


INVOICE: Final = "380"


def document(seen: Seen, *, is_invoice: bool) -> Document:
    """What an issued invoice or credit note says."""
    said = seen.fields
    common = {
        "legal_entity_id": said["legal_entity_id"],
        "invoice_id": said["invoice_id"],
        "document_type": said["document_type"],
        "series": said["series"],
        "fiscal_year": said["fiscal_year"],
        "sequence": said["sequence"],
        "issued_on": said["issued_on"],
        "currency": said["currency"],
        "net_total": said["net_total"],
        "tax_total": said["tax_total"],
        "gross_total": said["gross_total"],
        "taxes": tuple(Tax(**tax) for tax in said["taxes"]),
        "lines": line_print(said["lines"]),
        "customer_id": said["buyer"]["customer_id"],
        "at_ms": seen.at_ms,
        "message_id": seen.identity,
    }
    if not is_invoice:
        number, identity = said["credit_note_number"], said["credit_note_id"]
        return Document(**common, number=number, document_id=identity)
    return Document(
        **common,
        document_id=said["invoice_id"],
        number=said["invoice_number"],
        due_on=said["due_on"],
        net_days=said["payment_terms"]["net_days"],
        job_id=said["job_id"],
        revision=said["revision"],
        pricing_no=said["pricing_no"],
        path=said["path"],
        reference=said["payment_reference"],
        payment_url=said["payment_url"],
        seller_locale=said["seller"]["locale"],
        buyer_locale=said["buyer"]["locale"],
        live=said["live"],
    )


def price(seen: Seen) -> Price:
    """What a priced job says."""
    said = seen.fields
    return Price(
        revision=said["revision"],
        pricing_no=said["pricing_no"],
        path=said["path"],
        currency=said["currency"],
        net_total=said["net_total"],
        lines=line_print(said["lines"]),
        at_ms=seen.at_ms,
        message_id=seen.identity,
        reasons=tuple(dict.fromkeys(reason["code"] for reason in said["reasons"])),
    )


def line_print(lines: list[Fields]) -> int:
    """Equal for lines that are equal in what they charge for."""
    return hash(tuple((line["line_no"], *(line[name] for name in _FIGURES)) for line in lines))


_FIGURES: Final = ("kind", "code", "quantity", "unit", "unit_price", "per", "net", "product_class")
_LINE: Final = dict.fromkeys(("line_no", *_FIGURES))
_TAXES: Final = dict.fromkeys(("category", "rate", "net", "tax"))
_DOCUMENT: Final = {
    **dict.fromkeys("invoice_id document_type series fiscal_year sequence issued_on".split()),
    **dict.fromkeys("currency net_total tax_total gross_total".split()),
    "lines": {**_LINE, "tax_category": None, "tax_rate": None},
    "taxes": _TAXES,
}
_BY_EVENT: Final[Mapping[type[Event], Fields]] = {
    JobCompleted: {"quality": None},
    QualityDecided: dict.fromkeys(("job_id", "revision", "quality")),
    MetricsExtracted: {},
    JobPriced: {
        **dict.fromkeys(("path", "currency", "net_total")),
        "reasons": {"code": None},
        "lines": _LINE,
    },
    ReviewRequested: {"previous_net_total": None},
    InvoiceIssued: {
        **_DOCUMENT,
        **dict.fromkeys("invoice_number due_on job_id revision pricing_no path live".split()),
        **dict.fromkeys("payment_reference payment_url".split()),
        "payment_terms": {"net_days": None},
        "seller": {"locale": None},
        "buyer": {"customer_id": None, "locale": None},
    },
    CreditNoteIssued: {
        **_DOCUMENT,
        "credit_note_number": None,
        "buyer": {"customer_id": None},
    },
    DocumentRendered: dict.fromkeys("invoice_number sha256 size_bytes media_type".split()),
    DocumentDelivered: dict.fromkeys("invoice_id document_kind stage channel attempts".split()),
    DocumentFailed: dict.fromkeys("invoice_id document_kind stage code".split()),
    PaymentApplied: dict.fromkeys(("currency", "amount")),
    ReminderDue: dict.fromkeys(
        "days_overdue due_on decided_at open_amount disputed_amount".split()
    ),
    InvoicePosted: {
        **dict.fromkeys("invoice_id document_type document_number entry_id currency".split()),
        **dict.fromkeys("net_total tax_total gross_total".split()),
        "taxes": _TAXES,
    },
    EntryPosted: {
        **dict.fromkeys("sequence kind source_id posted_at posted_on currency".split()),
        **dict.fromkeys("description previous_hash hash".split()),
        "postings": None,
    },
}


def wanted() -> Mapping[str, Fields]:
    """Of every topic on the map, the fields that the checks look at, identity included."""
    return {topic.name: {**_identity(topic.name), **_BY_EVENT.get(topic.event, {})}
            for topic in TOPICS}  # fmt: skip


def _identity(name: str) -> dict[str, None]:
    """The fields that make an event unique, and those that its record key is made of."""
    topic = next(topic for topic in TOPICS if topic.name == name)
    keyed = [part.partition("}")[0] for part in topic.key.split("{")[1:]]
    return dict.fromkeys((*topic.business_key, *keyed))


def topic_of(event: type[Event]) -> str:
    """The name of the topic that carries `event`."""
    return BY_EVENT[event].name
