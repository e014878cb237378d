"""Invoices to chase, what moved their balance, reminders decided."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go forward; there is no way back but a restored backup."""
    op.create_table(
        "invoice",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("invoice_number", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("gross_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("paid", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("credited", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("disputed", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("conceded", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("payment_url", sa.Text(), nullable=True),
        sa.Column("payment_reference", sa.Text(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("calendar_country", sa.Text(), nullable=False),
        sa.Column("calendar_subdivision", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("reminded_on", sa.Date(), nullable=True),
        sa.Column("paused_since", sa.Date(), nullable=True),
        sa.Column("paused_days", sa.Integer(), nullable=False),
        sa.Column("next_action_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "delivery IN ('unreported', 'failed', 'delivered')", name="delivery_known"
        ),
        sa.CheckConstraint(
            "next_action_at IS NULL OR (live AND delivery <> 'failed' AND paused_since IS NULL)",
            name="may_chase",
        ),
        sa.CheckConstraint(
            "next_action_at IS NULL"
            " OR gross_total > paid + greatest(credited, conceded) + disputed",
            name="something_demandable",
        ),
        sa.CheckConstraint(
            "stage >= 0 AND paused_days >= 0 AND disputed >= 0", name="not_negative"
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id"),
    )
    op.create_index(
        "invoice_next_action",
        "invoice",
        ["next_action_at"],
        unique=False,
        postgresql_where=sa.text("next_action_at IS NOT NULL"),
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
    op.create_table(
        "reminder",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("tone", sa.Text(), nullable=False),
        sa.Column("skipped", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open_amount", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("disputed_amount", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("outcome IN ('delivered', 'failed')", name="outcome_known"),
        sa.CheckConstraint(
            "skipped OR open_amount - disputed_amount > 0", name="something_demanded"
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "invoice_id"],
            ["invoice.legal_entity_id", "invoice.invoice_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id", "stage"),
    )
