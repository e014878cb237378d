"""Numbers, money and dates as a locale writes them (CLDR, through babel).

The patterns are read from CLDR once per locale and applied here, because babel's own formatter is
twenty times slower; a test holds the two together. Digits are always 0 to 9, and the minus is the
plain hyphen, so that what stands in the document can be found and read by programs too.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final

from babel import Locale
from babel.dates import format_date
from babel.numbers import NumberPattern, get_decimal_symbol, get_group_symbol

from shared.money import minor_unit

_SYSTEM: Final = "latn"


@dataclass(frozen=True)
class NumberStyle:
    """How a locale writes numbers: its symbols, group sizes and percent sign."""

    decimal: str
    group: str
    first_group: int
    other_groups: int
    percent: str

    def number(self, value: Decimal, decimals: int) -> str:
        """`value` with exactly `decimals` decimals; it must have no more."""
        digits = f"{value:.{decimals}f}"
        sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
        whole, _, fraction = digits.partition(".")
        grouped = self._grouped(whole)
        return f"{sign}{grouped}{self.decimal}{fraction}" if fraction else f"{sign}{grouped}"

    def shortest(self, value: Decimal, decimals_min: int = 0) -> str:
        """`value` with as many decimals as it needs, at least `decimals_min`."""
        exponent = value.normalize().as_tuple().exponent
        needed = -exponent if isinstance(exponent, int) else 0
        return self.number(value, max(decimals_min, needed))

    def money(self, amount: Decimal, currency: str) -> str:
        """`amount` with the decimals of its currency, without the currency."""
        return self.number(amount, minor_unit(currency))

    def rate(self, percent: Decimal) -> str:
        """`percent` with its sign: 19% or 19 %."""
        return self.percent.format(self.shortest(percent))

    def _grouped(self, whole: str) -> str:
        groups, end = [], len(whole)
        size = self.first_group
        while end > 0:
            groups.append(whole[max(0, end - size) : end])
            end, size = end - size, self.other_groups
        return self.group.join(reversed(groups))


@cache
def number_style(locale: str) -> NumberStyle:
    """The number style of `locale`, written de_DE."""
    parsed = Locale.parse(locale)
    pattern: NumberPattern = parsed.decimal_formats[None]
    first, other = pattern.grouping
    percent: NumberPattern = parsed.percent_formats[None]
    prefix, suffix = percent.prefix[0], percent.suffix[0]
    return NumberStyle(
        decimal=get_decimal_symbol(parsed, numbering_system=_SYSTEM),
        group=get_group_symbol(parsed, numbering_system=_SYSTEM),
        first_group=first,
        other_groups=other,
        percent=f"{prefix}{{}}{suffix}",
    )


@lru_cache(maxsize=4096)
def long_date(on: date, locale: str) -> str:
    """`on` in words of `locale`: 7 March 2026."""
    return format_date(on, "long", locale)


@lru_cache(maxsize=1024)
def country_name(country: str, language: str) -> str:
    """The name of an ISO 3166-1 country in `language`, or its code where CLDR has none."""
    name: str = Locale.parse(language).territories.get(country, country)
    return name
