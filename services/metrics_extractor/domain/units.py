"""Units of UN/ECE Recommendation 20: which are known, which convert, which are counted."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from shared.events.base import Unit

NINE_PLACES: Final = Decimal("1e-9")
"""The step of every quantity on the wire."""

_CONVERSIONS: Final[Mapping[str, tuple[str, int, int]]] = {
    unit: (canonical.value, numerator, denominator)
    for canonical, row in {
        Unit.KILOGRAM: {"TNE": (1000, 1), "GRM": (1, 1000), "MGM": (1, 1_000_000)},
        Unit.LITRE: {"MLT": (1, 1000)},
        Unit.HOUR: {"MIN": (1, 60), "SEC": (1, 3600)},
        Unit.METRE: {"KMT": (1000, 1), "CMT": (1, 100), "MMT": (1, 1000)},
        Unit.SQUARE_METRE: {"CMK": (1, 10_000), "MMK": (1, 1_000_000)},
        Unit.KILOWATT_HOUR: {"WHR": (1, 1000)},
    }.items()
    for unit, (numerator, denominator) in {**row, canonical.value: (1, 1)}.items()
}
COUNTED: Final = frozenset(
    {Unit.PIECE.value, Unit.SHEET.value, Unit.PAGE.value, "C62", "EA", "NMP", "PR", "SET"}
)
"""Pieces, sheets, pages, ones, each, packs, pairs, sets: what is shared out whole."""
KNOWN: Final = COUNTED | _CONVERSIONS.keys() | {Unit.LUMP_SUM.value, "CEN", "MIL"}
"""Every unit that a report may use; hundreds and thousands stay as they are."""


def canonical(quantity: Decimal, unit: str) -> Decimal:
    """`quantity` in the canonical unit of its kind: kilograms, litres, hours, (square) metres.

    Rounded half up to nine decimals, once, here; a unit without conversion stays as it is.
    """
    conversion = _CONVERSIONS.get(unit)
    if conversion is None or conversion[0] == unit:
        return quantity
    _, numerator, denominator = conversion
    return (quantity * numerator / denominator).quantize(NINE_PLACES, ROUND_HALF_UP)


def canonical_unit(unit: str) -> str:
    """The unit that `canonical` converts `unit` to."""
    return _CONVERSIONS.get(unit, (unit, 1, 1))[0]


def converted(quantity: Decimal, unit: str, to: str) -> Decimal | None:
    """`quantity` of `unit` in the unit `to`, not rounded; None where neither becomes the other."""
    if unit == to:
        return quantity
    canonical_from, numerator, denominator = _CONVERSIONS.get(unit, (unit, 1, 1))
    canonical_to, per_numerator, per_denominator = _CONVERSIONS.get(to, (to, 1, 1))
    if canonical_from != canonical_to:
        return None
    return quantity * numerator * per_denominator / (denominator * per_numerator)
