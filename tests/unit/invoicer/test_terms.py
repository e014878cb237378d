"""Under which reference an invoice is paid, and by which link."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iso11649

from services.invoicer.domain.numbering import Series
from services.invoicer.domain.terms import payment_reference, payment_url


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
