"""The runtime's own tables; every consumer service has them in its schema, before its own."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)

METADATA: Final = MetaData()

consumer_offset = Table(
    "consumer_offset",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("owner", Text, nullable=False),
    Column("topic_id", Text, nullable=False),
    comment="Where this service goes on: the truth; Kafka's committed offset is a copy.",
)

inbox = Table(
    "inbox",
    METADATA,
    Column("message_id", Uuid, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    comment="Every fact that has had its effect, with a fingerprint of its content.",
)

held_key = Table(
    "held_key",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("lane", LargeBinary, primary_key=True),
    Column("ready", Boolean, nullable=False),
    Column("held_since", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    comment="Keys whose later records queue behind a head that waits or is a dead letter.",
)
Index("held_key_ready", held_key.c.topic, postgresql_where=held_key.c.ready)

held_record = Table(
    "held_record",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("lane", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("message_id", Uuid),
    Column("revision", BigInteger),
    Column("held_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("fact_kind", Text),
    Column("fact_key", Text),
    Column("deadline_at", DateTime(timezone=True)),
    Column("dead_letter_id", Uuid),
    Column("stage", Text),
    Column("code", Text),
    Column("error_class", Text),
    Column("message", Text),
    Column("stacktrace", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("first_failed_at", DateTime(timezone=True)),
    Column("failed_at", DateTime(timezone=True)),
    Column("replay_count", Integer, nullable=False, server_default=text("0")),
    Column("decision", Text),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("decision_reason", Text),
    Column("mended_value", LargeBinary),
    Column("resolved_at", DateTime(timezone=True)),
    CheckConstraint(
        "state IN ('waiting', 'dead', 'parked', 'replayed', 'discarded', 'superseded')",
        name="held_record_state",
    ),
    CheckConstraint("decision IN ('replay', 'discard')", name="held_record_decision"),
    CheckConstraint("(state = 'waiting') <= (fact_kind IS NOT NULL)", name="held_record_waiting"),
    CheckConstraint("(state = 'dead') <= (code IS NOT NULL)", name="held_record_dead"),
    comment="Records that wait or failed, or queue behind one; byte for byte, in order.",
)
Index(
    "held_record_lane",
    held_record.c.topic,
    held_record.c.lane,
    held_record.c.id,
    postgresql_where=text("state IN ('waiting', 'dead', 'parked')"),
)
Index(
    "held_record_fact",
    held_record.c.fact_kind,
    held_record.c.fact_key,
    postgresql_where=text("state = 'waiting'"),
)
Index(
    "held_record_deadline",
    held_record.c.deadline_at,
    postgresql_where=text("state = 'waiting'"),
)
Index("held_record_dead_letter", held_record.c.dead_letter_id)

awaited = Table(
    "awaited",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("arrived", Boolean, nullable=False),
    comment="Where a waiter and the fact it waits for meet, so that neither misses the other.",
)

outbox = Table(
    "outbox",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("quarantined", Text),
    comment="Records to publish, in the order of each key's commits; deleted once published.",
)
