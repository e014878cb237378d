"""Invoice numbers: contiguous per legal entity, series and fiscal year, in issue-date order.

A number exists only as the advanced state of its series, which is written in the transaction that
issues the invoice, so a rollback gives both back.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

_SERIES: Final = re.compile(r"[A-Z0-9]([A-Z0-9/-]{0,10}[A-Z0-9])?")
_LETTERS_MAX: Final = 10  # an ISO 11649 reference holds 21: these, 4 of the year, 7 of the number


@dataclass(frozen=True)
class Series:
    """The last number given in a series of a legal entity in a fiscal year, and on which day."""

    legal_entity_id: str
    series: str
    fiscal_year: int
    last_number: int
    last_issued_on: date

    @property
    def invoice_number(self) -> str:
        """The last number as it stands on the document: R-2026-000042."""
        return f"{self.series}-{self.fiscal_year}-{self.last_number:06d}"


def fiscal_year(on: date, start_month: int) -> int:
    """The fiscal year of `on`, named after the calendar year in which it begins."""
    return on.year if on.month >= start_month else on.year - 1


def take_number(
    known: Iterable[Series], legal_entity_id: str, series: str, start_month: int, today: date
) -> Series:
    """The series advanced by one number, dated `today` or, if later, as its last invoice.

    `known` holds what the caller has locked of this series, all fiscal years; other series in it
    are ignored. A clock that steps back, also over a fiscal year's end, never breaks the order.
    """
    mine = [one for one in known if (one.legal_entity_id, one.series) == (legal_entity_id, series)]
    issued_on = max([today, *(one.last_issued_on for one in mine)])
    year = fiscal_year(issued_on, start_month)
    for one in mine:
        if one.fiscal_year == year:
            return replace(one, last_number=one.last_number + 1, last_issued_on=issued_on)
    return Series(legal_entity_id, series, year, 1, issued_on)


def unknown_numbers(published: Iterable[Series], known: Iterable[Series]) -> list[str]:
    """In words, the series of which a later number was `published` than the last one `known`."""
    last = {(one.legal_entity_id, one.series, one.fiscal_year): one for one in known}
    behind = []
    for one in published:
        own = last.get((one.legal_entity_id, one.series, one.fiscal_year))
        if own is None or own.last_number < one.last_number:
            found = f"legal entity {one.legal_entity_id}, series {one.series}: {one.invoice_number}"
            behind.append(f"{found} is published, {own.invoice_number if own else 'none'} is known")
    return sorted(behind)


def is_series(text: str) -> bool:
    """Whether `text` can name a series: capitals and digits, inside also - and /, at most 12."""
    return bool(_SERIES.fullmatch(text)) and len(series_letters(text)) <= _LETTERS_MAX


def series_letters(text: str) -> str:
    """`text` without what a payment reference cannot carry; no two series may share it."""
    return re.sub(r"[^A-Z0-9]", "", text)
