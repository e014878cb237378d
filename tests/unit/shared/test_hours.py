"""The moment that a demo moves its clock to: past the time asked for, and sellers at work."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import is_business_day
from shared.local.demo import moments
from shared.local.hours import working_hour


def test_a_friday_evening_becomes_monday_noon() -> None:
    friday = datetime(2026, 11, 20, 22, tzinfo=UTC)

    assert working_hour(friday) == datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_holidays_around_christmas_are_left_out() -> None:
    eve = datetime(2026, 12, 24, 13, tzinfo=UTC)  # a Thursday; the 28th makes up for the 26th

    assert working_hour(eve) == datetime(2026, 12, 29, 12, tzinfo=UTC)


@given(st.timedeltas(timedelta(0), timedelta(days=2000)))
def test_berlin_and_london_are_at_work(later: timedelta) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC) + later
    found = working_hour(at)

    assert found >= at
    for zone, calendar in (("Europe/Berlin", ("DE", "BE")), ("Europe/London", ("GB", "ENG"))):
        local = found.astimezone(ZoneInfo(zone))
        assert is_business_day(local.date(), *calendar)
        assert 9 <= local.hour < 17


def test_the_demos_time_stops_at_each_stage() -> None:
    """If it jumped at once, every customer would get the last reminder first."""
    due_on, now = date(2026, 12, 7), datetime(2026, 11, 23, 9, tzinfo=UTC)
    seen = [(moment.date() - due_on).days for moment in moments(due_on, now)]
    assert seen == [1, 7, 14, 31]
    # What is late already is looked at in the stages that are still to come
    assert len(moments(date(2026, 11, 13), now)) == 2
