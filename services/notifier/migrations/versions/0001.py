"""Contacts, customers, invoices with what moved their balance, and their deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go forward; there is no way back but a restored backup."""
    op.create_table(
        "contact",
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("contact_id"),
    )
    op.create_table(
        "customer",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("preferred_channel", sa.Text(), nullable=False),
        sa.Column("dunning_hold", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "version"),
    )
    op.create_table(
        "invoice",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("gross_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("paid", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("credited", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("disputed", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("conceded", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("newest_reminder", sa.Integer(), nullable=False),
        sa.Column("document_sha256", sa.Text(), nullable=True),
        sa.Column("document_media_type", sa.Text(), nullable=True),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("disputed >= 0 AND newest_reminder >= 0", name="not_negative"),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id"),
    )
    op.create_table(
        "delivery",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("document_kind", sa.Text(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("tone", sa.Text(), nullable=True),
        sa.Column("document_sha256", sa.Text(), nullable=True),
        sa.Column("document_media_type", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempts_before", sa.Integer(), nullable=False),
        sa.Column("ambiguous", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(due_at IS NOT NULL) = (state IN ('pending', 'sending'))", name="due_if_open"
        ),
        sa.CheckConstraint(
            "(stage > 0) = (document_kind = 'reminder')", name="only_reminders_have_stages"
        ),
        sa.CheckConstraint("(stage > 0) = (tone IS NOT NULL)", name="only_reminders_have_a_tone"),
        sa.CheckConstraint("stage > 0 OR document_sha256 IS NOT NULL", name="documents_are_known"),
        sa.CheckConstraint("(state = 'failed') <= (code IS NOT NULL)", name="failed_for_a_reason"),
        sa.CheckConstraint("channel IN ('EMAIL', 'FILE_DROP')", name="channel_known"),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'delivered', 'failed', 'withheld')", name="state_known"
        ),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (due_at IS NOT NULL)", name="settled_if_not_open"
        ),
        sa.CheckConstraint(
            "0 <= attempts_before AND attempts_before <= attempts", name="attempts_rise"
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "invoice_id"],
            ["invoice.legal_entity_id", "invoice.invoice_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id", "document_kind", "stage"),
        sa.UniqueConstraint("message_id", name="delivery_message"),
    )
    op.create_index(
        "delivery_due",
        "delivery",
        ["channel", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "delivery_contact",
        "delivery",
        ["contact_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'sending', 'failed')"),
    )
    op.create_index(
        "delivery_customer",
        "delivery",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'sending', 'failed')"),
    )
    op.create_table(
        "movement",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("paid", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("credited", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("disputed", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("conceded", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "invoice_id"],
            ["invoice.legal_entity_id", "invoice.invoice_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "kind", "reference"),
    )
    op.create_index("movement_invoice", "movement", ["legal_entity_id", "invoice_id"], unique=False)
