"""What an invoice still owes and how much of it may be demanded, from four sums.

Payments, credit notes and disputes reach a service by different topics, in any order. Sums do not
mind the order, so sums are all that is kept, and every movement has the key that counts it once.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from shared.errors import Invalid, Rejected
from shared.events.billing import CreditNoteIssued
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.payments import PaymentApplied
from shared.ids import record_key
from shared.money import ZERO

PAYMENT: Final = "payment"
CREDIT_NOTE: Final = "credit-note"
DISPUTE: Final = "dispute"
RESOLUTION: Final = "dispute-resolution"
BalanceEvent = PaymentApplied | CreditNoteIssued | DisputeOpened | DisputeResolved
"""What moves the balance of an invoice."""
CONCEDED_OUTCOMES: Final = frozenset({"upheld"})
RELEASED_OUTCOMES: Final = frozenset({"rejected", "settled"})


@dataclass(frozen=True)
class Sums:
    """What has happened to one invoice's claim, in the invoice's currency.

    `disputed` is contested today; `conceded` was contested, the customer was found right, and a
    credit note over it is on its way or already among `credited`.
    """

    paid: Decimal = ZERO
    credited: Decimal = ZERO
    disputed: Decimal = ZERO
    conceded: Decimal = ZERO

    def plus(self, other: "Sums") -> "Sums":
        """These sums and `other` together."""
        return Sums(
            self.paid + other.paid,
            self.credited + other.credited,
            self.disputed + other.disputed,
            self.conceded + other.conceded,
        )

    def open_of(self, gross: Decimal) -> Decimal:
        """What the books say is open of an invoice over `gross`; negative when overpaid."""
        return gross - self.paid - self.credited

    def demandable_of(self, gross: Decimal) -> Decimal:
        """What a reminder may ask for of an invoice over `gross`: nothing that is contested.

        A conceded dispute and the credit note that follows from it count once, whichever of the
        two comes first.
        """
        settled = self.paid + max(self.credited, self.conceded)
        return max(ZERO, gross - settled - self.disputed)


@dataclass(frozen=True)
class Movement:
    """One change of the sums; `kind` and `reference` are unique within a legal entity."""

    kind: str
    reference: str
    sums: Sums


def payment(event: PaymentApplied) -> Movement:
    """Money applied, or taken back where the amount is negative."""
    return Movement(*_own_key(event), Sums(paid=event.amount))


def credit_note(event: CreditNoteIssued) -> Movement:
    """A credit note, gross."""
    return Movement(*_own_key(event), Sums(credited=event.gross_total))


def dispute(event: DisputeOpened) -> Movement:
    """A part contested; raises `Invalid` when it is not a part."""
    if event.amount <= ZERO:
        raise Invalid(
            "amount-not-positive",
            "a disputed amount is above zero: send it so",
            amount=event.amount,
        )
    return Movement(*_own_key(event), Sums(disputed=event.amount))


def resolution(event: DisputeResolved, disputed: Decimal) -> Movement:
    """The end of a dispute over `disputed`; raises `Invalid` on an outcome that nobody defined.

    Upheld, the part stays frozen as conceded; rejected or settled, it may be demanded again.
    """
    if event.outcome not in CONCEDED_OUTCOMES | RELEASED_OUTCOMES:
        raise Invalid(
            "outcome-unknown",
            "a dispute ends upheld, rejected or settled: send one of these",
            outcome=event.outcome,
        )
    conceded = disputed if event.outcome in CONCEDED_OUTCOMES else ZERO
    return Movement(*_own_key(event), Sums(disputed=-disputed, conceded=conceded))


def movement_keys(event: BalanceEvent) -> tuple[tuple[str, str], ...]:
    """The kind and reference of the movements that `event` makes or refers to, its own first."""
    if isinstance(event, DisputeResolved):
        return _own_key(event), (DISPUTE, event.dispute_id)
    return (_own_key(event),)


def same_currency(event: PaymentApplied | CreditNoteIssued | DisputeOpened, currency: str) -> None:
    """Raise `Rejected` unless `event` is in the invoice's `currency`."""
    if event.currency != currency:
        raise Rejected(
            "currency-mismatch",
            "an invoice is settled in its own currency: send the amount in that one",
            currency=event.currency,
            invoice_currency=currency,
        )


def _own_key(event: BalanceEvent) -> tuple[str, str]:
    if isinstance(event, PaymentApplied):
        reference = record_key(event.payment_id, event.invoice_id, event.application_no)
        return PAYMENT, reference
    if isinstance(event, CreditNoteIssued):
        return CREDIT_NOTE, event.credit_note_id
    return DISPUTE if isinstance(event, DisputeOpened) else RESOLUTION, event.dispute_id
