"""What an invoice still owes: counted once, in any order, in its own currency."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import balance
from shared.balance import Sums, movement_keys
from shared.errors import Invalid, Rejected
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.payments import PaymentApplied
from tests.invoices import credit_note

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
GROSS = Decimal("1223.08")


def applied(amount: str, number: int = 1) -> PaymentApplied:
    return PaymentApplied(
        legal_entity_id="DE01",
        payment_id="P/1",
        invoice_id="I1",
        application_no=number,
        applied_at=NOW,
        applied_on=date(2026, 3, 2),
        currency="EUR",
        amount=Decimal(amount),
        open_amount=Decimal(0),
    )


def opened(amount: str = "223.08") -> DisputeOpened:
    return DisputeOpened(
        legal_entity_id="DE01",
        dispute_id="D1",
        invoice_id="I1",
        opened_at=NOW,
        currency="EUR",
        amount=Decimal(amount),
        reason="wrong paper",
    )


def resolved(outcome: str) -> DisputeResolved:
    return DisputeResolved(
        legal_entity_id="DE01",
        dispute_id="D1",
        invoice_id="I1",
        resolved_at=NOW,
        outcome=outcome,
    )


def credited(amount: str) -> Sums:
    return Sums(credited=Decimal(amount))


def test_a_partly_paid_invoice_is_demanded_in_part() -> None:
    sums = balance.payment(applied("1000.00")).sums

    assert sums.open_of(GROSS) == Decimal("223.08")
    assert sums.demandable_of(GROSS) == Decimal("223.08")


def test_a_returned_payment_opens_the_invoice_again() -> None:
    sums = balance.payment(applied("1223.08")).sums.plus(
        balance.payment(applied("-1223.08", 2)).sums
    )

    assert sums.open_of(GROSS) == GROSS


def test_an_overpaid_invoice_demands_nothing() -> None:
    sums = balance.payment(applied("1300.00")).sums

    assert sums.open_of(GROSS) == Decimal("-76.92")
    assert sums.demandable_of(GROSS) == 0


def test_a_dispute_freezes_its_part_and_no_more() -> None:
    sums = balance.dispute(opened("223.08")).sums

    assert sums.open_of(GROSS) == GROSS
    assert sums.demandable_of(GROSS) == Decimal("1000.00")


@pytest.mark.parametrize(
    ("outcome", "demandable"),
    [("rejected", GROSS), ("settled", GROSS), ("upheld", Decimal("1000.00"))],
)
def test_only_a_dispute_upheld_stays_frozen(outcome: str, demandable: Decimal) -> None:
    opening = balance.dispute(opened())

    ending = balance.resolution(resolved(outcome), opening.sums.disputed)

    assert opening.sums.plus(ending.sums).demandable_of(GROSS) == demandable


def test_a_conceded_part_and_its_credit_note_count_once_whichever_comes_first() -> None:
    opening = balance.dispute(opened()).sums
    conceded = opening.plus(balance.resolution(resolved("upheld"), opening.disputed).sums)
    credit_note_first = opening.plus(credited("223.08"))

    assert conceded.plus(credited("223.08")).demandable_of(GROSS) == Decimal("1000.00")
    assert credit_note_first.plus(
        balance.resolution(resolved("upheld"), opening.disputed).sums
    ).demandable_of(GROSS) == Decimal("1000.00")


def test_a_credit_note_leaves_less_open() -> None:
    event = credit_note(credit_note_id="CN1", gross_total=Decimal("23.08"))

    assert balance.credit_note(event).sums.open_of(GROSS) == Decimal("1200.00")
    assert movement_keys(event) == (("credit-note", "CN1"),)


def test_a_dispute_over_nothing_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        balance.dispute(opened("0.00"))

    assert refusal.value.code == "amount-not-positive"


def test_an_outcome_that_nobody_defined_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        balance.resolution(resolved("perhaps"), Decimal(1))

    assert refusal.value.code == "outcome-unknown"


def test_another_currency_than_the_invoice_has_is_refused() -> None:
    balance.same_currency(opened(), "EUR")
    with pytest.raises(Rejected) as refusal:
        balance.same_currency(opened(), "GBP")

    assert refusal.value.code == "currency-mismatch"


def test_keys_name_each_movement_and_what_it_refers_to() -> None:
    assert movement_keys(applied("1.00", 2)) == (("payment", "P%2F1/I1/2"),)
    assert movement_keys(opened()) == (("dispute", "D1"),)
    assert movement_keys(resolved("upheld")) == (("dispute-resolution", "D1"), ("dispute", "D1"))


amounts = st.decimals(0, 10_000, places=2)
parts = st.builds(Sums, paid=amounts, credited=amounts, disputed=amounts, conceded=amounts)


@given(st.lists(parts, max_size=6), st.randoms(), amounts)
def test_the_order_of_movements_changes_nothing(
    sums: list[Sums], shuffle: Random, gross: Decimal
) -> None:
    moved = reduce(Sums.plus, sums, Sums())
    other = list(sums)
    shuffle.shuffle(other)

    assert reduce(Sums.plus, other, Sums()) == moved
    assert Decimal(0) <= moved.demandable_of(gross) <= max(Decimal(0), moved.open_of(gross))
