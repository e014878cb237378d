"""Terms by version, estimates, and each job with what it used and every price it was given."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go forward; there is no way back but a restored backup."""
    op.create_table(
        "agreement",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("agreement_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("rate_card_id", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("valid_to >= valid_from", name="agreement_valid"),
        sa.PrimaryKeyConstraint("legal_entity_id", "agreement_id", "version"),
        comment="Every version of every agreement.",
    )
    op.create_index(
        "agreement_customer", "agreement", ["legal_entity_id", "customer_id"], unique=False
    )
    op.create_table(
        "customer",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("valid_to >= valid_from", name="customer_valid"),
        sa.PrimaryKeyConstraint("customer_id", "version"),
        comment="Every version of every customer.",
    )
    op.create_table(
        "estimate",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("estimate_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("net_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("legal_entity_id", "estimate_id", "job_id"),
        comment="Accepted estimates, one row for each job of an estimate.",
    )
    op.create_table(
        "job",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("pricing_no", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("estimate_ref", sa.Text(), nullable=True),
        sa.Column("rate_card_id", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("net_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("priced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reprice", sa.Boolean(), nullable=False),
        sa.CheckConstraint("path = 'HOLD' OR NOT reprice", name="job_reprice"),
        sa.CheckConstraint(
            "path IN ('STRAIGHT_THROUGH', 'ACTUAL_WITHIN_CAP', 'REVIEW', 'HOLD')", name="job_path"
        ),
        sa.CheckConstraint("revision >= 1 AND pricing_no >= 1", name="job_numbers"),
        sa.PrimaryKeyConstraint("legal_entity_id", "job_id"),
        comment="Each job's newest revision and newest price; `reprice` asks for another one.",
    )
    op.create_index(
        "job_on_hold",
        "job",
        ["legal_entity_id", "customer_id"],
        unique=False,
        postgresql_where=sa.text("path = 'HOLD'"),
    )
    op.create_index(
        "job_reprice_due",
        "job",
        ["legal_entity_id", "job_id"],
        unique=False,
        postgresql_where=sa.text("reprice"),
    )
    op.create_table(
        "rate_card",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("rate_card_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("valid_to >= valid_from", name="rate_card_valid"),
        sa.PrimaryKeyConstraint("legal_entity_id", "rate_card_id", "version"),
        comment="Every version of every rate card.",
    )
    op.create_table(
        "metrics",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "job_id"],
            ["job.legal_entity_id", "job.job_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "job_id", "revision"),
        comment="What each priced revision of a job used.",
    )
    op.create_table(
        "pricing",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("pricing_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("net_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("priced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("path <> 'HOLD' OR net_total = 0", name="pricing_hold_without_price"),
        sa.CheckConstraint(
            "path IN ('STRAIGHT_THROUGH', 'ACTUAL_WITHIN_CAP', 'REVIEW', 'HOLD')",
            name="pricing_path",
        ),
        sa.CheckConstraint(
            "path NOT IN ('STRAIGHT_THROUGH', 'ACTUAL_WITHIN_CAP') OR net_total > 0",
            name="pricing_billable_above_zero",
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "job_id", "revision"],
            ["metrics.legal_entity_id", "metrics.job_id", "metrics.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "job_id"],
            ["job.legal_entity_id", "job.job_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "job_id", "pricing_no"),
        comment="Every price a job was ever given.",
    )
