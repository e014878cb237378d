"""Which version of dated master data holds: every service must give the same answer."""

from dataclasses import dataclass
from datetime import date

import pytest

from shared.validity import covers, in_force


@dataclass(frozen=True)
class Version:
    version: int
    valid_from: date
    valid_to: date | None = None


JANUARY, JUNE, JULY = date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1)


def answer(on: date, *versions: Version) -> int | None:
    found = in_force(versions, on)
    return found.version if found else None


def test_nothing_holds_before_the_first_day_or_without_a_version() -> None:
    assert answer(date(2025, 12, 31), Version(1, JANUARY)) is None
    assert answer(JANUARY) is None
    assert answer(JANUARY, Version(1, JANUARY)) == 1


def test_both_ends_of_validity_are_included() -> None:
    assert answer(JUNE, Version(1, JANUARY, JUNE)) == 1
    assert answer(JULY, Version(1, JANUARY, JUNE)) is None


def test_restating_the_first_day_ends_validity() -> None:
    """Otherwise the open version that was ended would come back to life after its end."""
    versions = (Version(1, JANUARY), Version(2, JANUARY, JUNE))
    assert answer(JUNE, *versions) == 2
    assert answer(JULY, *versions) is None


def test_a_late_correction_of_the_past_leaves_the_present_alone() -> None:
    versions = (Version(1, JANUARY), Version(2, JULY), Version(3, JANUARY, JUNE))
    assert answer(JANUARY, *versions) == 3
    assert answer(JULY, *versions) == 2


def test_a_version_for_a_short_time_steps_in_front_of_an_open_one() -> None:
    versions = (Version(1, JANUARY), Version(2, date(2026, 3, 1), date(2026, 3, 31)))
    assert answer(date(2026, 3, 15), *versions) == 2
    assert answer(date(2026, 4, 1), *versions) == 1


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_order_of_arrival_says_nothing(order: tuple[int, int]) -> None:
    versions = {1: Version(1, JANUARY), 2: Version(2, JANUARY)}
    assert answer(JULY, *(versions[number] for number in order)) == 2


@pytest.mark.parametrize(
    ("first", "last", "held"),
    [
        (date(2025, 12, 30), date(2025, 12, 31), False),
        (date(2025, 12, 30), JANUARY, True),
        (JUNE, JULY, True),
        (JULY, JULY, False),
    ],
)
def test_a_span_of_days_is_covered_by_any_of_them(first: date, last: date, *, held: bool) -> None:
    assert covers(Version(1, JANUARY, JUNE), first, last) is held
