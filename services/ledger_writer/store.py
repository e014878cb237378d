"""The ledger's tables. All but the heads and the open items only ever grow, by database rights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    Row,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from services.ledger_writer.domain.chain import Head
from services.ledger_writer.domain.documents import Application, Document
from services.ledger_writer.domain.open_items import OpenItem
from shared.events.accounting import EntryPosted, Posting
from shared.events.base import Event
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.payments import PaymentApplied
from shared.store import Store

METADATA: Final = MetaData()
APPEND_ONLY: Final = "SELECT, INSERT"


def _amount(name: str) -> Column[Any]:
    return Column(name, Numeric(24, 4), nullable=False)


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False)


def _key(name: str) -> Column[Any]:
    return Column(name, Text, primary_key=True)


chain_head = Table(
    "chain_head",
    METADATA,
    _key("legal_entity_id"),
    Column("sequence", BigInteger, nullable=False),
    _text("hash"),
    CheckConstraint("sequence >= 1", name="chain_head_sequence"),
)

journal_entry = Table(
    "journal_entry",
    METADATA,
    _key("entry_id"),
    _text("legal_entity_id"),
    Column("sequence", BigInteger, nullable=False),
    _text("kind"),
    _text("source_id"),
    Column("posted_at", DateTime(timezone=True), nullable=False),
    Column("posted_on", Date, nullable=False),
    _text("currency"),
    _text("description"),
    Column("posting_count", Integer, nullable=False),
    _text("previous_hash"),
    _text("hash"),
    Column("previous_sequence", BigInteger, Computed("NULLIF(sequence - 1, 0)", persisted=True)),
    UniqueConstraint("legal_entity_id", "sequence", "hash", name="journal_entry_place"),
    UniqueConstraint("legal_entity_id", "sequence", name="journal_entry_sequence"),
    # An entry stands on the one before it; the first (no previous sequence) on the zero hash.
    ForeignKeyConstraint(
        ["legal_entity_id", "previous_sequence", "previous_hash"],
        ["journal_entry.legal_entity_id", "journal_entry.sequence", "journal_entry.hash"],
        name="journal_entry_follows",
    ),
    CheckConstraint("sequence >= 1", name="journal_entry_sequence_positive"),
    CheckConstraint(
        "sequence > 1 OR previous_hash = repeat('0', 64)", name="journal_entry_genesis"
    ),
    CheckConstraint("hash ~ '^[0-9a-f]{64}$'", name="journal_entry_hash"),
    CheckConstraint(
        "kind IN ('invoice', 'credit-note', 'payment', 'payment-reversal')",
        name="journal_entry_kind",
    ),
)

posting = Table(
    "posting",
    METADATA,
    Column("entry_id", Text, ForeignKey("journal_entry.entry_id"), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    _text("account"),
    _text("account_name"),
    _amount("debit"),
    _amount("credit"),
    Column("text", Text),
    CheckConstraint(
        "debit >= 0 AND credit >= 0 AND (debit > 0) <> (credit > 0)", name="posting_one_side"
    ),
)

posted_document = Table(
    "posted_document",
    METADATA,
    _key("legal_entity_id"),
    _key("document_id"),
    _text("document_type"),
    _text("document_number"),
    _text("invoice_id"),
    Column("job_id", Text),
    Column("entry_id", Text, ForeignKey("journal_entry.entry_id"), nullable=False, unique=True),
    Column("issued_on", Date, nullable=False),
    _text("currency"),
    _amount("net_total"),
    _amount("tax_total"),
    _amount("gross_total"),
    UniqueConstraint("legal_entity_id", "document_number", name="posted_document_number"),
    CheckConstraint("net_total + tax_total = gross_total", name="posted_document_total"),
)

receivable = Table(
    "receivable",
    METADATA,
    _key("legal_entity_id"),
    _key("invoice_id"),
    _text("invoice_number"),
    _text("customer_id"),
    Column("due_on", Date, nullable=False),
    _text("currency"),
    _amount("gross_total"),
    _amount("credited"),
    _amount("paid"),
    Column(
        "open_amount",
        Numeric(24, 4),
        Computed("gross_total - credited - paid", persisted=True),
        nullable=False,
    ),
    CheckConstraint("credited BETWEEN 0 AND gross_total", name="receivable_credited"),
    CheckConstraint("paid >= 0", name="receivable_paid"),
    Index("receivable_open", "currency", "due_on", postgresql_where=text("open_amount <> 0")),
)

application = Table(
    "application",
    METADATA,
    _key("legal_entity_id"),
    _key("payment_id"),
    _key("invoice_id"),
    Column("application_no", BigInteger, primary_key=True),
    Column("entry_id", Text, ForeignKey("journal_entry.entry_id"), nullable=False, unique=True),
    Column("applied_on", Date, nullable=False),
    _text("currency"),
    _amount("amount"),
    ForeignKeyConstraint(
        ["legal_entity_id", "invoice_id"], ["receivable.legal_entity_id", "receivable.invoice_id"]
    ),
)

GRANTS: Final = {
    table.name: APPEND_ONLY for table in (journal_entry, posting, posted_document, application)
} | {table.name: "SELECT, INSERT, UPDATE" for table in (chain_head, receivable)}


OWNERS_OF_NUMBERS: Final = text("""
    SELECT legal_entity_id, document_number, document_id
    FROM posted_document
    JOIN unnest(CAST(:entities AS text[]), CAST(:numbers AS text[]))
        AS wanted (legal_entity_id, document_number) USING (legal_entity_id, document_number)
""")
"""Which documents have these numbers: a number is posted once."""


HEADS: Final = text(
    "SELECT legal_entity_id, sequence, hash FROM chain_head ORDER BY legal_entity_id FOR UPDATE"
)
"""Every head, locked: nobody posts while the books are looked at."""
TAILS: Final = text("""
    SELECT entry.*, side.account, side.account_name, side.debit, side.credit, side.text
    FROM chain_head AS head
    CROSS JOIN LATERAL (
        SELECT * FROM journal_entry
        WHERE legal_entity_id = head.legal_entity_id
        ORDER BY sequence DESC LIMIT :count
    ) AS entry
    LEFT JOIN posting AS side USING (entry_id)
    ORDER BY entry.legal_entity_id, entry.sequence, side.line_no
""")
"""The last entries of every chain, a row for each posting."""


OPEN: Final = text("""
    SELECT currency, sum(open_amount) AS open_amount,
        COALESCE(sum(open_amount) FILTER (WHERE due_on < :today), 0) AS overdue
    FROM receivable WHERE open_amount <> 0 GROUP BY currency
""")
"""What customers owe, by currency."""
IMBALANCE: Final = text("""
    SELECT entry.currency, COALESCE(sum(side.debit - side.credit), 0) AS amount
    FROM chain_head AS head
    JOIN journal_entry AS entry
        ON entry.legal_entity_id = head.legal_entity_id AND entry.sequence > head.sequence - :count
    LEFT JOIN posting AS side USING (entry_id)
    GROUP BY entry.currency
""")
"""Debits less credits of the last entries of every chain, by currency: zero."""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A journal entry; its postings stand in `posting`."""

    entry_id: str
    legal_entity_id: str
    sequence: int
    kind: str
    source_id: str
    posted_at: datetime
    posted_on: date
    currency: str
    description: str
    posting_count: int
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class PostingRow:
    """One side of an entry."""

    entry_id: str
    line_no: int
    account: str
    account_name: str
    debit: Decimal
    credit: Decimal
    text: str | None


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
        self.heads = self.rows(chain_head, Head)
        self.entries = self.rows(journal_entry, EntryRow, lock=False)
        self.postings = self.rows(posting, PostingRow, lock=False)
        self.documents = self.rows(posted_document, Document, lock=False)
        self.receivables = self.rows(receivable, OpenItem)
        self.applications = self.rows(application, Application, lock=False)
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
            entry = _entry(list(sides))
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


def entry_row(entry: EntryPosted) -> EntryRow:
    """The entry as it is stored."""
    return EntryRow(
        entry_id=entry.entry_id,
        legal_entity_id=entry.legal_entity_id,
        sequence=entry.sequence,
        kind=entry.kind,
        source_id=entry.source_id,
        posted_at=entry.posted_at,
        posted_on=entry.posted_on,
        currency=entry.currency,
        description=entry.description,
        posting_count=len(entry.postings),
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


def posting_rows(entry: EntryPosted) -> Iterator[PostingRow]:
    """The sides of the entry as they are stored, numbered from 1 in their order."""
    for number, side in enumerate(entry.postings, 1):
        yield PostingRow(
            entry_id=entry.entry_id,
            line_no=number,
            account=side.account,
            account_name=side.account_name,
            debit=side.debit,
            credit=side.credit,
            text=side.text,
        )


def _entry(sides: Sequence[Row[Any]]) -> EntryPosted:
    """The entry whose rows of TAILS these are."""
    first = sides[0]
    return EntryPosted(
        legal_entity_id=first.legal_entity_id,
        entry_id=first.entry_id,
        sequence=first.sequence,
        kind=first.kind,
        source_id=first.source_id,
        posted_at=first.posted_at,
        posted_on=first.posted_on,
        currency=first.currency,
        description=first.description,
        postings=tuple(
            Posting(
                account=side.account,
                account_name=side.account_name,
                debit=side.debit,
                credit=side.credit,
                text=side.text,
            )
            for side in sides
            if side.account is not None
        ),
        previous_hash=first.previous_hash,
        hash=first.hash,
    )
