"""Open items: what an invoice still owes is gross less credited less paid, whatever the order."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger_writer.domain import open_items
from shared.errors import Rejected
from tests.invoices import ISSUED, credit_note
from tests.unit.ledger_writer.cases import payment

ITEM = open_items.open_item(ISSUED)


def test_a_new_invoice_owes_its_gross() -> None:
    assert ITEM.open_amount == Decimal("1223.08")
    assert (ITEM.customer_id, ITEM.due_on) == ("C-1001", ISSUED.due_on)


def test_a_part_payment_leaves_the_rest_open() -> None:
    assert open_items.paid(ITEM, payment("1000.00", ISSUED)).open_amount == Decimal("223.08")


def test_a_returned_debit_opens_the_invoice_again() -> None:
    paid = open_items.paid(ITEM, payment("1223.08", ISSUED))

    back = open_items.paid(paid, payment("-1223.08", ISSUED, application_no=2))

    assert paid.open_amount == 0
    assert back == ITEM


def test_no_more_is_reversed_than_was_applied() -> None:
    paid = open_items.paid(ITEM, payment("10.00", ISSUED))

    with pytest.raises(Rejected) as caught:
        open_items.paid(paid, payment("-10.01", ISSUED, application_no=2))

    assert caught.value.code == "reversal-exceeds-payments"


def test_a_payment_that_crossed_a_credit_note_leaves_credit_with_the_customer() -> None:
    credited = open_items.credited(ITEM, credit_note())

    assert credited.open_amount == 0
    assert open_items.paid(credited, payment("1223.08", ISSUED)).open_amount == Decimal("-1223.08")


def test_credit_notes_never_exceed_their_invoice() -> None:
    # given an invoice credited in full
    credited = open_items.credited(ITEM, credit_note())

    # when a cent more is to be credited
    with pytest.raises(Rejected) as caught:
        open_items.credited(credited, credit_note(gross_total=Decimal("0.01")))

    # then it is rejected, with the figures
    assert caught.value.code == "credit-exceeds-invoice"
    assert caught.value.facts["credited"] == "1223.09"


def test_another_currency_settles_nothing() -> None:
    other = payment("1.00", ISSUED).model_copy(update={"currency": "USD"})

    with pytest.raises(Rejected):
        open_items.paid(ITEM, other)
    with pytest.raises(Rejected):
        open_items.credited(ITEM, credit_note(currency="USD"))


@given(st.permutations(["100.00", "250.50", "0.01", "872.57", "300.00"]))
def test_what_is_open_does_not_depend_on_the_order_of_payments(amounts: list[str]) -> None:
    item = ITEM
    for number, amount in enumerate(amounts, 1):
        item = open_items.paid(item, payment(amount, ISSUED, application_no=number))

    assert item.open_amount == Decimal("-300.00")
