"""What each event means to the books: a draft, its place in the chain, the open item after it.

Whatever has been posted before has no further effect, even when the inbox no longer knows it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from services.ledger_writer.domain import chain, documents, entries, open_items, told
from services.ledger_writer.domain.open_items import OpenItem
from services.ledger_writer.store import LedgerStore
from services.ledger_writer.store.rows import entry_row, posting_rows
from shared.errors import ConfigurationError, WaitFor
from shared.events.accounting import EntryPosted
from shared.events.base import Event
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.payments import PaymentApplied
from shared.ids import record_key
from shared.metrics import LEDGER_IMBALANCE, OPEN_AMOUNT, OVERDUE_AMOUNT
from shared.runtime.service import Desk

SERVICE_NAME: Final = "ledger_writer"
TAIL: Final = 100
"""How many entries of each chain are looked at, at the start and for the metrics."""


def on_invoice_issued(event: InvoiceIssued, store: LedgerStore, now: datetime) -> Iterable[Event]:
    """Post the invoice and open its item."""
    document = documents.of_invoice(event)
    if documents.stands(store.document(document), document):
        return ()
    documents.check_number(store.owner_of_number(document), document)
    entry = _post(entries.draft_invoice(event), store, now)
    store.documents.put(document)
    store.receivables.put(open_items.open_item(event))
    return entry, told.invoice_posted(event, entry)


def on_credit_note_issued(
    event: CreditNoteIssued, store: LedgerStore, now: datetime
) -> Iterable[Event]:
    """Post the credit note and lower the open item of its invoice."""
    document = documents.of_credit_note(event)
    if documents.stands(store.document(document), document):
        return ()
    documents.check_number(store.owner_of_number(document), document)
    item = open_items.credited(_item(store, event), event)
    entry = _post(entries.draft_credit_note(event), store, now)
    store.documents.put(document)
    store.receivables.put(item)
    return entry, told.credit_note_posted(event, entry)


def on_payment_applied(event: PaymentApplied, store: LedgerStore, now: datetime) -> Iterable[Event]:
    """Post the money and lower the open item; a reversal raises it again."""
    application = documents.application(event)
    if documents.stands(store.application(application), application):
        return ()
    item = open_items.paid(_item(store, event), event)
    entry = _post(entries.draft_payment(event), store, now)
    store.receivables.put(item)
    store.applications.put(application)
    return (entry,)


def show_figures(store: LedgerStore, now: datetime) -> Iterable[Event]:
    """The tick: what customers owe, and that the last entries balance, as metrics.

    Overdue is judged by the day in UTC: a figure for people on call, not for a customer.
    """
    OPEN_AMOUNT.clear()
    OVERDUE_AMOUNT.clear()
    for owed in store.owed(now.date()):
        OPEN_AMOUNT.labels(SERVICE_NAME, owed.currency).set(float(owed.open_amount))
        OVERDUE_AMOUNT.labels(SERVICE_NAME, owed.currency).set(float(owed.overdue))
    for currency, amount in store.imbalances(TAIL).items():
        LEDGER_IMBALANCE.labels(SERVICE_NAME, currency).set(float(amount))
    return ()


def check_books(desk: Desk) -> None:
    """Refuse to write on where the books are not what was written: a wrong restore, a changed row.

    Looks at the head and the last entries of every chain; `colophon verify` walks the whole of it.
    """
    with desk.begin() as unit:
        for head, tail in unit.store.chain_ends(TAIL):
            if fault := chain.fault(head, tail):
                raise ConfigurationError(
                    f"the books of {head.legal_entity_id} are broken: {fault}; restore the ledger's"
                    " schema from its backup, and write nothing before `colophon verify` passes"
                )


def _post(draft: entries.Draft, store: LedgerStore, now: datetime) -> EntryPosted:
    head = store.heads.get(draft.legal_entity_id) or chain.first_head(draft.legal_entity_id)
    entry = chain.post(draft, head, now)
    store.heads.put(chain.head_after(entry))
    store.entries.put(entry_row(entry))
    for row in posting_rows(entry):
        store.postings.put(row)
    return entry


def _item(store: LedgerStore, event: CreditNoteIssued | PaymentApplied) -> OpenItem:
    item = store.receivables.get(event.legal_entity_id, event.invoice_id)
    if item is None:
        raise WaitFor("invoice", record_key(event.legal_entity_id, event.invoice_id))
    return item
