"""The ledger's tables. All but the heads and the open items only ever grow, by database rights."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)

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
