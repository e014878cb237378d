"""The tables of the consumer runtime."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go forward; there is no way back but a restored backup."""
    op.create_table(
        "awaited",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("arrived", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
        comment="Where a waiter and the fact it waits for meet, so that neither misses the other.",
    )
    op.create_table(
        "consumer_offset",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("topic_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
        comment="Where this service goes on: the truth; Kafka's committed offset is a copy.",
    )
    op.create_table(
        "held_key",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("lane", sa.LargeBinary(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column(
            "held_since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("topic", "lane"),
        comment="Keys whose later records queue behind a head that waits or is a dead letter.",
    )
    op.create_index("held_key_ready", "held_key", ["topic"], unique=False, postgresql_where="ready")
    op.create_table(
        "held_record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("lane", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column(
            "held_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("fact_kind", sa.Text(), nullable=True),
        sa.Column("fact_key", sa.Text(), nullable=True),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_letter_id", sa.Uuid(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("stacktrace", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replay_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("mended_value", sa.LargeBinary(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'dead') <= (code IS NOT NULL)", name="held_record_dead"),
        sa.CheckConstraint(
            "(state = 'waiting') <= (fact_kind IS NOT NULL)", name="held_record_waiting"
        ),
        sa.CheckConstraint("decision IN ('replay', 'discard')", name="held_record_decision"),
        sa.CheckConstraint(
            "state IN ('waiting', 'dead', 'parked', 'replayed', 'discarded', 'superseded')",
            name="held_record_state",
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Records that wait or failed, or queue behind one; byte for byte, in order.",
    )
    op.create_index("held_record_dead_letter", "held_record", ["dead_letter_id"], unique=False)
    op.create_index(
        "held_record_deadline",
        "held_record",
        ["deadline_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "held_record_fact",
        "held_record",
        ["fact_kind", "fact_key"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "held_record_lane",
        "held_record",
        ["topic", "lane", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'dead', 'parked')"),
    )
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column(
            "applied_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("message_id"),
        comment="Every fact that has had its effect, with a fingerprint of its content.",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("quarantined", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        comment="Records to publish, in the order of each key's commits; deleted once published.",
    )
