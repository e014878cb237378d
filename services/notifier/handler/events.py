"""One function per event: who is who, what an invoice owes, and which delivery is asked for."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.notifier.domain.delivery import channel_of, delivery_id
from services.notifier.domain.letter import facts_of
from services.notifier.store import (
    Asking,
    ContactRow,
    CustomerRow,
    DeliveryRow,
    InvoiceRow,
    MovementRow,
    NotifierStore,
    asked_key,
)
from shared import balance
from shared.balance import DISPUTE, Movement, same_currency
from shared.clock import local_date
from shared.errors import WaitFor
from shared.events.base import Event
from shared.events.billing import CreditNoteIssued, DocumentRendered, InvoiceIssued
from shared.events.collections import ReminderDue
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.masterdata import Channel, Contact, Customer
from shared.events.payments import PaymentApplied
from shared.ids import record_key

NOTHING: Final[tuple[Event, ...]] = ()


def on_contact(event: Contact, store: NotifierStore, now: datetime) -> Iterable[Event]:
    """The newest revision holds; an erased contact is never filled again."""
    del now
    known = store.contacts.get(event.contact_id)
    if known is None or known.revision < event.revision:
        row = ContactRow(event.contact_id, event.revision, event.name, event.email, event.locale)
        store.put_contact(row)
    return NOTHING


def on_customer(event: Customer, store: NotifierStore, now: datetime) -> Iterable[Event]:
    """One more version of how this customer wants to be told."""
    del now
    if not store.knows_version(event.customer_id, event.version):
        store.put_customer(
            CustomerRow(
                customer_id=event.customer_id,
                version=event.version,
                valid_from=event.valid_from,
                valid_to=event.valid_to,
                contact_id=event.contact_id,
                locale=event.locale,
                preferred_channel=event.preferred_channel.value,
                dunning_hold=event.dunning_hold,
            )
        )
    return NOTHING


def on_invoice_issued(event: InvoiceIssued, store: NotifierStore, now: datetime) -> Iterable[Event]:
    """Remember what mails will say; nothing is sent before the document is there."""
    del now
    if store.invoices.get(event.legal_entity_id, event.invoice_id) is None:
        store.invoices.put(
            InvoiceRow(
                legal_entity_id=event.legal_entity_id,
                invoice_id=event.invoice_id,
                customer_id=event.buyer.customer_id,
                currency=event.currency,
                gross_total=event.gross_total,
                live=event.live,
                facts=facts_of(event),
            )
        )
    return NOTHING


def on_document_rendered(
    event: DocumentRendered, store: NotifierStore, now: datetime
) -> Iterable[Event]:
    """Deliver the document; reminders will carry a copy of it."""
    invoice = replace(
        _invoice(store, event.legal_entity_id, event.invoice_id),
        document_sha256=event.sha256,
        document_media_type=event.media_type,
    )
    _ask(event, invoice, store, now)
    store.invoices.put(invoice)
    return NOTHING


def on_reminder_due(event: ReminderDue, store: NotifierStore, now: datetime) -> Iterable[Event]:
    """Send the reminder; whether it is still wanted is asked again when it leaves."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    _ask(event, invoice, store, now, event.tone)
    store.invoices.put(replace(invoice, newest_reminder=max(invoice.newest_reminder, event.stage)))
    return NOTHING


def on_payment_applied(
    event: PaymentApplied, store: NotifierStore, now: datetime
) -> Iterable[Event]:
    """Less is owed, or more again when money is taken back."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    same_currency(event, invoice.currency)
    return _move(store, invoice, balance.payment(event), now)


def on_credit_note_issued(
    event: CreditNoteIssued, store: NotifierStore, now: datetime
) -> Iterable[Event]:
    """Less is owed."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    same_currency(event, invoice.currency)
    return _move(store, invoice, balance.credit_note(event), now)


def on_dispute_opened(event: DisputeOpened, store: NotifierStore, now: datetime) -> Iterable[Event]:
    """No reminder asks for the disputed part."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    same_currency(event, invoice.currency)
    return _move(store, invoice, balance.dispute(event), now)


def on_dispute_resolved(
    event: DisputeResolved, store: NotifierStore, now: datetime
) -> Iterable[Event]:
    """Reminders may ask for it again, unless the customer was found right."""
    invoice = _invoice(store, event.legal_entity_id, event.invoice_id)
    opened = store.movements.get(event.legal_entity_id, DISPUTE, event.dispute_id)
    if opened is None:
        raise WaitFor("dispute", record_key(event.legal_entity_id, event.dispute_id))
    return _move(store, invoice, balance.resolution(event, opened.disputed), now)


def _invoice(store: NotifierStore, legal_entity_id: str, invoice_id: str) -> InvoiceRow:
    found = store.invoices.get(legal_entity_id, invoice_id)
    if found is None:
        raise WaitFor("invoice", record_key(legal_entity_id, invoice_id))
    return found


def _ask(
    event: Asking, invoice: InvoiceRow, store: NotifierStore, now: datetime, tone: str | None = None
) -> None:
    """Put the delivery that `event` asks for, once, if the invoice is to be mailed at all."""
    key = asked_key(event)
    if not invoice.live or store.requested.get(*key) is not None:
        return
    customer = store.customer_on(invoice.customer_id, local_date(now, invoice.facts.time_zone))
    if customer is None:
        raise WaitFor("customer", record_key(invoice.customer_id))
    channel = channel_of(Channel(customer.preferred_channel))
    if channel is Channel.EMAIL and store.contact(customer.contact_id) is None:
        raise WaitFor("contact", record_key(customer.contact_id))
    store.requested.put(
        DeliveryRow(
            *key,
            message_id=delivery_id(*key, customer.contact_id),
            customer_id=customer.customer_id,
            contact_id=customer.contact_id,
            channel=channel.value,
            requested_at=now,
            tone=tone,
            document_sha256=invoice.document_sha256,
            document_media_type=invoice.document_media_type,
        )
    )


def _move(
    store: NotifierStore, invoice: InvoiceRow, movement: Movement, now: datetime
) -> Iterable[Event]:
    """Count `movement` once."""
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
        store.invoices.put(invoice.moved(movement))
    return NOTHING
