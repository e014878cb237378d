"""Reads attributes as what they mean: amounts, instants, durations, ids. Says where one does not.

A reader belongs to one document: it knows for whom it is read and collects what is worth saying.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from services.ingest.domain.element import Element
from shared.events.base import QUANTITY

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_NUMBER_LENGTH_MAX: Final = 100
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\d*(Z|[+-]\d\d:?\d\d)?"
)
_DURATION: Final = re.compile(
    r"P(?:0+Y)?(?:0+M)?(?:(?P<d>\d{1,6})D)?"
    r"(?:T(?:(?P<h>\d{1,6})H)?(?:(?P<m>\d{1,6})M)?(?:(?P<s>\d{1,6}(?:\.\d{1,9})?)S)?)?"
)
_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
QUANTUM: Final = Decimal(1).scaleb(-QUANTITY.scale)
_INTEGER_DIGITS: Final = QUANTITY.precision - QUANTITY.scale
STEPS_MAX: Final = 2_000_000
CODE_MAX, ID_MAX, TEXT_MAX = 64, 200, 2000


def half_up(value: Decimal, places: Decimal = QUANTUM) -> Decimal:
    """`value` rounded half up to `places` (a quantity's nine decimals)."""
    return value.quantize(places, ROUND_HALF_UP)


@dataclass(slots=True)
class Reader:
    """For which legal entity a document is read, and what was noted on the way.

    `zone` is the zone of times that name none; without it such a time is a fault.
    """

    legal_entity_id: str
    zone: ZoneInfo | None = None
    noted: dict[str, None] = field(default_factory=dict)
    steps: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noted, once each, in order."""
        return tuple(self.noted)

    def note(self, text: str) -> None:
        """Remember something that the person who ingests should know."""
        self.noted[text] = None

    def spend(self, at: Element, steps: int) -> None:
        """Count work that grows faster than the file; too much of it is refused."""
        self.steps += steps
        if self.steps > STEPS_MAX:
            raise at.unreadable("refers to so many parts so often that it cannot be read: split it")

    def amount(self, at: Element, attribute: str) -> Decimal | None:
        """An amount of zero or more, rounded half up to nine decimals."""
        text = at.text(attribute)
        if text is None:
            return None
        if len(text) > _NUMBER_LENGTH_MAX or not _NUMBER.fullmatch(text):
            raise at.unreadable(f'@{attribute} "{text[:40]}" is not a number')
        value = Decimal(text)
        if value < 0:
            raise at.unreadable(f'@{attribute} "{text}" is negative')
        if value and value.adjusted() >= _INTEGER_DIGITS:
            raise at.unreadable(f'@{attribute} "{text[:40]}" is too large')
        rounded = half_up(value)
        if rounded != value:
            self.note(f"line {at.line}: @{attribute} {text} rounded half up to nine decimals")
        return rounded.normalize() + 0 if rounded else Decimal(0)

    def instant(self, at: Element, attribute: str) -> datetime | None:
        """An ISO 8601 instant, in UTC."""
        text = at.text(attribute)
        if text is None:
            return None
        found = _INSTANT.fullmatch(text)
        if not found:
            raise at.unreadable(f'@{attribute} "{text[:40]}" is no ISO 8601 time')
        try:
            local = datetime.fromisoformat(found[1] + (found[2] or ""))
            return self._zoned(local, at, attribute).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise at.unreadable(f'@{attribute} "{text}" is no time: {error}') from error

    def needed_instant(self, at: Element, attribute: str) -> datetime:
        """An instant that must be there."""
        found = self.instant(at, attribute)
        if found is None:
            raise at.unreadable(f"@{attribute} is missing")
        return found

    def _zoned(self, local: datetime, at: Element, attribute: str) -> datetime:
        if local.tzinfo is not None:
            return local
        if self.zone is None:
            raise at.unreadable(
                f'@{attribute} "{local.isoformat()}" has no zone: name it with --time-zone'
            )
        self.note(f"times without a zone are read as {self.zone.key}")
        return local.replace(tzinfo=self.zone)

    def hours(self, at: Element, attribute: str) -> Decimal | None:
        """An ISO 8601 duration in hours, rounded half up to nine decimals."""
        text = at.text(attribute)
        if text is None:
            return None
        found = _DURATION.fullmatch(text)
        parts = found.groupdict() if found else {}
        if not any(parts.values()):
            raise at.unreadable(
                f'@{attribute} "{text[:40]}" is no duration in days, hours, minutes'
            )
        seconds = sum(
            (Decimal(parts[unit] or 0) * each for unit, each in _SECONDS.items()), Decimal(0)
        )
        return half_up(seconds / 3600).normalize() + 0

    def code(self, at: Element, attribute: str) -> str | None:
        """A code of at most 64 characters."""
        return _short(at, attribute, CODE_MAX)

    def ident(self, at: Element, attribute: str) -> str | None:
        """An identifier of at most 200 characters."""
        return _short(at, attribute, ID_MAX)


def _short(at: Element, attribute: str, length_max: int) -> str | None:
    text = at.text(attribute)
    if text is not None and len(text) > length_max:
        raise at.unreadable(f"@{attribute} is longer than {length_max} characters")
    return text
