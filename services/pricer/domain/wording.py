"""Sentences with figures: reasons for the shop's accountant, line descriptions for the customer.

Reasons are English; descriptions speak the customer's language where it is German, else English.
"""

from decimal import Decimal
from functools import lru_cache
from typing import Final

from shared.events.base import Unit
from shared.events.production import Component, PhaseStatus
from shared.money import minor_unit

_UNITS: Final = {
    Unit.PIECE: "pieces",
    Unit.SHEET: "sheets",
    Unit.PAGE: "pages",
    Unit.GRAM: "g",
    Unit.KILOGRAM: "kg",
    Unit.METRE: "m",
    Unit.SQUARE_METRE: "m²",
    Unit.MILLILITRE: "ml",
    Unit.LITRE: "l",
    Unit.SECOND: "s",
    Unit.MINUTE: "min",
    Unit.HOUR: "h",
    Unit.KILOWATT_HOUR: "kWh",
    Unit.LUMP_SUM: "lump sum",
}
_COMPONENTS: Final = {
    None: "Total",
    Component.UNKNOWN: "Work of an unknown kind",
    Component.SUBSTRATE: "Substrate",
    Component.INK: "Ink",
    Component.MACHINE: "Machine time",
    Component.FINISHING: "Finishing",
    Component.SERVICES: "Services",
}
_GERMAN: Final = {
    PhaseStatus.UNKNOWN: "",
    PhaseStatus.SETUP: ", Einrichten",
    PhaseStatus.RUN: ", Fortdruck",
    PhaseStatus.CLEANUP: ", Waschen",
    PhaseStatus.STOPPED: ", Stillstand",
    PhaseStatus.IDLE: ", Leerlauf",
    "overs": "Mehrmenge zum Fortdruckpreis",
    "unders": "Mindermenge zum Fortdruckpreis",
    "discount": "Rabatt {percent} % auf {amount}",
    "minimum": "Aufschlag auf den Mindestauftragswert von {amount}",
}
_ENGLISH: Final = {
    PhaseStatus.UNKNOWN: "",
    PhaseStatus.SETUP: ", make-ready",
    PhaseStatus.RUN: ", run",
    PhaseStatus.CLEANUP: ", wash-up",
    PhaseStatus.STOPPED: ", stopped",
    PhaseStatus.IDLE: ", idle",
    "overs": "Overs at the run-on price",
    "unders": "Unders at the run-on price",
    "discount": "Discount of {percent} % on {amount}",
    "minimum": "Lift to the minimum charge of {amount}",
}


def money(amount: Decimal, currency: str) -> str:
    """`amount` as a reason writes it: EUR 1,081.90."""
    return f"{currency} {amount:,.{minor_unit(currency)}f}"


def number(value: Decimal) -> str:
    """`value` with thousands separated and without trailing zeros: 5,200 or 0.085."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit_name(unit: str) -> str:
    """A UN/ECE code in words: ST is sheets."""
    return _UNITS.get(unit, unit)  # type: ignore[call-overload, no-any-return]


def name(component: Component | None) -> str:
    """A component as a sentence begins with it; None is the total."""
    return _COMPONENTS[component]


def status(locale: str, did: PhaseStatus) -> str:
    """What a device did, as it follows its name: ", make-ready"."""
    return _words(locale)[did]


def overs(locale: str) -> str:
    """The description of a line for overs."""
    return _words(locale)["overs"]


def unders(locale: str) -> str:
    """The description of a line that credits unders."""
    return _words(locale)["unders"]


def discount(locale: str, percent: Decimal, amount: Decimal, currency: str) -> str:
    """The description of a line that takes `percent` off `amount`."""
    words = _words(locale)["discount"]
    return words.format(
        percent=_local(locale, number(percent)), amount=_local(locale, money(amount, currency))
    )


def minimum(locale: str, amount: Decimal, currency: str) -> str:
    """The description of a line that lifts a total to the minimum charge `amount`."""
    return _words(locale)["minimum"].format(amount=_local(locale, money(amount, currency)))


def _words(locale: str) -> dict[str, str]:
    return _GERMAN if _is_german(locale) else _ENGLISH


def _local(locale: str, figures: str) -> str:
    return figures.translate(_SWAPPED) if _is_german(locale) else figures


@lru_cache(maxsize=256)
def _is_german(locale: str) -> bool:
    return locale.lower().replace("_", "-").split("-")[0] == "de"


_SWAPPED: Final = str.maketrans(",.", ".,")
