"""Business days of a place: weekends and public holidays, and the places that are unknown."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import check_calendar, is_business_day, next_business_day, pay_by
from shared.errors import Invalid


def test_weekends_and_holidays_are_no_business_days() -> None:
    assert is_business_day(date(2026, 4, 2), "DE")
    assert not is_business_day(date(2026, 4, 3), "DE")  # Good Friday
    assert not is_business_day(date(2026, 4, 4), "DE")  # a Saturday


def test_the_weekend_is_the_countrys_own() -> None:
    friday, sunday = date(2026, 2, 6), date(2026, 2, 8)
    assert not is_business_day(friday, "KW")
    assert is_business_day(sunday, "KW")


def test_a_subdivision_has_its_own_holidays_however_it_is_written() -> None:
    epiphany = date(2026, 1, 6)
    assert not is_business_day(epiphany, "DE", "BY")
    assert not is_business_day(epiphany, "DE", "DE-BY")
    assert is_business_day(epiphany, "DE", "BE")


def test_the_next_business_day_passes_over_all_of_them() -> None:
    assert next_business_day(date(2026, 12, 25), "GB", "ENG") == date(2026, 12, 29)
    assert next_business_day(date(2026, 12, 29), "GB", "ENG") == date(2026, 12, 29)


@pytest.mark.parametrize(("country", "subdivision"), [("ZZ", None), ("DE", "XX"), ("DE", "DE-XX")])
def test_an_unknown_place_is_refused(country: str, subdivision: str | None) -> None:
    with pytest.raises(Invalid) as invalid:
        check_calendar(country, subdivision)
    assert invalid.value.code == "calendar-unknown"
    with pytest.raises(Invalid):
        is_business_day(date(2026, 1, 1), country, subdivision)


def test_a_due_date_moves_to_the_next_business_day() -> None:
    # Easter 2026: Good Friday 3 April, Monday 6 April
    assert pay_by(date(2026, 3, 4), 30, "DE", "BE") == date(2026, 4, 7)
    assert pay_by(date(2026, 3, 3), 30, "DE", "BE") == date(2026, 4, 2)
    assert pay_by(date(2026, 3, 3), 0, "DE", None) == date(2026, 3, 3)


def test_holidays_are_those_of_the_place() -> None:
    corpus_christi = date(2026, 6, 4)
    assert pay_by(corpus_christi, 0, "DE", "BY") == date(2026, 6, 5)
    assert pay_by(corpus_christi, 0, "DE", "DE-BE") == corpus_christi


@given(
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.integers(0, 120),
    st.sampled_from([("DE", "BE"), ("GB", "ENG"), ("JP", None), ("KW", None), ("US", "NY")]),
)
def test_a_due_date_is_a_business_day_and_never_early(
    issued_on: date, days: int, place: tuple[str, str | None]
) -> None:
    due = pay_by(issued_on, days, *place)
    nominal = issued_on + timedelta(days=days)
    assert is_business_day(due, *place)
    assert due >= nominal
    between = (nominal + timedelta(days=n) for n in range((due - nominal).days))
    assert not any(is_business_day(day, *place) for day in between)
