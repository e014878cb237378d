"""Figures and units as a reason writes them."""

import pytest

from services.pricer.domain import wording
from services.pricer.domain.shares import shares_of
from tests.unit.pricer.builders import D, job


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("1081.9", "EUR", "EUR 1,081.90"),
        ("1000000", "JPY", "JPY 1,000,000"),
        ("1.5", "KWD", "KWD 1.500"),
        ("-36", "EUR", "EUR -36.00"),
    ],
)
def test_money_is_written_with_the_decimals_of_its_currency(
    amount: str, currency: str, written: str
) -> None:
    assert wording.money(D(amount), currency) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [("5200", "5,200"), ("5200.000", "5,200"), ("0.0850", "0.085"), ("1E+4", "10,000")],
)
def test_numbers_are_written_without_trailing_zeros(value: str, written: str) -> None:
    assert wording.number(D(value)) == written


def test_a_unit_outside_the_trade_stays_a_code() -> None:
    assert (wording.unit_name("ST"), wording.unit_name("C62")) == ("sheets", "C62")


def test_a_job_without_items_has_no_shares() -> None:
    with pytest.raises(ValueError, match="J-1 has no items"):
        shares_of(job(items=()))
