"""Business days: weekends and public holidays of a country or of one of its subdivisions.

Due dates and reminders use the legal entity's calendar. The rules come from the `holidays`
package; nothing is read from a file, a network or a clock.
"""

from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Final

import holidays

from shared.errors import Invalid

_ONE_DAY: Final = timedelta(days=1)

# The package loads all its calendars, which takes a second, when the first is asked for: here,
# where no transaction waits.
_KNOWN: Final = holidays.list_supported_countries(include_aliases=True)


def check_calendar(country: str, subdivision: str | None = None) -> None:
    """Raise `Invalid` unless the calendar of ISO 3166-1 `country` (and `subdivision`) is known.

    `subdivision` is an ISO 3166-2 code, with the country before it or without: DE-BE or BE.
    """
    if country not in _KNOWN:
        raise Invalid("calendar-unknown", "no calendar for this country", country=country)
    if subdivision and _short(country, subdivision) not in _KNOWN[country]:
        raise Invalid(
            "calendar-unknown",
            "no calendar for this part of the country: leave it out, or take one of the known",
            country=country,
            subdivision=subdivision,
            known=" ".join(_KNOWN[country]) or "none",
        )


def is_business_day(on: date, country: str, subdivision: str | None = None) -> bool:
    """Whether `on` is neither a weekend day nor a public holiday there."""
    weekend, days = _days_off(on.year, country, subdivision)
    return on.weekday() not in weekend and on not in days


@lru_cache(maxsize=4096)
def next_business_day(on: date, country: str, subdivision: str | None = None) -> date:
    """The first business day on or after `on`: where it falls on one, `on` itself."""
    while not is_business_day(on, country, subdivision):
        on += _ONE_DAY
    return on


def pay_by(issued_on: date, days: int, country: str, subdivision: str | None) -> date:
    """The day `days` after `issued_on`, moved on to the next business day of the calendar.

    For due dates and early-payment dates alike, on the invoice and in the mail that goes with it.
    """
    return next_business_day(issued_on + timedelta(days=days), country, subdivision)


@cache
def _days_off(
    year: int, country: str, subdivision: str | None
) -> tuple[frozenset[int], frozenset[date]]:
    check_calendar(country, subdivision)
    part = _short(country, subdivision) if subdivision else None
    calendar = holidays.country_holidays(country, subdiv=part, years=year)
    return frozenset(calendar.weekend), frozenset(calendar)


def _short(country: str, subdivision: str) -> str:
    return subdivision.removeprefix(f"{country}-")
