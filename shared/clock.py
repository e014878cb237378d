"""The two clocks: business time, which a demo or a test may move, and system time.

Business time is system time plus the offset in the file `COLOPHON_CLOCK_FILE`, so that one
`colophon clock advance` moves every process together. This is the only module that reads a clock.
"""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.files import put_whole


class Clock(Protocol):
    """Whatever tells the business time."""

    def now(self) -> datetime:
        """The business time, in UTC."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """Business time that is system time: production."""

    def now(self) -> datetime:
        """The system time, in UTC."""
        return system_now()


@dataclass(frozen=True)
class FixedClock:
    """Business time that stands still: tests."""

    at: datetime

    def now(self) -> datetime:
        """The time given, in UTC."""
        return self.at


@dataclass(frozen=True)
class OffsetClock:
    """Business time as system time plus the seconds that the file holds, read at each call."""

    file: Path

    def now(self) -> datetime:
        """The system time plus the offset, in UTC."""
        return system_now() + self.offset()

    def offset(self) -> timedelta:
        """How far business time is ahead of system time; zero while there is no file."""
        try:
            return timedelta(seconds=int(self.file.read_text("ascii")))
        except FileNotFoundError:
            return timedelta()

    def advance(self, by: timedelta) -> datetime:
        """Move business time ahead by `by` (never back) and return the new time, in UTC."""
        if by < timedelta():
            msg = f"business time never runs back: {by}"
            raise ValueError(msg)
        seconds = int((self.offset() + by).total_seconds())
        put_whole(self.file.parent, self.file, str(seconds).encode("ascii"))
        return self.now()


def clock_from(file: Path | None) -> Clock:
    """The clock that the settings ask for: moved by `file` where one is given."""
    return OffsetClock(file) if file else SystemClock()


def system_now() -> datetime:
    """The system time, in UTC: for `ce_time`, lag and sessions, never for a business date."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never steps: for back-off, heartbeats and limits."""
    return time.monotonic()


def local_date(at: datetime, zone: str) -> date:
    """The calendar date of the instant `at` in the IANA zone `zone`."""
    return at.astimezone(ZoneInfo(zone)).date()
