"""What the books say: posted documents and journal entries."""

from datetime import date
from decimal import Decimal

from shared.events.base import Amount, Code, Currency, Event, Id, Positive, Rate, Text, Time, Value


class Posting(Value):
    """One side of a journal entry: a debit or a credit, never both."""

    account: Code
    account_name: Text
    debit: Amount = Decimal(0)
    credit: Amount = Decimal(0)
    text: Text | None = None


class PostedTax(Value):
    """Tax posted, by category and rate."""

    category: Code
    rate: Rate
    net: Amount
    tax: Amount


class InvoicePosted(Event):
    """An invoice (document type 380) or credit note (381) stands in the books."""

    legal_entity_id: Id
    invoice_id: Id
    document_type: Code
    document_id: Id
    document_number: Code
    entry_id: Id
    posted_at: Time
    posted_on: date
    issued_on: date
    due_on: date | None = None
    customer_id: Id
    customer_name: Text
    customer_vat_id: Code | None = None
    job_id: Id | None = None
    completed_at: Time | None = None
    currency: Currency
    net_total: Amount
    tax_total: Amount
    gross_total: Amount
    taxes: tuple[PostedTax, ...]
    payment_reference: Code | None = None


class EntryPosted(Event):
    """A balanced journal entry; `hash` is over this entry and `previous_hash`, SHA-256, hex."""

    legal_entity_id: Id
    entry_id: Id
    sequence: Positive
    kind: Code
    source_id: Id
    posted_at: Time
    posted_on: date
    currency: Currency
    description: Text
    postings: tuple[Posting, ...]
    previous_hash: Code
    hash: Code
