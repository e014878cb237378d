"""When an invoice is due, under which reference it is paid, and by which link."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iso11649

from services.invoicer.domain.numbering import Series
from services.invoicer.domain.terms import pay_by, payment_reference, payment_url
from shared.calendar import is_business_day


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


@settings(max_examples=50)
@given(
    st.from_regex(r"[A-Z0-9][A-Z0-9/-]{0,8}[A-Z0-9]", fullmatch=True),
    st.integers(1980, 2200),
    st.integers(1, 9_999_999),
)
def test_every_number_has_a_valid_reference(series: str, year: int, number: int) -> None:
    text = Series("DE01", series, year, number, date(2026, 3, 3)).invoice_number
    reference = payment_reference(text)
    assert iso11649.is_valid(reference)
    assert reference[4:] == "".join(filter(str.isalnum, text))


@pytest.mark.parametrize("number", ["", "---", "A" * 22])
def test_no_reference_is_made_up(number: str) -> None:
    with pytest.raises(ValueError, match="ISO 11649"):
        payment_reference(number)


def test_a_link_is_the_base_the_invoice_and_128_bits_that_only_the_key_gives() -> None:
    link = payment_url("https://pay.example/r/", b"key", "I-1")
    base, token = link.rsplit("/", 1)
    assert base == "https://pay.example/r/I-1"
    assert len(bytes.fromhex(token)) == 16
    assert payment_url("https://pay.example/r", b"key", "I-1") == link
    assert payment_url("https://pay.example/r", b"other", "I-1") != link
    assert payment_url("https://pay.example/r", b"key", "I-2").rsplit("/", 1)[1] != token
