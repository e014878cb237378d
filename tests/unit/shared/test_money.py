"""Money: minor units, one rounding, splits that sum to the whole."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.money import is_money, minor_unit, round_money, split

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])


@pytest.mark.parametrize(
    ("value", "currency", "rounded"),
    [
        ("2.675", "EUR", "2.68"),
        ("-2.675", "EUR", "-2.68"),
        ("0.5", "JPY", "1"),
        ("1.0005", "KWD", "1.001"),
        ("309.985", "EUR", "309.99"),
    ],
)
def test_half_is_rounded_up(value: str, currency: str, rounded: str) -> None:
    assert round_money(Decimal(value), currency) == Decimal(rounded)


def test_minor_units_are_those_of_iso_4217() -> None:
    assert [minor_unit(c) for c in ("EUR", "JPY", "KWD", "HUF", "ISK")] == [2, 0, 3, 2, 0]
    with pytest.raises(Invalid, match="ISO 4217"):
        minor_unit("EURO")


def test_amounts_beyond_ten_to_the_twelfth_stay_exact() -> None:
    value = Decimal("1234567890123456.785")
    assert round_money(value, "EUR") == Decimal("1234567890123456.79")


@given(
    total=st.decimals(-(10**14), 10**14, places=3),
    weights=st.lists(st.decimals(0, 10**6, places=4), min_size=1, max_size=40),
    currency=CURRENCIES,
)
def test_a_split_sums_to_the_whole(total: Decimal, weights: list[Decimal], currency: str) -> None:
    total = round_money(total, currency)
    if sum(weights) == 0:
        with pytest.raises(ValueError, match="positive in sum"):
            split(total, weights, currency)
        return
    shares = split(total, weights, currency)
    unit = Decimal(1).scaleb(-minor_unit(currency))
    assert sum(shares) == total
    assert all(is_money(share, currency) for share in shares)
    exact = [total * weight / sum(weights) for weight in weights]
    assert all(abs(share - due) <= unit for share, due in zip(shares, exact, strict=True))


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="none negative"):
        split(Decimal(1), [Decimal(2), Decimal(-1)], "EUR")
