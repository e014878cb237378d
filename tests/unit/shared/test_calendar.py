"""Business days of a place: weekends and public holidays, and the places that are unknown."""

from datetime import date

import pytest

from shared.calendar import check_calendar, is_business_day, next_business_day
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
