"""Disputes: a customer contests an invoice, or part of it."""

from shared.events.base import Amount, Code, Currency, Event, Id, Text, Time


class DisputeOpened(Event):
    """The disputed part is frozen: no reminder asks for it."""

    legal_entity_id: Id
    dispute_id: Id
    invoice_id: Id
    opened_at: Time
    currency: Currency
    amount: Amount
    reason: Text


class DisputeResolved(Event):
    """The dispute has ended; `outcome` is upheld, rejected or settled."""

    legal_entity_id: Id
    dispute_id: Id
    invoice_id: Id
    resolved_at: Time
    outcome: Code
    note: Text | None = None
