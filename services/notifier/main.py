"""Wiring: which event goes to which handler, which facts it brings, and the two couriers."""

from typing import Final

from services.notifier import store
from services.notifier.gateway import Drop, Relay
from services.notifier.handler import events
from services.notifier.handler.courier import SERVICE_NAME, Courier
from services.notifier.handler.parcel import drop, mail
from shared.events.billing import CreditNoteIssued, DocumentRendered, InvoiceIssued
from shared.events.collections import ReminderDue
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.masterdata import Channel, Contact, Customer
from shared.events.payments import PaymentApplied
from shared.ids import record_key
from shared.runtime.service import Fact, ServiceSpec, Worker

REST_SECONDS: Final = 0.3


def _contact(event: Contact) -> tuple[Fact]:
    return (Fact("contact", record_key(event.contact_id)),)


def _customer(event: Customer) -> tuple[Fact]:
    return (Fact("customer", record_key(event.customer_id)),)


def _invoice(event: InvoiceIssued) -> tuple[Fact]:
    return (Fact("invoice", record_key(event.legal_entity_id, event.invoice_id)),)


def _dispute(event: DisputeOpened) -> tuple[Fact]:
    return (Fact("dispute", record_key(event.legal_entity_id, event.dispute_id)),)


SERVICE: Final = ServiceSpec(
    name=SERVICE_NAME,
    metadata=store.METADATA,
    store=store.NotifierStore,
    handlers={
        Contact: events.on_contact,
        Customer: events.on_customer,
        InvoiceIssued: events.on_invoice_issued,
        DocumentRendered: events.on_document_rendered,
        ReminderDue: events.on_reminder_due,
        PaymentApplied: events.on_payment_applied,
        CreditNoteIssued: events.on_credit_note_issued,
        DisputeOpened: events.on_dispute_opened,
        DisputeResolved: events.on_dispute_resolved,
    },
    facts={
        Contact: _contact,
        Customer: _customer,
        InvoiceIssued: _invoice,
        DisputeOpened: _dispute,
    },
    workers=(
        Worker("mail", Courier(Channel.EMAIL, Relay, mail).run, rest_s=REST_SECONDS),
        Worker(
            "drop",
            Courier(Channel.FILE_DROP, lambda settings: Drop(settings.data_dir / "drop"), drop).run,
            rest_s=REST_SECONDS,
        ),
    ),
    grants={"movement": "SELECT, INSERT"},
)
