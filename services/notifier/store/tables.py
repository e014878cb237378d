"""The notifier's tables, and the constraints that repeat what its code asserts."""

from decimal import Decimal
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
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

from services.notifier.domain.letter import InvoiceFacts
from shared.store import Json

METADATA: Final = MetaData()


def _money(name: str) -> Column[Decimal]:
    return Column(name, Numeric(24, 4), nullable=False)


contact_table: Final = Table(
    "contact",
    METADATA,
    Column("contact_id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("locale", Text),
)

customer_table: Final = Table(
    "customer",
    METADATA,
    Column("customer_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("contact_id", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("preferred_channel", Text, nullable=False),
    Column("dunning_hold", Boolean, nullable=False),
)

invoice_table: Final = Table(
    "invoice",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    _money("gross_total"),
    _money("paid"),
    _money("credited"),
    _money("disputed"),
    _money("conceded"),
    Column("live", Boolean, nullable=False),
    Column("newest_reminder", Integer, nullable=False),
    Column("document_sha256", Text),
    Column("document_media_type", Text),
    Column("facts", Json(InvoiceFacts), nullable=False),
    CheckConstraint("disputed >= 0 AND newest_reminder >= 0", name="not_negative"),
)

movement_table: Final = Table(
    "movement",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("invoice_id", Text, nullable=False),
    _money("paid"),
    _money("credited"),
    _money("disputed"),
    _money("conceded"),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["legal_entity_id", "invoice_id"], ["invoice.legal_entity_id", "invoice.invoice_id"]
    ),
    Index("movement_invoice", "legal_entity_id", "invoice_id"),
)

_MAY_FAIL: Final = text("state IN ('pending', 'sending', 'failed')")

delivery_table: Final = Table(
    "delivery",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("document_kind", Text, primary_key=True),
    Column("stage", Integer, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("tone", Text),
    Column("document_sha256", Text),
    Column("document_media_type", Text),
    Column("state", Text, nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False),
    Column("attempts_before", Integer, nullable=False),
    Column("ambiguous", Integer, nullable=False),
    Column("code", Text),
    Column("reason", Text),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("settled_at", DateTime(timezone=True)),
    UniqueConstraint("message_id", name="delivery_message"),
    ForeignKeyConstraint(
        ["legal_entity_id", "invoice_id"], ["invoice.legal_entity_id", "invoice.invoice_id"]
    ),
    CheckConstraint(
        "state IN ('pending', 'sending', 'delivered', 'failed', 'withheld')", name="state_known"
    ),
    CheckConstraint("channel IN ('EMAIL', 'FILE_DROP')", name="channel_known"),
    CheckConstraint("(due_at IS NOT NULL) = (state IN ('pending', 'sending'))", name="due_if_open"),
    CheckConstraint("(settled_at IS NULL) = (due_at IS NOT NULL)", name="settled_if_not_open"),
    CheckConstraint("(state = 'failed') <= (code IS NOT NULL)", name="failed_for_a_reason"),
    CheckConstraint(
        "(stage > 0) = (document_kind = 'reminder')", name="only_reminders_have_stages"
    ),
    CheckConstraint("(stage > 0) = (tone IS NOT NULL)", name="only_reminders_have_a_tone"),
    CheckConstraint("stage > 0 OR document_sha256 IS NOT NULL", name="documents_are_known"),
    CheckConstraint("0 <= attempts_before AND attempts_before <= attempts", name="attempts_rise"),
    Index("delivery_due", "channel", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("delivery_contact", "contact_id", postgresql_where=_MAY_FAIL),
    Index("delivery_customer", "customer_id", postgresql_where=_MAY_FAIL),
)
