"""Dunning: the right stage, once, on a business day at the seller's local hour."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.dunning_scheduler.domain import (
    POLICY,
    Chase,
    Place,
    Stage,
    check_place,
    next_at,
    take_turn,
)
from shared.calendar import is_business_day
from shared.errors import Invalid

BERLIN = Place("Europe/Berlin", "DE", "BE")
DUBAI = Place("Asia/Dubai", "AE", None)
PLACES = (
    BERLIN,
    Place("Europe/London", "GB", "ENG"),
    Place("America/St_Johns", "CA", "NL"),
    Place("Pacific/Auckland", "NZ", None),
    Place("Pacific/Apia", "WS", None),
    Place("Asia/Tokyo", "JP", None),
    DUBAI,
)
FRIENDLY, FIRM, ESCALATION = POLICY.stages
DUE = date(2026, 3, 2)  # a Monday


def at(day: date, hour: int, minute: int = 0, place: Place = BERLIN) -> datetime:
    local = datetime.combine(day, time(hour, minute), ZoneInfo(place.zone))
    return local.astimezone(UTC)


def after(days: int, hour: int = 9) -> datetime:
    return at(DUE + timedelta(days=days), hour)


# ---------------------------------------------------------------- when


def test_the_stages_are_one_seven_and_fourteen_days_past_due() -> None:
    assert [(s.number, s.tone, s.days) for s in POLICY.stages] == [
        (1, "friendly", 1),
        (2, "firm", 7),
        (3, "escalation", 14),
    ]


def test_nothing_is_due_before_the_first_day_past_due() -> None:
    turn = take_turn(Chase(DUE), after(0, 16), BERLIN, POLICY)

    assert turn.reminder is None
    assert turn.next_at == after(1)


def test_each_stage_comes_on_its_day_at_nine() -> None:
    chase, stages = Chase(DUE), []
    while (due_at := next_at(chase, BERLIN, POLICY)) is not None:
        turn = take_turn(chase, due_at, BERLIN, POLICY)
        stages.append((turn.reminder, due_at))
        chase = turn.chase

    assert stages == [(FRIENDLY, after(1)), (FIRM, after(7)), (ESCALATION, after(14))]


def test_a_second_before_nine_nothing_leaves() -> None:
    early = take_turn(Chase(DUE), after(1) - timedelta(microseconds=1), BERLIN, POLICY)
    sharp = take_turn(Chase(DUE), after(1), BERLIN, POLICY)

    assert (early.reminder, sharp.reminder) == (None, FRIENDLY)


def test_a_weekend_moves_the_reminder_to_monday() -> None:
    friday = date(2026, 3, 6)

    assert next_at(Chase(friday), BERLIN, POLICY) == at(date(2026, 3, 9), 9)


def test_a_public_holiday_of_the_subdivision_moves_it_too() -> None:
    eve = date(2027, 3, 7)  # the 8th, a Monday, is a holiday in Berlin alone
    hamburg = replace(BERLIN, subdivision="HH")

    assert next_at(Chase(eve), BERLIN, POLICY) == at(date(2027, 3, 9), 9)
    assert next_at(Chase(eve), hamburg, POLICY) == at(date(2027, 3, 8), 9)


def test_daylight_saving_does_not_move_the_local_hour() -> None:
    winter = next_at(Chase(date(2026, 3, 26)), BERLIN, POLICY)
    summer = next_at(Chase(date(2026, 3, 29)), BERLIN, POLICY)  # clocks changed that Sunday

    assert winter == datetime(2026, 3, 27, 8, tzinfo=UTC)
    assert summer == datetime(2026, 3, 30, 7, tzinfo=UTC)


def test_the_sellers_day_counts_not_the_servers() -> None:
    apia = Place("Pacific/Apia", "WS", None)  # UTC+13: Tuesday morning there is Monday here

    assert next_at(Chase(DUE), apia, POLICY) == datetime(2026, 3, 2, 20, tzinfo=UTC)


# ---------------------------------------------------------------- after an outage


def test_after_an_outage_only_the_newest_stage_leaves() -> None:
    turn = take_turn(Chase(DUE), after(15, 11), BERLIN, POLICY)

    assert turn.reminder == ESCALATION
    assert turn.skipped == (FRIENDLY, FIRM)
    assert turn.next_at is None


@pytest.mark.parametrize(
    ("woken", "leaves"),
    [
        (at(date(2026, 3, 4), 22), at(date(2026, 3, 5), 9)),  # late at night
        (at(date(2026, 3, 5), 6), at(date(2026, 3, 5), 9)),  # before the shop opens
        (at(date(2026, 3, 7), 11), at(date(2026, 3, 9), 9)),  # on a Saturday
        (at(date(2026, 3, 6), 17), at(date(2026, 3, 9), 9)),  # Friday at closing time
    ],
)
def test_an_outage_that_ends_outside_business_hours_waits_for_them(
    woken: datetime, leaves: datetime
) -> None:
    turn = take_turn(Chase(DUE), woken, BERLIN, POLICY)

    assert turn.reminder is None
    assert turn.chase == Chase(DUE)
    assert turn.next_at == leaves


def test_a_late_reminder_keeps_its_distance_to_the_next() -> None:
    late = take_turn(Chase(DUE), after(4, 16), BERLIN, POLICY)  # Friday; the firm one: Monday
    later = take_turn(late.chase, after(7, 8), BERLIN, POLICY)

    assert late.reminder == FRIENDLY
    assert later.next_at == after(7)

    thursday_before = replace(late.chase, reminded_on=DUE + timedelta(days=6))
    assert next_at(thursday_before, BERLIN, POLICY) == after(8)


# ---------------------------------------------------------------- pauses


def test_a_paused_chase_reminds_nobody() -> None:
    paused = Chase(DUE).paused(DUE)

    assert next_at(paused, BERLIN, POLICY) is None
    assert take_turn(paused, after(30), BERLIN, POLICY).reminder is None
    assert paused.paused(DUE + timedelta(days=9)) == paused


def test_overdue_days_during_a_pause_do_not_count() -> None:
    reminded = Chase(DUE, stage=1, reminded_on=DUE + timedelta(days=1))

    paused = reminded.paused(DUE + timedelta(days=3))
    resumed = paused.resumed(DUE + timedelta(days=20))

    assert resumed.paused_days == 17
    assert next_at(resumed, BERLIN, POLICY) == after(7 + 17)


def test_days_before_the_due_date_do_not_count_as_paused() -> None:
    settled_early = Chase(DUE).paused(DUE - timedelta(days=10))

    assert settled_early.resumed(DUE - timedelta(days=2)) == Chase(DUE)
    assert settled_early.resumed(DUE + timedelta(days=2)).paused_days == 2


def test_resuming_what_does_not_rest_changes_nothing() -> None:
    assert Chase(DUE).resumed(DUE) == Chase(DUE)


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../etc/passwd", ""])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_place(replace(BERLIN, zone=zone))

    assert refusal.value.code == "time-zone-unknown"


def test_a_calendar_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid):
        check_place(replace(BERLIN, subdivision="XX"))
    check_place(BERLIN)


# ---------------------------------------------------------------- whatever the ticks do

ticks = st.lists(
    st.timedeltas(timedelta(0), timedelta(days=9)), min_size=1, max_size=40
)  # between one look and the next: nothing, or days of outage


@given(st.sampled_from(PLACES), st.dates(date(2024, 1, 1), date(2029, 12, 31)), ticks)
def test_a_stage_leaves_once_in_order_and_at_open_hours_whatever_the_ticks_do(
    place: Place, due_on: date, gaps: list[timedelta]
) -> None:
    chase, now, sent = Chase(due_on), at(due_on, 0, place=place), list[tuple[Stage, datetime]]()
    reached: list[int] = []
    for gap in gaps:
        now += gap
        turn = take_turn(chase, now, place, POLICY)
        chase = turn.chase
        reached += [stage.number for stage in turn.skipped]
        if turn.reminder is not None:
            reached.append(turn.reminder.number)
            sent.append((turn.reminder, now))

    assert reached == sorted(set(reached)), "a stage came twice, or after a later one"
    days = [place.local(moment).date() for _, moment in sent]
    for (stage, moment), day in zip(sent, days, strict=True):
        assert is_business_day(day, place.country, place.subdivision)
        assert POLICY.opens <= place.local(moment).time() < POLICY.closes
        assert (day - due_on).days >= stage.days
    for earlier, later in pairwise(days):
        assert (later - earlier).days >= POLICY.gap_days


@example(DUBAI, date(2024, 4, 1))
@given(st.sampled_from(PLACES), st.dates(date(2024, 1, 1), date(2029, 12, 31)))
def test_looking_when_told_to_skips_a_stage_only_where_no_business_day_was_left_for_it(
    place: Place, due_on: date
) -> None:
    """A week of feast days (Eid 2024 in Dubai) leaves no day between two stages; nothing else."""
    chase, now, reached = Chase(due_on), at(due_on, 0, place=place), list[int]()
    for _ in range(10):
        turn = take_turn(chase, now, place, POLICY)
        for stage in turn.skipped:
            first = due_on + timedelta(days=stage.days)
            if chase.reminded_on is not None:
                first = max(first, chase.reminded_on + timedelta(days=POLICY.gap_days))
            assert place.opening(first, POLICY) >= now
            reached.append(stage.number)
        chase = turn.chase
        if turn.reminder is not None:
            reached.append(turn.reminder.number)
        if turn.next_at is None:
            break
        assert turn.next_at > now or turn.reminder is None
        now = turn.next_at

    assert reached == [1, 2, 3]
