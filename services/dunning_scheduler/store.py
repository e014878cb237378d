"""Invoices that may be chased, what moved their balance, and the reminders decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    text,
)

from services.dunning_scheduler.domain import Chase, Place
from shared.balance import BalanceEvent, Movement, Sums, movement_keys
from shared.events.base import Event
from shared.events.billing import InvoiceIssued
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.store import Store

METADATA: Final = MetaData()
REMINDER: Final = "reminder"
"""The document kind of a reminder, as the notifier reports on it."""


def _money(name: str) -> Column[Decimal]:
    return Column(name, Numeric(24, 4), nullable=False)


invoice_table: Final = Table(
    "invoice",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("invoice_number", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("contact_id", Text, nullable=False),
    Column("currency", Text, nullable=False),
    _money("gross_total"),
    _money("paid"),
    _money("credited"),
    _money("disputed"),
    _money("conceded"),
    Column("payment_url", Text),
    Column("payment_reference", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("calendar_country", Text, nullable=False),
    Column("calendar_subdivision", Text),
    Column("due_on", Date, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("reminded_on", Date),
    Column("paused_since", Date),
    Column("paused_days", Integer, nullable=False),
    Column("next_action_at", DateTime(timezone=True)),
    CheckConstraint("stage >= 0 AND paused_days >= 0 AND disputed >= 0", name="not_negative"),
    CheckConstraint("delivery IN ('unreported', 'failed', 'delivered')", name="delivery_known"),
    CheckConstraint(
        "next_action_at IS NULL OR (live AND delivery <> 'failed' AND paused_since IS NULL)",
        name="may_chase",
    ),
    CheckConstraint(
        "next_action_at IS NULL OR gross_total > paid + greatest(credited, conceded) + disputed",
        name="something_demandable",
    ),
    Index(
        "invoice_next_action",
        "next_action_at",
        postgresql_where=text("next_action_at IS NOT NULL"),
    ),
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

reminder_table: Final = Table(
    "reminder",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("stage", Integer, primary_key=True),
    Column("tone", Text, nullable=False),
    Column("skipped", Boolean, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    _money("open_amount"),
    _money("disputed_amount"),
    Column("outcome", Text),
    Column("outcome_at", DateTime(timezone=True)),
    CheckConstraint("outcome IN ('delivered', 'failed')", name="outcome_known"),
    CheckConstraint("skipped OR open_amount - disputed_amount > 0", name="something_demanded"),
    ForeignKeyConstraint(
        ["legal_entity_id", "invoice_id"], ["invoice.legal_entity_id", "invoice.invoice_id"]
    ),
)


@dataclass(frozen=True)
class InvoiceRow:
    """One issued invoice: its claim, its calendar, how far it has been chased."""

    legal_entity_id: str
    invoice_id: str
    invoice_number: str
    customer_id: str
    contact_id: str
    currency: str
    gross_total: Decimal
    payment_url: str | None
    payment_reference: str
    live: bool
    time_zone: str
    calendar_country: str
    calendar_subdivision: str | None
    due_on: date
    delivery: str = "unreported"
    paid: Decimal = Decimal(0)
    credited: Decimal = Decimal(0)
    disputed: Decimal = Decimal(0)
    conceded: Decimal = Decimal(0)
    stage: int = 0
    reminded_on: date | None = None
    paused_since: date | None = None
    paused_days: int = 0
    next_action_at: datetime | None = None

    @property
    def sums(self) -> Sums:
        """What has happened to the claim."""
        return Sums(self.paid, self.credited, self.disputed, self.conceded)

    @property
    def open_amount(self) -> Decimal:
        """What the invoice still owes."""
        return self.sums.open_of(self.gross_total)

    @property
    def demandable(self) -> Decimal:
        """What a reminder may ask for."""
        return self.sums.demandable_of(self.gross_total)

    @property
    def chaseable(self) -> bool:
        """Whether a reminder may be sent at all: it is live, arrived, and something is open."""
        return self.live and self.delivery != "failed" and self.demandable > 0

    @property
    def place(self) -> Place:
        """Whose clock and holidays count."""
        return Place(self.time_zone, self.calendar_country, self.calendar_subdivision)

    @property
    def chase(self) -> Chase:
        """How far the dunning has come."""
        return Chase(self.due_on, self.stage, self.reminded_on, self.paused_since, self.paused_days)

    def moved(self, movement: Movement) -> "InvoiceRow":
        """This row after a movement of its balance."""
        sums = self.sums.plus(movement.sums)
        return replace(
            self,
            paid=sums.paid,
            credited=sums.credited,
            disputed=sums.disputed,
            conceded=sums.conceded,
        )

    def chased(self, chase: Chase, next_action_at: datetime | None) -> "InvoiceRow":
        """This row with the dunning at `chase`."""
        return replace(
            self,
            stage=chase.stage,
            reminded_on=chase.reminded_on,
            paused_since=chase.paused_since,
            paused_days=chase.paused_days,
            next_action_at=next_action_at,
        )


@dataclass(frozen=True)
class MovementRow:
    """One change of an invoice's balance; its key counts it once."""

    legal_entity_id: str
    kind: str
    reference: str
    invoice_id: str
    paid: Decimal
    credited: Decimal
    disputed: Decimal
    conceded: Decimal
    recorded_at: datetime


@dataclass(frozen=True)
class ReminderRow:
    """One stage reached for an invoice: reminded, or skipped because nobody looked in time."""

    legal_entity_id: str
    invoice_id: str
    stage: int
    tone: str
    skipped: bool
    decided_at: datetime
    open_amount: Decimal
    disputed_amount: Decimal
    outcome: str | None = None
    outcome_at: datetime | None = None


# Takes the invoices whose time has come, oldest first, and leaves alone what another process or a
# batch of events holds at this moment: it will still be due a second later.
CLAIM_DUE: Final = text(
    "SELECT * FROM invoice WHERE next_action_at <= :now"
    " ORDER BY next_action_at LIMIT :portion FOR UPDATE SKIP LOCKED"
)

Report = DocumentDelivered | DocumentFailed
OfInvoice = InvoiceIssued | BalanceEvent | Report


class DunningStore(Store):
    """The tables above, for one batch or one tick."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.invoices = self.rows(invoice_table, InvoiceRow)
        self.movements = self.rows(movement_table, MovementRow, lock=False)
        self.reminders = self.rows(reminder_table, ReminderRow)

    def prefetch(self, events: Sequence[Event]) -> None:
        """Lock the invoices that `events` name; read the movements and reminders they touch."""
        self.invoices.load(
            self.connection,
            {
                (event.legal_entity_id, event.invoice_id)
                for event in events
                if isinstance(event, OfInvoice)
            },
        )
        self.movements.load(
            self.connection,
            {
                (event.legal_entity_id, kind, reference)
                for event in events
                if isinstance(event, BalanceEvent)
                for kind, reference in movement_keys(event)
            },
        )
        self.reminders.load(
            self.connection,
            {
                (event.legal_entity_id, event.invoice_id, int(event.stage))
                for event in events
                if isinstance(event, Report) and is_reminder(event)
            },
        )

    def claim_due(self, now: datetime, portion: int) -> list[InvoiceRow]:
        """At most `portion` invoices whose next action is due at `now`, locked."""
        found = self.connection.execute(CLAIM_DUE, {"now": now, "portion": portion})
        self.invoices.adopt(found.mappings())
        return self.invoices.all()


def is_reminder(event: Report) -> bool:
    """Whether the notifier reports on a reminder of ours, rather than on a document."""
    return event.document_kind == REMINDER and event.stage.isdecimal()
