"""What each event means for chasing an invoice, and what the clock brings."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.dunning_scheduler.domain import (
    POLICY,
    Stage,
    check_place,
    next_at,
    take_turn,
)
from services.dunning_scheduler.store import (
    DunningStore,
    InvoiceRow,
    MovementRow,
    ReminderRow,
    is_reminder,
)
from shared import balance
from shared.balance import DISPUTE, Movement, same_currency
from shared.errors import WaitFor
from shared.events.base import Event
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.payments import PaymentApplied
from shared.ids import record_key
from shared.metrics import REMINDERS
from shared.runtime.claimed import one_by_one

PORTION: Final = 500
SERVICE_NAME: Final = "dunning_scheduler"
NOTHING: Final[tuple[Event, ...]] = ()


def on_invoice_issued(event: InvoiceIssued, store: DunningStore, now: datetime) -> Iterable[Event]:
    """Chase it from its due date on, unless it is from before the entity went live."""
    if store.invoices.get(event.legal_entity_id, event.invoice_id) is None:
        row = _row_of(event)
        check_place(row.place)
        _look_again(store, row, now)
    return NOTHING


def on_payment_applied(
    event: PaymentApplied, store: DunningStore, now: datetime
) -> Iterable[Event]:
    """Less is open, or more again when money is taken back."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    same_currency(event, invoice.currency)
    return _move(store, invoice, balance.payment(event), now)


def on_credit_note_issued(
    event: CreditNoteIssued, store: DunningStore, now: datetime
) -> Iterable[Event]:
    """Less is open."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    same_currency(event, invoice.currency)
    return _move(store, invoice, balance.credit_note(event), now)


def on_dispute_opened(event: DisputeOpened, store: DunningStore, now: datetime) -> Iterable[Event]:
    """The disputed part is frozen; where nothing else is open, the whole chase pauses."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    same_currency(event, invoice.currency)
    return _move(store, invoice, balance.dispute(event), now)


def on_dispute_resolved(
    event: DisputeResolved, store: DunningStore, now: datetime
) -> Iterable[Event]:
    """The disputed part thaws, unless the customer was found right."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    opened = store.movements.get(event.legal_entity_id, DISPUTE, event.dispute_id)
    if opened is None:
        raise WaitFor("dispute", record_key(event.legal_entity_id, event.dispute_id))
    return _move(store, invoice, balance.resolution(event, opened.disputed), now)


def on_document_delivered(
    event: DocumentDelivered, store: DunningStore, now: datetime
) -> Iterable[Event]:
    """The customer has the invoice, or a reminder: nothing said later takes that back."""
    return _report(event, "delivered", store, now)


def on_document_failed(
    event: DocumentFailed, store: DunningStore, now: datetime
) -> Iterable[Event]:
    """Nobody is reminded of an invoice that never reached them."""
    return _report(event, "failed", store, now)


def remind(store: DunningStore, now: datetime) -> Iterable[Event]:
    """The tick: take the invoices whose time has come, and remind once of each."""
    due = store.claim_due(now, PORTION)
    return one_by_one(SERVICE_NAME, store, due, lambda invoice: _chase(invoice, store, now))


def _chase(invoice: InvoiceRow, store: DunningStore, now: datetime) -> Iterable[Event]:
    turn = take_turn(invoice.chase, now, invoice.place, POLICY)
    store.invoices.put(invoice.chased(turn.chase, turn.next_at))
    for stage in turn.skipped:
        store.reminders.put(_reminder(invoice, stage, now, skipped=True))
    if turn.reminder is None:
        return NOTHING
    store.reminders.put(_reminder(invoice, turn.reminder, now, skipped=False))
    event = _reminder_due(invoice, turn.reminder, now)
    REMINDERS.labels(SERVICE_NAME, str(turn.reminder.number)).inc()
    return (event,)


def _invoice(store: DunningStore, legal_entity_id: str, invoice_id: str) -> InvoiceRow:
    found = store.invoices.get(legal_entity_id, invoice_id)
    if found is None:
        raise WaitFor("invoice", record_key(legal_entity_id, invoice_id))
    return found


def _move(
    store: DunningStore, invoice: InvoiceRow, movement: Movement, now: datetime
) -> Iterable[Event]:
    """Count `movement` once, and pause or go on with the chase as the balance asks."""
    if store.movements.get(invoice.legal_entity_id, movement.kind, movement.reference) is None:
        store.movements.put(
            MovementRow(
                legal_entity_id=invoice.legal_entity_id,
                kind=movement.kind,
                reference=movement.reference,
                invoice_id=invoice.invoice_id,
                paid=movement.sums.paid,
                credited=movement.sums.credited,
                disputed=movement.sums.disputed,
                conceded=movement.sums.conceded,
                recorded_at=now,
            )
        )
        _look_again(store, invoice.moved(movement), now)
    return NOTHING


def _look_again(store: DunningStore, invoice: InvoiceRow, now: datetime) -> None:
    """Put `invoice` with its chase paused or going on, and the time of its next action."""
    today = invoice.place.local(now).date()
    chase = invoice.chase.resumed(today) if invoice.chaseable else invoice.chase.paused(today)
    store.invoices.put(invoice.chased(chase, next_at(chase, invoice.place, POLICY)))


def _report(
    event: DocumentDelivered | DocumentFailed, outcome: str, store: DunningStore, now: datetime
) -> Iterable[Event]:
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    if not is_reminder(event):
        if invoice.delivery != "delivered":
            _look_again(store, replace(invoice, delivery=outcome), now)
        return NOTHING
    reminder = store.reminders.get(event.legal_entity_id, event.invoice_id, int(event.stage))
    if reminder is not None and reminder.outcome != "delivered":
        store.reminders.put(replace(reminder, outcome=outcome, outcome_at=now))
    return NOTHING


def _row_of(event: InvoiceIssued) -> InvoiceRow:
    return InvoiceRow(
        legal_entity_id=event.legal_entity_id,
        invoice_id=event.invoice_id,
        invoice_number=event.invoice_number,
        customer_id=event.buyer.customer_id,
        contact_id=event.buyer.contact_id,
        currency=event.currency,
        gross_total=event.gross_total,
        payment_url=event.payment_url,
        payment_reference=event.payment_reference,
        live=event.live,
        time_zone=event.time_zone,
        calendar_country=event.calendar_country,
        calendar_subdivision=event.calendar_subdivision,
        due_on=event.due_on,
    )


def _reminder(invoice: InvoiceRow, stage: Stage, now: datetime, *, skipped: bool) -> ReminderRow:
    return ReminderRow(
        legal_entity_id=invoice.legal_entity_id,
        invoice_id=invoice.invoice_id,
        stage=stage.number,
        tone=stage.tone,
        skipped=skipped,
        decided_at=now,
        open_amount=invoice.open_amount,
        disputed_amount=invoice.open_amount - invoice.demandable,
    )


def _reminder_due(invoice: InvoiceRow, stage: Stage, now: datetime) -> ReminderDue:
    return ReminderDue(
        legal_entity_id=invoice.legal_entity_id,
        invoice_id=invoice.invoice_id,
        invoice_number=invoice.invoice_number,
        customer_id=invoice.customer_id,
        contact_id=invoice.contact_id,
        stage=stage.number,
        tone=stage.tone,
        due_on=invoice.due_on,
        days_overdue=(invoice.place.local(now).date() - invoice.due_on).days,
        decided_at=now,
        currency=invoice.currency,
        gross_total=invoice.gross_total,
        open_amount=invoice.open_amount,
        disputed_amount=invoice.open_amount - invoice.demandable,
        payment_url=invoice.payment_url,
        payment_reference=invoice.payment_reference,
    )
