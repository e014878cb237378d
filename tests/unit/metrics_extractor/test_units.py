"""Units convert exactly, once; a wrong factor here would misprice every job that uses the unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metrics_extractor.domain.units import (
    KNOWN,
    canonical,
    canonical_unit,
    converted,
)

QUANTITIES = st.decimals(min_value=0, max_value=10**9, places=3)


@pytest.mark.parametrize(
    ("quantity", "unit", "expected", "in_unit"),
    [
        ("3400", "GRM", "3.4", "KGM"),
        ("3400000", "MGM", "3.4", "KGM"),
        ("2", "TNE", "2000", "KGM"),
        ("750", "MLT", "0.75", "LTR"),
        ("45", "MIN", "0.75", "HUR"),
        ("5760", "SEC", "1.6", "HUR"),
        ("100", "SEC", "0.027777778", "HUR"),
        ("12500", "CMK", "1.25", "MTK"),
        ("2500000", "MMK", "2.5", "MTK"),
        ("1.5", "KMT", "1500", "MTR"),
        ("5200", "ST", "5200", "ST"),
        ("0.75", "HUR", "0.75", "HUR"),
    ],
)
def test_a_quantity_comes_into_the_canonical_unit_of_its_kind(
    quantity: str, unit: str, expected: str, in_unit: str
) -> None:
    assert canonical(Decimal(quantity), unit) == Decimal(expected)
    assert canonical_unit(unit) == in_unit


@given(QUANTITIES, st.sampled_from(sorted(KNOWN)))
def test_what_is_canonical_stays_as_it_is(quantity: Decimal, unit: str) -> None:
    """Converting twice must not shrink a quantity twice."""
    once = canonical(quantity, unit)
    assert canonical(once, canonical_unit(unit)) == once


@given(QUANTITIES, st.sampled_from(sorted(KNOWN)), st.sampled_from(sorted(KNOWN)))
def test_there_and_back_is_the_same_quantity(quantity: Decimal, unit: str, to: str) -> None:
    there = converted(quantity, unit, to)
    if canonical_unit(unit) != canonical_unit(to):
        assert there is None
        return
    assert there is not None
    back = converted(there, to, unit)
    assert back is not None
    assert abs(back - quantity) < Decimal("1e-30")


def test_minutes_become_seconds_and_sheets_never_square_metres() -> None:
    assert converted(Decimal("1.5"), "MIN", "SEC") == 90
    assert converted(Decimal(5), "ST", "MTK") is None
    assert converted(Decimal(5), "ST", "ST") == 5
