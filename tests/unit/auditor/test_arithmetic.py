"""The auditor's own arithmetic against fractions and against published figures."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso11649

from services.auditor.domain.arithmetic import (
    half_up,
    is_creditor_reference,
    line_net,
    minor_unit,
    plain,
    tax_on,
    total,
)

amounts = st.decimals(-(10**12), 10**12, places=6)
currencies = st.sampled_from(["EUR", "JPY", "KWD"])


def exact_half_up(value: Fraction, decimals: int) -> Decimal:
    """Half away from zero, on fractions."""
    scaled = abs(value) * 10**decimals
    units = int(scaled + Fraction(1, 2))
    return Decimal(units if value >= 0 else -units).scaleb(-decimals)


@given(amounts, currencies)
def test_rounding_is_half_away_from_zero(value: Decimal, currency: str) -> None:
    assert half_up(value, currency) == exact_half_up(Fraction(value), minor_unit(currency))


@given(
    st.decimals(0, 10**6, places=9),
    amounts,
    st.sampled_from([Decimal(1), Decimal(3), Decimal(7), Decimal(1000)]),
    currencies,
)
def test_a_line_is_rounded_once(
    quantity: Decimal, price: Decimal, per: Decimal, currency: str
) -> None:
    exact = Fraction(quantity) * Fraction(price) / Fraction(per)
    assert line_net(quantity, price, per, currency) == exact_half_up(exact, minor_unit(currency))


@pytest.mark.parametrize(
    ("net", "rate", "currency", "tax"),
    [
        ("1027.80", "19", "EUR", "195.28"),
        ("120000.00", "8", "USD", "9600.00"),
        ("0.5", "100", "JPY", "1"),
        ("1.2345", "10", "KWD", "0.123"),
    ],
)
def test_tax_is_the_published_figure(net: str, rate: str, currency: str, tax: str) -> None:
    assert tax_on(Decimal(net), Decimal(rate), currency) == Decimal(tax)


@given(st.lists(amounts))
def test_a_total_is_exact(values: list[Decimal]) -> None:
    assert Fraction(total(values)) == sum(map(Fraction, values))


@given(st.from_regex(r"RF[0-9]{2}[A-Z0-9]{1,21}", fullmatch=True))
def test_references_are_judged_as_the_standard_does(reference: str) -> None:
    assert is_creditor_reference(reference) == iso11649.is_valid(reference)


@pytest.mark.parametrize(
    ("reference", "valid"),
    [
        ("RF18539007547034", True),
        ("RF19539007547034", False),
        ("rf18539007547034", False),
        ("RFX8539007547034", False),
        ("RF18 539007547034", False),
        ("RF18" + "1" * 22, False),
        ("RF18", False),
        ("18539007547034", False),
    ],
)
def test_references_need_their_form_and_check_digits(reference: str, valid: bool) -> None:  # noqa: FBT001 - the expected answer
    assert is_creditor_reference(reference) is valid


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1027.8000", "1027.80"), ("5", "5.00"), ("0.12345", "0.12345"), ("1E+3", "1000.00")],
)
def test_amounts_read_plainly(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text
