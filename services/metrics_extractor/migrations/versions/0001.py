"""Jobs, the facts gathered under them, and what extraction needs to know."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go forward; there is no way back but a restored backup."""
    op.create_table(
        "cost_rate",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("cost_rate_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("valid_to >= valid_from", name="cost_rate_valid"),
        sa.PrimaryKeyConstraint("legal_entity_id", "cost_rate_id", "version"),
    )
    op.create_table(
        "job",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("late_reports", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(reason IS NULL) = (state IN ('gathering', 'extracted'))", name="job_reason"
        ),
        sa.CheckConstraint("(revision IS NULL) = (state = 'gathering')", name="job_revision"),
        sa.CheckConstraint(
            "state IN ('gathering', 'awaiting_reports', 'waiting_quality', 'not_billable',"
            " 'extracted')",
            name="job_state",
        ),
        sa.CheckConstraint("late_reports BETWEEN 0 AND reports", name="job_reports"),
        sa.PrimaryKeyConstraint("legal_entity_id", "job_id"),
    )
    op.create_index(
        "job_open",
        "job",
        ["state", "state_since"],
        unique=False,
        postgresql_where=sa.text("state <> 'extracted'"),
    )
    op.create_table(
        "legal_entity",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.CheckConstraint("valid_to >= valid_from", name="legal_entity_valid"),
        sa.PrimaryKeyConstraint("legal_entity_id", "version"),
    )
    op.create_table(
        "completed_job",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "job_id"],
            ["job.legal_entity_id", "job.job_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "job_id", "revision"),
    )
    op.create_table(
        "quality_decision",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("quality", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.CheckConstraint("quality IN ('PASSED', 'FAILED')", name="quality_decision_decided"),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "job_id"],
            ["job.legal_entity_id", "job.job_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "sender_id", "message_id"),
    )
    op.create_index(
        "quality_decision_job", "quality_decision", ["legal_entity_id", "job_id"], unique=False
    )
    op.create_table(
        "usage_report",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "job_id"],
            ["job.legal_entity_id", "job.job_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "sender_id", "message_id"),
    )
    op.create_index("usage_report_job", "usage_report", ["legal_entity_id", "job_id"], unique=False)
    op.create_table(
        "extraction",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("extracted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("metrics", sa.Integer(), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("cost_rate_id", sa.Text(), nullable=True),
        sa.Column("cost_rate_version", sa.BigInteger(), nullable=True),
        sa.Column("planned_cost", sa.Numeric(precision=24, scale=4), nullable=True),
        sa.Column("actual_cost", sa.Numeric(precision=24, scale=4), nullable=True),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "job_id", "revision"],
            ["completed_job.legal_entity_id", "completed_job.job_id", "completed_job.revision"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "job_id", "revision"),
    )
