"""The chart of accounts: codes are paths, as plain-text accounting writes them."""

from decimal import Decimal
from typing import Final, NamedTuple

from shared.events.billing import LineKind


class Account(NamedTuple):
    """An account: its code (a path, as plain-text accounting writes it) and its name."""

    code: str
    name: str


BANK: Final = Account("Assets:Bank", "Bank")
RECEIVABLE: Final = Account("Assets:Receivable", "Trade receivables")
REVENUE: Final = {
    LineKind.PRODUCT: Account("Income:Print:Products", "Print products"),
    LineKind.MATERIAL: Account("Income:Print:Materials", "Materials"),
    LineKind.MACHINE: Account("Income:Print:MachineTime", "Machine time and labour"),
    LineKind.FINISHING: Account("Income:Print:Finishing", "Finishing"),
    LineKind.SERVICE: Account("Income:Services", "Services and outlays"),
    LineKind.ALTERATION: Account("Income:Alterations", "Author's alterations"),
    LineKind.DISCOUNT: Account("Income:Discounts", "Discounts given"),
    LineKind.MINIMUM_CHARGE: Account("Income:MinimumCharges", "Minimum charges"),
    LineKind.UNKNOWN: Account("Income:Other", "Other revenue"),
}


def output_tax(category: str, rate: Decimal) -> Account:
    """The account for tax of one UNCL5305 category and rate in percent."""
    percent = format(rate.normalize(), "f")
    code = f"Liabilities:OutputTax:{category}-{percent.replace('.', '-')}"
    return Account(code, f"Output tax {category} {percent} %")
