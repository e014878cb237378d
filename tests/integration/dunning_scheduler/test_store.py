"""What the dunning scheduler cannot handle yet, counts once, bounds, and may not write."""

from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.dunning_scheduler.main import SERVICE
from shared.errors import Invalid, Rejected, WaitFor
from shared.events.base import Event
from shared.events.billing import InvoiceIssued
from shared.events.disputes import DisputeOpened
from shared.testing import ServiceHarness
from tests.integration.dunning_scheduler.conftest import (
    MovableClock,
    delivered,
    disputed,
    paid,
    remind,
    resolved,
)
from tests.invoices import ISSUED, credit_note, invoice, numbered


@pytest.mark.parametrize(
    "early", [paid("1.00"), credit_note(), disputed("1.00"), resolved("upheld"), delivered()]
)
def test_what_comes_before_its_invoice_waits(harness: ServiceHarness, early: Event) -> None:
    with pytest.raises(WaitFor) as wait:
        harness.apply(early)

    assert (wait.value.kind, wait.value.key) == ("invoice", f"DE01/{ISSUED.invoice_id}")
    facts = SERVICE.facts[InvoiceIssued](ISSUED)
    assert [(fact.kind, fact.key) for fact in facts] == [(wait.value.kind, wait.value.key)]


def test_a_resolution_waits_for_its_dispute(harness: ServiceHarness) -> None:
    harness.apply(ISSUED)

    with pytest.raises(WaitFor) as wait:
        harness.apply(resolved("upheld"))

    facts = SERVICE.facts[DisputeOpened](disputed("1.00"))
    assert [(fact.kind, fact.key) for fact in facts] == [(wait.value.kind, wait.value.key)]


def test_money_in_another_currency_is_refused(harness: ServiceHarness) -> None:
    harness.apply(ISSUED)

    with pytest.raises(Rejected) as refusal:
        harness.apply(paid("1.00").model_copy(update={"currency": "GBP"}))

    assert refusal.value.code == "currency-mismatch"


def test_an_invoice_in_a_zone_that_is_none_is_refused(harness: ServiceHarness) -> None:
    with pytest.raises(Invalid) as refusal:
        harness.apply(invoice(time_zone="Europe/Atlantis"))

    assert refusal.value.code == "time-zone-unknown"


# ---------------------------------------------------------------- effect once, constant statements


def test_without_its_inbox_every_event_still_counts_once(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    facts = (ISSUED, paid("100.00"), credit_note(gross_total=Decimal("23.08")), disputed("50.00"))
    harness.apply(*facts)
    before = harness.query("SELECT * FROM invoice")

    harness.apply(*facts)

    assert harness.query("SELECT * FROM invoice") == before
    sums = harness.query(
        "SELECT paid, credited, disputed, conceded FROM invoice"
        " EXCEPT SELECT sum(paid), sum(credited), sum(disputed), sum(conceded) FROM movement"
    )
    assert sums == []


def test_the_number_of_statements_does_not_grow_with_the_batch(harness: ServiceHarness) -> None:
    known = [numbered(n) for n in range(1, 201)]
    harness.apply(*known)

    def batch(first: int, count: int) -> list[Event]:
        of = known[first : first + count]
        return [
            *(numbered(1000 + n) for n in range(first, first + count)),
            *(paid("1.00", n, each) for n, each in enumerate(of, first + 1)),
            *(delivered().model_copy(update={"invoice_id": each.invoice_id}) for each in of),
        ]

    harness.apply(*batch(0, 1))
    for_three_events = harness.statements
    harness.apply(*batch(1, 150))

    assert harness.statements == for_three_events == 5


def test_a_tick_takes_a_bounded_portion_in_three_statements(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(*(numbered(n) for n in range(1, 701)))

    portions = [len(remind(harness, clock, 1)) for _ in range(3)]

    assert portions == [500, 200, 0]
    remind(harness, clock, 7)
    assert harness.statements == 3


# ---------------------------------------------------------------- what the database refuses


def test_movements_are_append_only_by_rights(harness: ServiceHarness) -> None:
    harness.apply(ISSUED, paid("1.00"))

    with harness.engine.connect() as connection, pytest.raises(ProgrammingError) as refusal:
        connection.execute(text("UPDATE movement SET paid = 2"))

    assert "permission denied" in str(refusal.value)


@pytest.mark.parametrize(
    "change", ["paid = gross_total", "live = false", "delivery = 'failed'", "paused_since = due_on"]
)
def test_no_next_action_for_what_may_not_be_chased(harness: ServiceHarness, change: str) -> None:
    harness.apply(ISSUED)

    with harness.engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(text(f"UPDATE invoice SET {change}"))  # noqa: S608 - from the list above
