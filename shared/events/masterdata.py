"""Master data: dated, immutable versions of who trades with whom, on which terms.

`valid_from` and `valid_to` (inclusive) are dates in the legal entity's zone.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import unquote

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
from shared.events.production import Component, PhaseStatus


class Address(Value):
    """A postal address; it stands on documents as it stands here."""

    lines: tuple[Text, ...]
    postal_code: Text
    city: Text
    region: Code | None = None
    country: Country


class BankAccount(Value):
    """Where customers pay to: IBAN (ISO 13616) or a national account number."""

    account: Code
    bic: Code | None = None
    bank_name: Text | None = None
    currency: Currency


class PaymentTerms(Value):
    """Net days from the issue date; an early-payment discount where both its fields stand."""

    net_days: int
    discount_percent: Rate | None = None
    discount_days: int | None = None


class LegalEntity(Event):
    """A company that issues invoices, and how its documents and calendar are.

    `live_from`: facts before it build state but cause no number, mail or reminder.
    `logo` is the sha256 of an image in the document store.
    """

    legal_entity_id: Id
    version: Positive
    valid_from: date
    valid_to: date | None = None
    recorded_at: Time
    name: Text
    address: Address
    vat_id: Code | None = None
    tax_number: Code | None = None
    registration: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    website: Text | None = None
    currency: Currency
    time_zone: Code
    calendar_country: Country
    calendar_subdivision: Code | None = None
    locale: Code
    invoice_series: Code
    fiscal_year_start_month: int = 1
    bank_accounts: tuple[BankAccount, ...]
    payment_base_url: Text | None = None
    late_payment_text: Text | None = None
    logo: Code | None = None
    accent_colour: Code | None = None
    live_from: date | None = None


class Channel(OpenEnum):
    """How a customer wants documents."""

    UNKNOWN = "UNKNOWN"
    EMAIL = "EMAIL"
    FILE_DROP = "FILE_DROP"


class Customer(Event):
    """A customer of the installation, shared by its legal entities."""

    customer_id: Id
    version: Positive
    valid_from: date
    valid_to: date | None = None
    recorded_at: Time
    name: Text
    address: Address
    is_business: bool = True
    vat_id: Code | None = None
    tax_exemption_ref: Id | None = None
    tax_exemption_until: date | None = None
    category: Code | None = None
    locale: Code
    preferred_channel: Channel
    contact_id: Id
    payment_terms: PaymentTerms
    dunning_hold: bool = False


ERASED: Final = 2**62
"""The revision of an erased contact: no later record brings the person back."""


class Contact(Event):
    """A person or mailbox at a customer: the one mutable master datum; null erases it."""

    contact_id: Id
    revision: Positive
    customer_id: Id
    recorded_at: Time
    name: Text
    email: Text | None = None
    locale: Code | None = None

    @classmethod
    def erased(cls, key: str) -> "Contact":
        """What a tombstone under `key` says: a last revision with nothing in it."""
        return cls(
            contact_id=unquote(key),
            revision=ERASED,
            customer_id="erased",
            recorded_at=datetime.fromtimestamp(0, UTC),
            name="",
        )


class Basis(OpenEnum):
    """What a price is built on."""

    UNKNOWN = "UNKNOWN"
    FIXED_QUOTE = "FIXED_QUOTE"
    RATE_CARD = "RATE_CARD"


class Threshold(Value):
    """A variance within `absolute` (money) or within `percent` of the estimate is inside.

    No `component` means the total.
    """

    component: Component | None = None
    absolute: Amount
    percent: Rate


class Agreement(Event):
    """The terms between a legal entity and a customer.

    `discount_percent` is taken off the lines of the basis; `minimum_charge` lifts the total once;
    `actuals_cap_percent` lets actuals be billed up to that excess over the estimate;
    `needs_estimate` sends a job without estimate to review.
    """

    legal_entity_id: Id
    agreement_id: Id
    version: Positive
    customer_id: Id
    valid_from: date
    valid_to: date | None = None
    recorded_at: Time
    currency: Currency
    basis: Basis
    rate_card_id: Id
    discount_percent: Rate = Decimal(0)
    minimum_charge: Amount | None = None
    thresholds: tuple[Threshold, ...] = ()
    actuals_cap_percent: Rate | None = None
    needs_estimate: bool = True
    payment_terms: PaymentTerms | None = None
    show_estimate: bool = True


class RateLine(Value):
    """The price or cost of `per` units of one code; machine time also by phase status."""

    component: Component
    code: Code
    description: Text
    status: PhaseStatus = PhaseStatus.UNKNOWN
    unit: Code
    rate: Rate
    per: Quantity = Decimal(1)


class RateCard(Event):
    """Selling rates."""

    legal_entity_id: Id
    rate_card_id: Id
    version: Positive
    valid_from: date
    valid_to: date | None = None
    recorded_at: Time
    currency: Currency
    lines: tuple[RateLine, ...]


class CostRate(Event):
    """What things cost the shop itself."""

    legal_entity_id: Id
    cost_rate_id: Id
    version: Positive
    valid_from: date
    valid_to: date | None = None
    recorded_at: Time
    currency: Currency
    lines: tuple[RateLine, ...]


class BuyerKind(OpenEnum):
    """Where and what the buyer is, seen from the seller: what a tax rule turns on."""

    UNKNOWN = "UNKNOWN"
    DOMESTIC = "DOMESTIC"
    EU_BUSINESS = "EU_BUSINESS"
    EU_CONSUMER = "EU_CONSUMER"
    EXPORT = "EXPORT"
    EXEMPT = "EXEMPT"


class TaxRule(Event):
    """Tax on one class of products sold by one country to one kind of buyer.

    `category` is UNCL5305 (S Z E AE K G O), `rate` percent, `exemption_code` a VATEX code.
    `product_class` "*" holds where no rule names the class.
    """

    tax_rule_id: Id
    version: Positive
    valid_from: date
    valid_to: date | None = None
    recorded_at: Time
    seller_country: Country
    seller_region: Code | None = None
    product_class: Code
    buyer_kind: BuyerKind
    category: Code
    rate: Rate
    exemption_code: Code | None = None
    exemption_text: Text | None = None


class ApprovalPolicy(Event):
    """From which amount on a kind of subject needs approval, by whom, within how many hours."""

    legal_entity_id: Id
    policy_id: Id
    version: Positive
    valid_from: date
    valid_to: date | None = None
    recorded_at: Time
    subject_kind: Code
    base: Code
    currency: Currency
    above: Amount
    role: Code
    deadline_hours: int
