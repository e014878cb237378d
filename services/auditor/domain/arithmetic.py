"""Arithmetic of our own: the services' is what is being checked."""

from collections.abc import Iterable
from decimal import ROUND_DOWN, Context, Decimal
from typing import Final

_EXACT: Final = Context(prec=80, rounding=ROUND_DOWN)
_HUNDRED: Final = Decimal(100)
# ISO 4217: the currencies whose minor unit is not a hundredth.
_MINOR_UNITS: Final = dict.fromkeys(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0
) | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def minor_unit(currency: str) -> int:
    """How many decimals an amount of `currency` has."""
    return _MINOR_UNITS.get(currency, 2)


def half_up(value: Decimal, currency: str) -> Decimal:
    """`value` rounded to the minor unit, a half away from zero: on integers, in plain sight."""
    scaled = value.copy_abs().scaleb(minor_unit(currency) + 1, _EXACT)
    tenths = int(scaled)  # one digit more than the result has; what follows it cannot matter
    units = (tenths + 5) // 10
    return Decimal(units).scaleb(-minor_unit(currency)).copy_sign(value)


def line_net(quantity: Decimal, unit_price: Decimal, per: Decimal, currency: str) -> Decimal:
    """`quantity` / `per` x `unit_price`, rounded once."""
    product = _EXACT.multiply(quantity, unit_price)
    return half_up(_EXACT.divide(product, per), currency)


def tax_on(net: Decimal, rate: Decimal, currency: str) -> Decimal:
    """`rate` percent of `net`, rounded once."""
    return half_up(_EXACT.divide(_EXACT.multiply(net, rate), _HUNDRED), currency)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, exact."""
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def is_creditor_reference(reference: str) -> bool:
    """Whether `reference` is one by ISO 11649: RF, two digits, and 97 leaves 1 (ISO 7064)."""
    if not reference.startswith("RF") or not 5 <= len(reference) <= 25:  # noqa: PLR2004 - the standard
        return False
    if not reference[2:4].isdecimal() or not set(reference) <= set(_ALPHABET):
        return False
    moved = reference[4:] + reference[:4]
    digits = "".join(str(_ALPHABET.index(letter)) for letter in moved)
    return int(digits) % 97 == 1


def plain(amount: Decimal) -> str:
    """An amount for people: no exponent, no zeros that say nothing beyond two decimals."""
    text = f"{amount:f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(2, "0")
    return f"{whole}.{fraction}"
