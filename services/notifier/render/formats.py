"""Amounts, dates and account numbers as a reader of a locale expects them (CLDR, through babel)."""

import copy
import re
from datetime import date
from decimal import Decimal
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import NumberPattern, format_decimal

from shared.money import minor_unit

_NBSP = "\N{NO-BREAK SPACE}"
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


def money(amount: Decimal, currency: str, locale: str) -> str:
    """`amount` with its currency; always as many decimals as ISO 4217 gives it.

    CLDR shows some currencies with fewer: it knows how people write, not how invoices count.
    """
    pattern = _money_pattern(locale, minor_unit(currency))
    shown: str = pattern.apply(amount, _parsed(locale), currency=currency, currency_digits=False)
    return shown


def day(on: date, locale: str) -> str:
    """`on` with its month in words, so that no reader takes it for another; never torn apart."""
    return format_date(on, "long", locale=_parsed(locale)).replace(" ", _NBSP)


def country(code: str, locale: str) -> str:
    """The name of the country `code` (ISO 3166-1)."""
    return str(_parsed(locale).territories.get(code, code))


def percent(rate: Decimal, locale: str) -> str:
    """`rate` (2 means 2 %) as a number without trailing zeros."""
    return format_decimal(rate.normalize(), "#,##0.######", locale=_parsed(locale))


def grouped(reference: str) -> str:
    """An IBAN or an ISO 11649 reference in groups of four, as banks print them."""
    plain = reference.replace(" ", "")
    return " ".join(plain[i : i + 4] for i in range(0, len(plain), 4))


def is_iban(account: str) -> bool:
    """Whether an account number looks like an IBAN rather than a national one."""
    return _IBAN.fullmatch(account.replace(" ", "")) is not None


@cache
def _parsed(locale: str) -> Locale:
    try:
        return Locale.parse(locale)
    except (UnknownLocaleError, ValueError):
        return Locale.parse(locale.partition("_")[0])


@cache
def _money_pattern(locale: str, decimals: int) -> NumberPattern:
    pattern: NumberPattern = copy.copy(_parsed(locale).currency_formats["standard"])
    pattern.frac_prec = (decimals, decimals)
    return pattern
