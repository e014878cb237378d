"""What a mail has to say about an invoice, and in which language."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from shared.events.base import Amount, Code, Country, Currency, Id, Text, Value
from shared.events.billing import InvoiceIssued, Seller
from shared.events.masterdata import PaymentTerms

LANGUAGES: Final = ("en", "de")
DEFAULT_LOCALE: Final = "en_GB"


class InvoiceFacts(Value):
    """The part of an issued invoice that its mails repeat; nothing of it changes after issue."""

    invoice_number: Code
    description: Text
    order_ref: Id | None = None
    issued_on: date
    due_on: date
    currency: Currency
    gross_total: Amount
    payment_terms: PaymentTerms
    payment_reference: Code
    payment_url: Text | None = None
    time_zone: Code
    calendar_country: Country
    calendar_subdivision: Code | None = None
    buyer_name: Text
    seller: Seller


@dataclass(frozen=True)
class Demand:
    """What a reminder asks for, as known at the moment of sending."""

    tone: str
    days_overdue: int
    open_amount: Decimal
    disputed_amount: Decimal


def facts_of(event: InvoiceIssued) -> InvoiceFacts:
    """What mails will need of an issued invoice."""
    return InvoiceFacts(
        invoice_number=event.invoice_number,
        description=event.description,
        order_ref=event.order_ref,
        issued_on=event.issued_on,
        due_on=event.due_on,
        currency=event.currency,
        gross_total=event.gross_total,
        payment_terms=event.payment_terms,
        payment_reference=event.payment_reference,
        payment_url=event.payment_url,
        time_zone=event.time_zone,
        calendar_country=event.calendar_country,
        calendar_subdivision=event.calendar_subdivision,
        buyer_name=event.buyer.name,
        seller=event.seller,
    )


def locale_of(*wishes: str | None) -> str:
    """The first wish in a language that we write, as `de_AT`; British English where there is none.

    Whoever asks for a language that we do not write gets figures as English writes them too: one
    mail, one convention.
    """
    for wish in wishes:
        language, _, rest = (wish or "").replace("-", "_").partition("_")
        if language.lower() in LANGUAGES:
            return f"{language.lower()}_{rest.upper()}" if rest else language.lower()
    return DEFAULT_LOCALE
