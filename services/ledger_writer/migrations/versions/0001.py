"""The books: entries and postings that only grow, heads of the chains, open items.

An entry is whole when all its postings are there and debits equal credits. That can only be seen
once the last posting stands, so the check is a deferred constraint trigger.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


_WHOLE = """
CREATE FUNCTION entry_is_whole() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    checked text := COALESCE(NEW.entry_id, OLD.entry_id);
    expected integer;
    found integer;
    difference numeric;
BEGIN
    SELECT posting_count INTO expected FROM journal_entry WHERE entry_id = checked;
    SELECT count(*), COALESCE(sum(debit - credit), 0) INTO found, difference
        FROM posting WHERE entry_id = checked;
    IF found <> expected OR difference <> 0 THEN
        RAISE EXCEPTION 'entry % is not whole: % of % postings, debits less credits %',
            checked, found, expected, difference USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
_ON_ENTRY = """
CREATE CONSTRAINT TRIGGER journal_entry_is_whole AFTER INSERT OR UPDATE ON journal_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION entry_is_whole()
"""
_ON_POSTING = """
CREATE CONSTRAINT TRIGGER posting_is_whole AFTER INSERT OR UPDATE OR DELETE ON posting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION entry_is_whole()
"""


def upgrade() -> None:
    """Go forward; there is no way back but a restored backup."""
    op.create_table(
        "chain_head",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.CheckConstraint("sequence >= 1", name="chain_head_sequence"),
        sa.PrimaryKeyConstraint("legal_entity_id"),
    )
    op.create_table(
        "journal_entry",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("posting_count", sa.Integer(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column(
            "previous_sequence",
            sa.BigInteger(),
            sa.Computed("NULLIF(sequence - 1, 0)", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("hash ~ '^[0-9a-f]{64}$'", name="journal_entry_hash"),
        sa.CheckConstraint(
            "kind IN ('invoice', 'credit-note', 'payment', 'payment-reversal')",
            name="journal_entry_kind",
        ),
        sa.CheckConstraint(
            "sequence > 1 OR previous_hash = repeat('0', 64)", name="journal_entry_genesis"
        ),
        sa.CheckConstraint("sequence >= 1", name="journal_entry_sequence_positive"),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "previous_sequence", "previous_hash"],
            ["journal_entry.legal_entity_id", "journal_entry.sequence", "journal_entry.hash"],
            name="journal_entry_follows",
        ),
        sa.PrimaryKeyConstraint("entry_id"),
        sa.UniqueConstraint("legal_entity_id", "sequence", "hash", name="journal_entry_place"),
        sa.UniqueConstraint("legal_entity_id", "sequence", name="journal_entry_sequence"),
    )
    op.create_table(
        "receivable",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("invoice_number", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("gross_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("credited", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("paid", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column(
            "open_amount",
            sa.Numeric(precision=24, scale=4),
            sa.Computed("gross_total - credited - paid", persisted=True),
            nullable=False,
        ),
        sa.CheckConstraint("credited BETWEEN 0 AND gross_total", name="receivable_credited"),
        sa.CheckConstraint("paid >= 0", name="receivable_paid"),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id"),
    )
    op.create_index(
        "receivable_open",
        "receivable",
        ["currency", "due_on"],
        postgresql_where=sa.text("open_amount <> 0"),
    )
    op.create_table(
        "application",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("application_no", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("applied_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["journal_entry.entry_id"],
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "invoice_id"],
            ["receivable.legal_entity_id", "receivable.invoice_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "payment_id", "invoice_id", "application_no"),
        sa.UniqueConstraint("entry_id"),
    )
    op.create_table(
        "posted_document",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("document_type", sa.Text(), nullable=False),
        sa.Column("document_number", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("net_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("tax_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("gross_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.CheckConstraint("net_total + tax_total = gross_total", name="posted_document_total"),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["journal_entry.entry_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "document_id"),
        sa.UniqueConstraint("entry_id"),
        sa.UniqueConstraint("legal_entity_id", "document_number", name="posted_document_number"),
    )
    op.create_table(
        "posting",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("debit", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("credit", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "debit >= 0 AND credit >= 0 AND (debit > 0) <> (credit > 0)", name="posting_one_side"
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["journal_entry.entry_id"],
        ),
        sa.PrimaryKeyConstraint("entry_id", "line_no"),
    )
    op.execute(_WHOLE)
    op.execute(_ON_ENTRY)
    op.execute(_ON_POSTING)
