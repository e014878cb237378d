"""What the ledger knows of a batch, and how it is written: set-based, never committed here."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, text

from services.ledger_writer.domain.chain import Head
from services.ledger_writer.domain.documents import Application, Document
from services.ledger_writer.domain.open_items import OpenItem
from services.ledger_writer.store import tables
from services.ledger_writer.store.queries import (
    HEADS,
    IMBALANCE,
    OPEN,
    OWNERS_OF_NUMBERS,
    TAILS,
)
from services.ledger_writer.store.rows import EntryRow, PostingRow, entry_of
from shared.events.accounting import EntryPosted
from shared.events.base import Event
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.payments import PaymentApplied
from shared.store import Store


class Owed(NamedTuple):
    """What customers owe in one currency, and how much of it was due before today."""

    currency: str
    open_amount: Decimal
    overdue: Decimal


class LedgerStore(Store):
    """The books as one batch sees them.

    The heads of the chains are locked first and in key order, so that batches of one legal entity
    follow each other and those of two never wait for each other in a circle.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.heads = self.rows(tables.chain_head, Head)
        self.entries = self.rows(tables.journal_entry, EntryRow, lock=False)
        self.postings = self.rows(tables.posting, PostingRow, lock=False)
        self.documents = self.rows(tables.posted_document, Document, lock=False)
        self.receivables = self.rows(tables.receivable, OpenItem)
        self.applications = self.rows(tables.application, Application, lock=False)
        self._owners: dict[tuple[str, str], str] = {}

    def prefetch(self, events: Sequence[Event]) -> None:
        """Heads, documents, open items and applications of the batch, one statement each."""
        invoices = [event for event in events if isinstance(event, InvoiceIssued)]
        notes = [event for event in events if isinstance(event, CreditNoteIssued)]
        payments = [event for event in events if isinstance(event, PaymentApplied)]
        open_items = [
            *((event.legal_entity_id, event.invoice_id) for event in invoices),
            *((event.legal_entity_id, event.invoice_id) for event in notes),
            *((event.legal_entity_id, event.invoice_id) for event in payments),
        ]
        self.heads.load(self.connection, {(legal_entity_id,) for legal_entity_id, _ in open_items})
        self.documents.load(
            self.connection,
            [
                *((event.legal_entity_id, event.invoice_id) for event in invoices),
                *((event.legal_entity_id, event.credit_note_id) for event in notes),
            ],
        )
        self._load_owners(
            [
                *((event.legal_entity_id, event.invoice_number) for event in invoices),
                *((event.legal_entity_id, event.credit_note_number) for event in notes),
            ]
        )
        self.receivables.load(self.connection, open_items)
        self.applications.load(
            self.connection,
            [(e.legal_entity_id, e.payment_id, e.invoice_id, e.application_no) for e in payments],
        )

    def _load_owners(self, numbers: Sequence[tuple[str, str]]) -> None:
        if numbers:
            entities, wanted = zip(*numbers, strict=True)
            parameters = {"entities": list(entities), "numbers": list(wanted)}
            for row in self.connection.execute(OWNERS_OF_NUMBERS, parameters):
                self._owners[row.legal_entity_id, row.document_number] = row.document_id

    def document(self, wanted: Document) -> Document | None:
        """The document as it stands in the books, if it does."""
        return self.documents.get(wanted.legal_entity_id, wanted.document_id)

    def owner_of_number(self, wanted: Document) -> str:
        """The id of the document that has the number of `wanted`; its own where it is new."""
        number = wanted.legal_entity_id, wanted.document_number
        return self._owners.setdefault(number, wanted.document_id)

    def application(self, wanted: Application) -> Application | None:
        """The application as it stands in the books, if it does."""
        return self.applications.get(
            wanted.legal_entity_id, wanted.payment_id, wanted.invoice_id, wanted.application_no
        )

    def chain_ends(self, count: int) -> Iterator[tuple[Head, list[EntryPosted]]]:
        """Every head, locked, with the last `count` entries of its chain in order."""
        heads = [Head(*row) for row in self.connection.execute(HEADS)]
        tails: dict[str, list[EntryPosted]] = {}
        rows = self.connection.execute(TAILS, {"count": count})
        for _, sides in groupby(rows, key=lambda row: row.entry_id):
            entry = entry_of(list(sides))
            tails.setdefault(entry.legal_entity_id, []).append(entry)
        return ((head, tails.get(head.legal_entity_id, [])) for head in heads)

    def owed(self, today: date) -> list[Owed]:
        """What customers owe on `today`, by currency; where nobody owes, there is none."""
        return [Owed(*row) for row in self.connection.execute(OPEN, {"today": today})]

    def imbalances(self, count: int) -> dict[str, Decimal]:
        """Debits less credits of the last `count` entries of every chain, by currency."""
        rows = self.connection.execute(IMBALANCE, {"count": count})
        return {row.currency: row.amount for row in rows}

    def flush(self) -> None:
        """Write what the handlers put; the balance of every entry is checked before returning.

        The check is deferred by nature, because an entry is whole only after its last posting.
        It is made here and not at commit, so that a failure can still be traced to its record.
        """
        self.connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        super().flush()
        self.connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
