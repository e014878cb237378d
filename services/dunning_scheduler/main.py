"""Wiring: which event goes to which handler, and which facts it brings."""

from typing import Final

from services.dunning_scheduler import handler, store
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.payments import PaymentApplied
from shared.ids import record_key
from shared.runtime.service import Fact, ServiceSpec, Tick


def _invoice(event: InvoiceIssued) -> tuple[Fact]:
    return (Fact("invoice", record_key(event.legal_entity_id, event.invoice_id)),)


def _dispute(event: DisputeOpened) -> tuple[Fact]:
    return (Fact("dispute", record_key(event.legal_entity_id, event.dispute_id)),)


SERVICE: Final = ServiceSpec(
    name=handler.SERVICE_NAME,
    metadata=store.METADATA,
    store=store.DunningStore,
    handlers={
        InvoiceIssued: handler.on_invoice_issued,
        CreditNoteIssued: handler.on_credit_note_issued,
        PaymentApplied: handler.on_payment_applied,
        DisputeOpened: handler.on_dispute_opened,
        DisputeResolved: handler.on_dispute_resolved,
        DocumentDelivered: handler.on_document_delivered,
        DocumentFailed: handler.on_document_failed,
    },
    facts={InvoiceIssued: _invoice, DisputeOpened: _dispute},
    ticks=(Tick("remind", handler.remind),),
    grants={"movement": "SELECT, INSERT"},
)
