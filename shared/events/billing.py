"""Price, review, invoice: the events between the shop floor and the books."""

from datetime import date
from decimal import Decimal

from shared.events.base import (
    Amount,
    Code,
    Country,
    Currency,
    Event,
    Id,
    OpenEnum,
    Positive,
    Quantity,
    Rate,
    Text,
    Time,
    Value,
)
from shared.events.masterdata import Address, BankAccount, Basis, BuyerKind, PaymentTerms
from shared.events.production import Component


class Path(OpenEnum):
    """The billing path of a priced job; the first three and APPROVED are billable."""

    UNKNOWN = "UNKNOWN"
    STRAIGHT_THROUGH = "STRAIGHT_THROUGH"
    ACTUAL_WITHIN_CAP = "ACTUAL_WITHIN_CAP"
    APPROVED = "APPROVED"
    REVIEW = "REVIEW"
    HOLD = "HOLD"
    REJECTED = "REJECTED"


BILLABLE_PATHS = frozenset({Path.STRAIGHT_THROUGH, Path.ACTUAL_WITHIN_CAP, Path.APPROVED})


class Reason(Value):
    """Why a path was chosen: a stable kebab-case code and the sentence a person reads."""

    code: Code
    component: Component | None = None
    text: Text


class LineKind(OpenEnum):
    """What an invoice line stands for; the sections of the document follow it."""

    UNKNOWN = "UNKNOWN"
    PRODUCT = "PRODUCT"
    MATERIAL = "MATERIAL"
    MACHINE = "MACHINE"
    FINISHING = "FINISHING"
    SERVICE = "SERVICE"
    ALTERATION = "ALTERATION"
    DISCOUNT = "DISCOUNT"
    MINIMUM_CHARGE = "MINIMUM_CHARGE"


class PricedLine(Value):
    """`net` = `quantity` / `per` x `unit_price`, rounded half up; nobody rounds it again."""

    line_no: Positive
    kind: LineKind
    code: Code
    description: Text
    quantity: Quantity
    unit: Code
    unit_price: Rate
    per: Quantity = Decimal(1)
    net: Amount
    product_class: Code
    ship_to_country: Country | None = None
    ship_to_region: Code | None = None
    change_order_ref: Id | None = None


class Variance(Value):
    """Actual against estimate, net; no `component` is the total, no `percent` an estimate of 0."""

    component: Component | None = None
    estimated: Amount
    actual: Amount
    difference: Amount
    percent: Rate | None = None
    within: bool


class JobPriced(Event):
    """A price and the path it takes. The highest `pricing_no` of the highest revision holds."""

    legal_entity_id: Id
    job_id: Id
    revision: Positive
    pricing_no: Positive
    customer_id: Id
    order_ref: Id | None = None
    description: Text
    completed_at: Time
    completed_on: date
    path: Path
    reasons: tuple[Reason, ...] = ()
    rule_version: Code
    currency: Currency
    basis: Basis
    agreement_id: Id | None = None
    agreement_version: Positive | None = None
    rate_card_id: Id | None = None
    rate_card_version: Positive | None = None
    estimate_id: Id | None = None
    lines: tuple[PricedLine, ...] = ()
    variances: tuple[Variance, ...] = ()
    net_total: Amount = Decimal(0)
    payment_terms: PaymentTerms | None = None
    show_estimate: bool = False


class ReviewRequested(Event):
    """Somebody must decide about version `subject_version` of a subject."""

    legal_entity_id: Id
    subject_kind: Code
    subject_id: Id
    subject_version: Positive
    requested_at: Time
    requested_by: Code
    reasons: tuple[Reason, ...]
    currency: Currency
    net_total: Amount
    previous_net_total: Amount | None = None


class ReviewDecided(Event):
    """What was decided about the version that was seen."""

    legal_entity_id: Id
    subject_kind: Code
    subject_id: Id
    subject_version: Positive
    decision_id: Id
    decided_at: Time
    decided_by: Id
    approved: bool
    note: Text | None = None


class Seller(Value):
    """The seller as the law wants it on the document, frozen at issue."""

    legal_entity_id: Id
    version: Positive
    name: Text
    address: Address
    vat_id: Code | None = None
    tax_number: Code | None = None
    registration: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    website: Text | None = None
    bank_accounts: tuple[BankAccount, ...]
    locale: Code
    late_payment_text: Text | None = None
    logo: Code | None = None
    accent_colour: Code | None = None


class Buyer(Value):
    """The buyer as the law wants it on the document, frozen at issue."""

    customer_id: Id
    version: Positive
    name: Text
    address: Address
    vat_id: Code | None = None
    contact_id: Id
    locale: Code


class TaxSubtotal(Value):
    """Tax of one category and rate on the sum of its rounded line nets."""

    category: Code
    rate: Rate
    net: Amount
    tax: Amount
    exemption_code: Code | None = None
    exemption_text: Text | None = None


class InvoiceLine(Value):
    """A priced line with its tax category; `net` is the pricer's, unchanged."""

    line_no: Positive
    kind: LineKind
    code: Code
    description: Text
    quantity: Quantity
    unit: Code
    unit_price: Rate
    per: Quantity = Decimal(1)
    net: Amount
    tax_category: Code
    tax_rate: Rate
    product_class: Code
    change_order_ref: Id | None = None


class InvoiceIssued(Event):
    """A numbered invoice with all its figures; nothing issued is ever edited.

    `due_on` and `issued_on` are dates in the seller's zone; `live` is false for facts before the
    entity's `live_from`, which nobody mails or chases. `document_type` is UNCL1001 380.
    """

    legal_entity_id: Id
    invoice_id: Id
    invoice_number: Code
    series: Code
    fiscal_year: int
    sequence: Positive
    document_type: Code
    issued_at: Time
    issued_on: date
    due_on: date
    job_id: Id
    revision: Positive
    pricing_no: Positive
    path: Path
    order_ref: Id | None = None
    description: Text
    completed_at: Time
    completed_on: date
    currency: Currency
    buyer_kind: BuyerKind
    seller: Seller
    buyer: Buyer
    lines: tuple[InvoiceLine, ...]
    taxes: tuple[TaxSubtotal, ...]
    net_total: Amount
    tax_total: Amount
    gross_total: Amount
    payment_terms: PaymentTerms
    payment_reference: Code
    payment_url: Text | None = None
    variances: tuple[Variance, ...] = ()
    time_zone: Code
    calendar_country: Country
    calendar_subdivision: Code | None = None
    live: bool = True


class CreditNoteIssued(Event):
    """A document (UNCL1001 381) that takes back lines of an issued invoice; figures positive."""

    legal_entity_id: Id
    credit_note_id: Id
    credit_note_number: Code
    series: Code
    fiscal_year: int
    sequence: Positive
    document_type: Code
    issued_at: Time
    issued_on: date
    invoice_id: Id
    invoice_number: Code
    reason: Text
    currency: Currency
    seller: Seller
    buyer: Buyer
    lines: tuple[InvoiceLine, ...]
    taxes: tuple[TaxSubtotal, ...]
    net_total: Amount
    tax_total: Amount
    gross_total: Amount


class DocumentRendered(Event):
    """A document is in the store under its sha256."""

    legal_entity_id: Id
    invoice_id: Id
    invoice_number: Code
    document_kind: Code
    sha256: Code
    media_type: Code
    size_bytes: int
    language: Code
    rendered_at: Time
