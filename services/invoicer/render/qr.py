"""The QR code by which an invoice is paid: a SEPA transfer if possible, else the payment link."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from stdnum import iban

from services.invoicer.render.cells import cells, version_for
from shared.events.billing import InvoiceIssued
from shared.events.masterdata import BankAccount

_SEPA: Final = "EUR"
_NAME_MAX: Final = 70
_AMOUNT_MAX: Final = Decimal("999999999.99")


@dataclass(frozen=True)
class Code:
    """A code of `count` by `count` cells, packed row by row, and whether it is a transfer."""

    count: int
    rows: tuple[bytes, ...]
    transfer: bool


def payment_code(issued: InvoiceIssued, account: BankAccount | None) -> Code | None:
    """The code for paying `issued` to `account`, or None where there is nothing to scan."""
    transfer = transfer_payload(issued, account) if account else None
    payload = transfer or (issued.payment_url if issued.gross_total > 0 else None)
    content = (payload or "").encode()
    version = version_for(len(content))
    if not content or version is None:
        return None
    return Code(*cells(content, version), transfer=transfer is not None)


def transfer_payload(issued: InvoiceIssued, account: BankAccount) -> str | None:
    """The SEPA transfer as text, or None where it is none (EPC069-12, version 2).

    It needs euros, an IBAN and an amount from 0.01; a name is cut after 70 characters.
    """
    in_euro = issued.currency == _SEPA == account.currency
    amount = issued.gross_total
    if not in_euro or not iban.is_valid(account.account) or not 0 < amount <= _AMOUNT_MAX:
        return None
    return "\n".join(
        (
            "BCD",
            "002",
            "1",  # UTF-8
            "SCT",
            account.bic or "",
            issued.seller.name[:_NAME_MAX],
            iban.compact(account.account),
            f"EUR{amount:.2f}",
            "",
            issued.payment_reference,
        )
    )
