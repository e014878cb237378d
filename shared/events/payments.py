"""Money in: what arrived, and which invoice it settled."""

from datetime import date

from shared.events.base import Amount, Code, Currency, Event, Id, Positive, Text, Time


class PaymentReceived(Event):
    """Money that arrived on one of the entity's accounts."""

    legal_entity_id: Id
    payment_id: Id
    received_at: Time
    value_date: date
    account: Code
    currency: Currency
    amount: Amount
    payer_name: Text | None = None
    reference: Text | None = None


class PaymentApplied(Event):
    """`amount` of a payment settles an invoice; a reversal is a further, negative one.

    `open_amount` is what the invoice still owes after it, by the matcher's books.
    """

    legal_entity_id: Id
    payment_id: Id
    invoice_id: Id
    application_no: Positive
    applied_at: Time
    applied_on: date
    currency: Currency
    amount: Amount
    open_amount: Amount
