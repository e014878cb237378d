"""What every part of a document draws with: the invoice, its words, numbers, theme and paper."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.invoicer.render.logo import Logo
from services.invoicer.render.numbers import NumberStyle, country_name, long_date
from services.invoicer.render.pages import Extent
from services.invoicer.render.sheet import Sheet, Style
from services.invoicer.render.text import wrap
from services.invoicer.render.theme import Paper, Theme
from services.invoicer.render.words.base import Words
from shared.events.billing import InvoiceIssued
from shared.events.masterdata import Address
from shared.money import ZERO

_CITY_FIRST = frozenset("AU CA IN NZ SG US".split())
_CODE_BELOW = frozenset("GB IE".split())


@dataclass(frozen=True)
class Scene:
    """One document's invoice and everything that decides how it looks."""

    issued: InvoiceIssued
    words: Words
    locale: str
    numbers: NumberStyle
    theme: Theme
    paper: Paper
    logo: Logo | None

    def money(self, amount: Decimal) -> str:
        """`amount` as a number of the invoice's currency."""
        return self.numbers.money(amount, self.issued.currency)

    def amount(self, amount: Decimal) -> str:
        """`amount` with its currency, never parted at a line's end."""
        return f"{self.issued.currency}\u00a0{self.money(amount)}"

    def date(self, on: date) -> str:
        """`on` in words."""
        return long_date(on, self.locale)


@dataclass(frozen=True)
class Row:
    """Something that stands on one page as a whole: its extent, and how to draw it from a top.

    `amount` is what it adds to the subtotal that a page break carries forward.
    """

    extent: Extent
    draw: Callable[[Sheet, float], None]
    amount: Decimal = ZERO


def paragraph(sheet: Sheet, x: float, y: float, text: str, style: Style, width: float) -> float:
    """Draw `text` wrapped to `width`, its first baseline at `y`; returns the baseline after it."""
    for line in wrap(text, style.face, style.size, width):
        sheet.text(x, y, line, style)
        y += leading(style)
    return y


def height_of(text: str, style: Style, width: float) -> float:
    """How high `text` is when wrapped to `width`."""
    return len(wrap(text, style.face, style.size, width)) * leading(style)


def leading(style: Style) -> float:
    """The distance from one baseline to the next."""
    return round(style.size * 1.32, 2)


def address_lines(address: Address, language: str, home: str) -> list[str]:
    """An address as post offices want it; the country, in capitals, only abroad (UPU S42)."""
    if address.country in _CITY_FIRST:
        comma = "," if address.country == "US" else ""
        region = f"{address.city}{comma} {address.region}" if address.region else address.city
        place = [f"{region} {address.postal_code}"]
    elif address.country in _CODE_BELOW:
        place = [address.city, address.postal_code]
    else:
        place = [f"{address.postal_code} {address.city}".strip()]
    abroad = [country_name(address.country, language).upper()] if address.country != home else []
    return [*address.lines, *place, *abroad]
