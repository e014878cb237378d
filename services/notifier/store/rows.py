"""One frozen value per row of the notifier's tables."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from services.notifier.domain.delivery import AT_ONCE, Standing, State
from services.notifier.domain.letter import InvoiceFacts
from shared.balance import Movement, Sums
from shared.events.masterdata import ERASED


@dataclass(frozen=True)
class ContactRow:
    """The newest revision of a contact; erased, it is empty and stays so."""

    contact_id: str
    revision: int
    name: str
    email: str | None
    locale: str | None

    @property
    def is_erased(self) -> bool:
        """Whether the person has been forgotten."""
        return self.revision >= ERASED


@dataclass(frozen=True)
class CustomerRow:
    """One version of what the notifier needs of a customer."""

    customer_id: str
    version: int
    valid_from: date
    valid_to: date | None
    contact_id: str
    locale: str
    preferred_channel: str
    dunning_hold: bool


@dataclass(frozen=True)
class InvoiceRow:
    """One issued invoice: what mails say about it, and what it still owes."""

    legal_entity_id: str
    invoice_id: str
    customer_id: str
    currency: str
    gross_total: Decimal
    live: bool
    facts: InvoiceFacts
    paid: Decimal = Decimal(0)
    credited: Decimal = Decimal(0)
    disputed: Decimal = Decimal(0)
    conceded: Decimal = Decimal(0)
    newest_reminder: int = 0
    document_sha256: str | None = None
    document_media_type: str | None = None

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
class DeliveryRow:
    """One document, or one reminder, on its way to one person.

    `due_at` is system time: when to try next, or when a claim has lapsed. `attempts_before` are
    those made before the contact was last mended; they do not count for the retry schedule.
    """

    legal_entity_id: str
    invoice_id: str
    document_kind: str
    stage: int
    message_id: str
    customer_id: str
    contact_id: str
    channel: str
    requested_at: datetime
    tone: str | None = None
    document_sha256: str | None = None
    document_media_type: str | None = None
    state: str = State.PENDING.value
    due_at: datetime | None = AT_ONCE
    attempts: int = 0
    attempts_before: int = 0
    ambiguous: int = 0
    code: str | None = None
    reason: str | None = None
    settled_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """The primary key."""
        return self.legal_entity_id, self.invoice_id, self.document_kind, self.stage

    @property
    def round_no(self) -> int:
        """The number of the present attempt since the contact was last mended, from 1.

        0 when that was after the attempt's claim.
        """
        return self.attempts - self.attempts_before

    def stands(self, standing: Standing, now: datetime) -> "DeliveryRow":
        """This row after an attempt; `now` is business time."""
        return replace(
            self,
            state=standing.state.value,
            due_at=standing.due_at,
            attempts=standing.attempts,
            code=standing.code,
            reason=standing.reason,
            settled_at=None if standing.due_at else now,
        )
