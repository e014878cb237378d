"""Collections: a reminder is due."""

from datetime import date
from decimal import Decimal

from shared.events.base import Amount, Code, Currency, Event, Id, Positive, Text, Time


class ReminderDue(Event):
    """An invoice is overdue and a stage of the dunning policy has come.

    `stage` 1 friendly, 2 firm, 3 escalation; `open_amount` as known when decided, of which
    `disputed_amount` is contested and not asked for.
    """

    legal_entity_id: Id
    invoice_id: Id
    invoice_number: Code
    customer_id: Id
    contact_id: Id
    stage: Positive
    tone: Code
    due_on: date
    days_overdue: int
    decided_at: Time
    currency: Currency
    gross_total: Amount
    open_amount: Amount
    payment_url: Text | None = None
    payment_reference: Code
    disputed_amount: Amount = Decimal(0)
