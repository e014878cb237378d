"""What each invoice still owes: the sub-ledger behind the receivables account."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from shared.balance import same_currency
from shared.errors import Rejected
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.events.payments import PaymentApplied
from shared.money import ZERO


@dataclass(frozen=True, slots=True)
class OpenItem:
    """One invoice's place in the sub-ledger, in the invoice's currency."""

    legal_entity_id: str
    invoice_id: str
    invoice_number: str
    customer_id: str
    due_on: date
    currency: str
    gross_total: Decimal
    credited: Decimal = ZERO
    paid: Decimal = ZERO

    @property
    def open_amount(self) -> Decimal:
        """What is still owed; negative: owed to the customer."""
        return self.gross_total - self.credited - self.paid


def open_item(event: InvoiceIssued) -> OpenItem:
    """A new invoice owes all of its gross."""
    return OpenItem(
        legal_entity_id=event.legal_entity_id,
        invoice_id=event.invoice_id,
        invoice_number=event.invoice_number,
        customer_id=event.buyer.customer_id,
        due_on=event.due_on,
        currency=event.currency,
        gross_total=event.gross_total,
    )


def credited(item: OpenItem, event: CreditNoteIssued) -> OpenItem:
    """The item after a credit note; raises `Rejected` where it would exceed the invoice."""
    same_currency(event, item.currency)
    total = item.credited + event.gross_total
    if total > item.gross_total:
        raise Rejected(
            "credit-exceeds-invoice",
            "credit notes take back more than the invoice charged",
            invoice_id=item.invoice_id,
            gross_total=item.gross_total,
            credited=total,
        )
    return replace(item, credited=total)


def paid(item: OpenItem, event: PaymentApplied) -> OpenItem:
    """The item after a payment or its reversal; raises `Rejected` where more is reversed than paid.

    More may be paid than is open: a credit note can have reached the books before the payment
    that it crossed.
    """
    same_currency(event, item.currency)
    total = item.paid + event.amount
    if total < 0:
        raise Rejected(
            "reversal-exceeds-payments",
            "more is reversed than was applied to this invoice",
            invoice_id=item.invoice_id,
            paid=item.paid,
            amount=event.amount,
        )
    return replace(item, paid=total)
