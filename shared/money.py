"""Money: minor units by ISO 4217, one rounding rule, splits that sum to the whole.

Amounts are `Decimal`; nothing here or elsewhere turns one into a float. The working precision is
raised from 28 to 60 digits so that no product of an amount and a quantity is rounded by accident.
"""

import decimal
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

from shared.errors import Invalid

decimal.DefaultContext.prec = 60  # threads copy this context
decimal.getcontext().prec = 60

ZERO = Decimal(0)

# ISO 4217 list one: currencies whose minor unit is not two decimals.
_NO_DECIMALS = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
)
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_TWO_DECIMALS = frozenset(
    """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
    CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD
    HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
    RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS
    UAH USD UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""".split()
)


def minor_unit(currency: str) -> int:
    """The number of decimals of `currency` (ISO 4217); raises `Invalid` on an unknown code."""
    if currency in _TWO_DECIMALS:
        return 2
    if currency in _NO_DECIMALS:
        return 0
    if currency in _THREE_DECIMALS:
        return 3
    raise Invalid("currency-unknown", "not a currency of ISO 4217", currency=currency)


@cache
def cent(currency: str) -> Decimal:
    """The smallest amount of `currency`, such as 0.01; raises `Invalid` on an unknown code."""
    return Decimal(1).scaleb(-minor_unit(currency))


def round_money(value: Decimal, currency: str) -> Decimal:
    """`value` rounded half up (away from zero at the half) to the minor unit of `currency`."""
    return value.quantize(cent(currency), ROUND_HALF_UP)


def too_precise(values: Iterable[Decimal], currency: str) -> list[Decimal]:
    """Those of `values` that have more decimals than `currency` has."""
    unit = cent(currency)
    return [value for value in values if value != value.quantize(unit)]


def is_money(value: Decimal, currency: str) -> bool:
    """Whether `value` has no more decimals than `currency` has."""
    return not too_precise((value,), currency)


def split(total: Decimal, weights: Sequence[Decimal], currency: str) -> tuple[Decimal, ...]:
    """`total` shared in proportion to `weights` (not all zero), in minor units, summing exactly.

    Cumulative rounding: each share ends where its running total, rounded, ends. No share is off
    by more than one minor unit, and the order of the weights decides who gets the odd one.
    """
    whole = sum(weights, ZERO)
    if whole <= 0 or any(weight < 0 for weight in weights):
        msg = f"weights must be positive in sum and none negative: {weights}"
        raise ValueError(msg)
    shares, running, given = [], ZERO, ZERO
    for weight in weights:
        running += weight
        upto = round_money(total * running / whole, currency)
        shares.append(upto - given)
        given = upto
    return tuple(shares)
