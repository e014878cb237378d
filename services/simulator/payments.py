"""Customers who pay: what the payment matcher will one day say, made from an issued invoice."""

from datetime import datetime
from decimal import Decimal

from shared.clock import local_date
from shared.events.billing import InvoiceIssued
from shared.events.payments import PaymentApplied
from shared.money import round_money


def payment_of(
    invoice: InvoiceIssued, at: datetime, percent: Decimal = Decimal(100)
) -> PaymentApplied:
    """The first payment of `invoice`, over `percent` of its gross, applied at `at` (UTC)."""
    amount = round_money(invoice.gross_total * percent / 100, invoice.currency)
    return PaymentApplied(
        legal_entity_id=invoice.legal_entity_id,
        payment_id=f"PAY-{invoice.invoice_number}",
        invoice_id=invoice.invoice_id,
        application_no=1,
        applied_at=at,
        applied_on=local_date(at, invoice.time_zone),
        currency=invoice.currency,
        amount=amount,
        open_amount=invoice.gross_total - amount,
    )
