"""When a customer is reminded of an overdue invoice: stages, business hours, pauses.

Dates are the seller's local ones, instants are UTC.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from shared.calendar import check_calendar, is_business_day, next_business_day
from shared.errors import Invalid

DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Stage:
    """One reminder: due `days` after the due date, `tone` says how it speaks."""

    number: int
    tone: str
    days: int


@dataclass(frozen=True)
class Policy:
    """Which reminders there are, and when they may leave.

    Between `opens` and `closes`, local time, on business days. At least `gap_days` lie between two
    reminders of one invoice, so that a holiday or an outage does not push them together.
    """

    stages: tuple[Stage, ...]
    opens: time
    closes: time
    gap_days: int

    def after(self, number: int) -> tuple[Stage, ...]:
        """The stages that follow stage `number`, in their order."""
        return tuple(stage for stage in self.stages if stage.number > number)


POLICY: Final = Policy(
    stages=(Stage(1, "friendly", 1), Stage(2, "firm", 7), Stage(3, "escalation", 14)),
    opens=time(9),
    closes=time(17),
    gap_days=2,
)


@dataclass(frozen=True)
class Place:
    """Whose clock and holidays count: an IANA zone, an ISO 3166 country, perhaps a subdivision."""

    zone: str
    country: str
    subdivision: str | None

    def local(self, at: datetime) -> datetime:
        """The instant `at` on the clocks of this place."""
        return at.astimezone(ZoneInfo(self.zone))

    def opening(self, day: date, policy: Policy) -> datetime:
        """The first opening, in UTC, on or after the local date `day`."""
        business_day = next_business_day(day, self.country, self.subdivision)
        local = datetime.combine(business_day, policy.opens, ZoneInfo(self.zone))
        return local.astimezone(UTC)

    def next_open(self, now: datetime, policy: Policy) -> datetime:
        """`now` where this place is open, otherwise its next opening, in UTC."""
        local = self.local(now)
        if local.time() >= policy.closes:
            return self.opening(local.date() + DAY, policy)
        is_working = is_business_day(local.date(), self.country, self.subdivision)
        if is_working and local.time() >= policy.opens:
            return now
        return self.opening(local.date(), policy)


@dataclass(frozen=True)
class Chase:
    """How far the dunning of one invoice has come.

    `stage` is the last one reached, 0 none. Overdue days during a pause (settled, disputed,
    not delivered) do not count: `paused_days` moves every later stage back.
    """

    due_on: date
    stage: int = 0
    reminded_on: date | None = None
    paused_since: date | None = None
    paused_days: int = 0

    def paused(self, today: date) -> "Chase":
        """This chase, resting from the local date `today` on; resting already, it stays so."""
        return replace(self, paused_since=self.paused_since or today)

    def resumed(self, today: date) -> "Chase":
        """This chase, going on from the local date `today`."""
        if self.paused_since is None:
            return self
        lost = max(0, (today - max(self.paused_since, self.due_on)).days)
        return replace(self, paused_since=None, paused_days=self.paused_days + lost)


@dataclass(frozen=True)
class Turn:
    """What one look at a chase yields: perhaps a reminder, and when to look again."""

    chase: Chase
    reminder: Stage | None
    skipped: tuple[Stage, ...]
    next_at: datetime | None


def check_place(place: Place) -> None:
    """Raise `Invalid` unless the zone and the calendar of `place` are known."""
    try:
        ZoneInfo(place.zone)
    except (KeyError, ValueError) as error:
        raise Invalid(
            "time-zone-unknown",
            "not a zone of the IANA database: mend it in the legal entity",
            time_zone=place.zone,
        ) from error
    check_calendar(place.country, place.subdivision)


def next_at(chase: Chase, place: Place, policy: Policy) -> datetime | None:
    """When the next reminder is due, in UTC; None when no further one is."""
    ahead = policy.after(chase.stage)
    if chase.paused_since is not None or not ahead:
        return None
    return _due_at(chase, ahead[0], place, policy)


def take_turn(chase: Chase, now: datetime, place: Place, policy: Policy) -> Turn:
    """Decide at `now`: the newest stage that has come, never more than one, only at open hours.

    Stages that came while nobody looked are skipped, not sent after each other.
    """
    at = next_at(chase, place, policy)
    if at is None or at > now:
        return Turn(chase, None, (), at)
    open_at = place.next_open(now, policy)
    if open_at > now:
        return Turn(chase, None, (), open_at)
    *skipped, newest = takewhile(
        lambda stage: _due_at(chase, stage, place, policy) <= now, policy.after(chase.stage)
    )
    reminded = replace(chase, stage=newest.number, reminded_on=place.local(now).date())
    return Turn(reminded, newest, tuple(skipped), next_at(reminded, place, policy))


def _due_at(chase: Chase, stage: Stage, place: Place, policy: Policy) -> datetime:
    day = chase.due_on + timedelta(days=stage.days + chase.paused_days)
    if chase.reminded_on is not None:
        day = max(day, chase.reminded_on + timedelta(days=policy.gap_days))
    return place.opening(day, policy)
