"""Wiring: which event goes to which handler, and which fact it brings."""

from typing import Final

from services.ledger_writer import handler
from services.ledger_writer.store import LedgerStore
from services.ledger_writer.store.tables import GRANTS, METADATA
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.payments import PaymentApplied
from shared.ids import record_key
from shared.runtime.service import Fact, ServiceSpec, Tick


def _invoice(event: InvoiceIssued) -> tuple[Fact]:
    return (Fact("invoice", record_key(event.legal_entity_id, event.invoice_id)),)


SERVICE: Final = ServiceSpec(
    name=handler.SERVICE_NAME,
    metadata=METADATA,
    store=LedgerStore,
    handlers={
        InvoiceIssued: handler.on_invoice_issued,
        CreditNoteIssued: handler.on_credit_note_issued,
        PaymentApplied: handler.on_payment_applied,
    },
    facts={InvoiceIssued: _invoice},
    ticks=(Tick("figures", handler.show_figures, every_s=15.0),),
    start=handler.check_books,
    grants=GRANTS,
)
