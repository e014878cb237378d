"""Business days: weekends and public holidays of a country or of one of its subdivisions.

Due dates and reminders use the legal entity's calendar. The rules come from the `holidays`
package; nothing is read from a file, a network or a clock.
"""

from datetime import date, timedelta
from functools import cache, lru_cache

import holidays

from shared.errors import Invalid

_ONE_DAY = timedelta(days=1)


def check_calendar(country: str, subdivision: str | None = None) -> None:
    """Raise `Invalid` unless the calendar of ISO 3166-1 `country` (and `subdivision`) is known.

    `subdivision` is an ISO 3166-2 code, with the country before it or without: DE-BE or BE.
    """
    known = _supported()
    if country not in known:
        raise Invalid("calendar-unknown", "no calendar for this country", country=country)
    if subdivision and _short(country, subdivision) not in known[country]:
        raise Invalid(
            "calendar-unknown",
            "no calendar for this part of the country: leave it out, or take one of the known",
            country=country,
            subdivision=subdivision,
            known=" ".join(known[country]) or "none",
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


@cache
def _days_off(
    year: int, country: str, subdivision: str | None
) -> tuple[frozenset[int], frozenset[date]]:
    check_calendar(country, subdivision)
    part = _short(country, subdivision) if subdivision else None
    calendar = holidays.country_holidays(country, subdiv=part, years=year)
    return frozenset(calendar.weekend), frozenset(calendar)


@cache
def _supported() -> dict[str, list[str]]:
    return holidays.list_supported_countries(include_aliases=True)


def _short(country: str, subdivision: str) -> str:
    return subdivision.removeprefix(f"{country}-")
