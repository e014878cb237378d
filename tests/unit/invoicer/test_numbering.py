"""Numbers without gap, per legal entity, series and fiscal year, in issue-date order."""

from collections import defaultdict
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.invoicer.domain.numbering import (
    Series,
    fiscal_year,
    is_series,
    series_letters,
    take_number,
    unknown_numbers,
)

DAY = date(2026, 3, 3)


def test_the_first_number_of_a_series_is_one() -> None:
    taken = take_number([], "DE01", "R", 1, DAY)
    assert (taken, taken.invoice_number) == (Series("DE01", "R", 2026, 1, DAY), "R-2026-000001")


def test_other_series_and_entities_do_not_count() -> None:
    others = [Series("DE01", "X", 2026, 9, DAY), Series("DE02", "R", 2026, 8, DAY)]
    mine = Series("DE01", "R", 2026, 41, DAY)
    assert take_number([*others, mine], "DE01", "R", 1, DAY).last_number == 42


def test_the_fiscal_year_is_named_after_the_year_in_which_it_begins() -> None:
    assert fiscal_year(date(2026, 3, 31), 4) == 2025
    assert fiscal_year(date(2026, 4, 1), 4) == 2026
    assert fiscal_year(date(2026, 1, 1), 1) == 2026


def test_a_new_year_begins_at_one_and_no_clock_brings_the_old_one_back() -> None:
    old = Series("DE01", "R", 2026, 41, date(2026, 12, 31))
    new = take_number([old], "DE01", "R", 1, date(2027, 1, 1))
    assert (new.fiscal_year, new.last_number) == (2027, 1)
    after = take_number([old, new], "DE01", "R", 1, date(2026, 12, 31))
    assert (after.invoice_number, after.last_issued_on) == ("R-2027-000002", date(2027, 1, 1))


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["DE01", "GB01"]),
            st.sampled_from(["R", "X"]),
            st.integers(-400, 800),
            st.booleans(),
        ),
        max_size=40,
    ),
    st.sampled_from([1, 4, 12]),
)
def test_numbers_are_contiguous_and_dated_in_order_whatever_happens(
    wishes: list[tuple[str, str, int, bool]], start_month: int
) -> None:
    """Entities interleaved, days forward and back, some transactions rolled back."""
    held: dict[tuple[str, str, int], Series] = {}
    issued: defaultdict[tuple[str, str], list[Series]] = defaultdict(list)
    for entity, series, days, commits in wishes:
        today = DAY + timedelta(days=days)
        taken = take_number(held.values(), entity, series, start_month, today)
        if commits:
            held[entity, series, taken.fiscal_year] = taken
            issued[entity, series].append(taken)
    for given_out in issued.values():
        assert [one.last_issued_on for one in given_out] == sorted(
            one.last_issued_on for one in given_out
        )
        for year in {one.fiscal_year for one in given_out}:
            numbers = [one.last_number for one in given_out if one.fiscal_year == year]
            assert numbers == list(range(1, len(numbers) + 1))
        assert len({one.invoice_number for one in given_out}) == len(given_out)


@pytest.mark.parametrize("series", ["R", "INV", "R-2", "A/B-9", "ABCDEFGHIJ"])
def test_a_series_is_capitals_and_digits(series: str) -> None:
    assert is_series(series)


@pytest.mark.parametrize(
    "series", ["", "r", "-R", "R-", "R 1", "ABCDEFGHIJK", "Ä", "A-B-C-D-E-F-G"]
)
def test_what_no_reference_can_carry_is_no_series(series: str) -> None:
    assert not is_series(series)


def test_the_letters_of_a_series_are_what_a_reference_keeps() -> None:
    assert series_letters("A/B-9") == "AB9"


def test_a_number_that_is_published_and_not_known_is_named_with_the_last_known_one() -> None:
    known = [Series("DE01", "R", 2025, 900, DAY), Series("DE01", "R", 2026, 40, DAY)]
    published = [
        Series("DE02", "R", 2026, 7, DAY),
        Series("DE01", "R", 2026, 42, DAY),
        Series("DE01", "R", 2025, 900, DAY),
    ]
    assert unknown_numbers(published, known) == [
        "legal entity DE01, series R: R-2026-000042 is published, R-2026-000040 is known",
        "legal entity DE02, series R: R-2026-000007 is published, none is known",
    ]


def test_a_table_that_is_ahead_of_what_is_published_knows_it_all() -> None:
    """The outbox may still hold the newest; an old series may have no record left to read."""
    known = [Series("DE01", "R", 2026, 42, DAY), Series("DE01", "X", 2026, 1, DAY)]
    assert unknown_numbers([Series("DE01", "R", 2026, 41, DAY)], known) == []
    assert unknown_numbers([], known) == []
