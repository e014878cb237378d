"""When the dunning scheduler reminds: each stage on its day, once, while something is owed."""

from datetime import date, timedelta
from decimal import Decimal
from threading import Thread

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from shared.events.base import Event
from shared.events.collections import ReminderDue
from shared.metrics import CONSUMER_RETRIES
from shared.testing import ServiceHarness
from tests.integration.dunning_scheduler.conftest import (
    DAY,
    DUE_AT_NINE,
    MovableClock,
    delivered,
    disputed,
    failed,
    paid,
    remind,
    resolved,
    stages,
)
from tests.invoices import ISSUED, credit_note, invoice, numbered

# ---------------------------------------------------------------- the stages


def test_three_reminders_on_their_days_each_once(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED)

    told = [(day, stage) for day in range(30) for stage in stages(remind(harness, clock, day))]

    assert told == [(1, 1), (7, 2), (14, 3)]
    rows = harness.query("SELECT stage, skipped FROM reminder ORDER BY stage")
    assert [tuple(row) for row in rows] == [(1, False), (2, False), (3, False)]


def test_a_reminder_says_all_that_the_notifier_needs(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED)
    harness.apply(paid("1000.00"), disputed("23.08"))

    (event,) = remind(harness, clock, 1)

    assert event == ReminderDue(
        legal_entity_id="DE01",
        invoice_id=ISSUED.invoice_id,
        invoice_number="R-2026-000001",
        customer_id="C-1001",
        contact_id="P-1001",
        stage=1,
        tone="friendly",
        due_on=date(2026, 3, 2),
        days_overdue=1,
        decided_at=DUE_AT_NINE + DAY,
        currency="EUR",
        gross_total=Decimal("1223.08"),
        open_amount=Decimal("223.08"),
        disputed_amount=Decimal("23.08"),
        payment_url=ISSUED.payment_url,
        payment_reference=ISSUED.payment_reference,
    )


def test_a_tick_every_minute_does_not_repeat_a_reminder(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED)
    told = list[int]()

    for minute in range(60):
        clock.at = DUE_AT_NINE + DAY + timedelta(minutes=minute)
        told += stages(harness.tick("remind"))

    assert told == [1]


def test_two_schedulers_at_the_same_moment_remind_once(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(*(numbered(n) for n in range(1, 201)))
    clock.at = DUE_AT_NINE + DAY
    told = list[Event]()

    threads = [Thread(target=lambda: told.extend(harness.tick("remind"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told += harness.tick("remind")

    reminded = [event.invoice_id for event in told if isinstance(event, ReminderDue)]
    assert len(reminded) == len(set(reminded)) == 200


def test_an_invoice_that_breaks_keeps_no_other_from_its_reminder(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    """Given a row that no rule can read, then it is told and left as it was."""
    harness.apply(*(numbered(n) for n in range(1, 4)))
    broken = "UPDATE invoice SET time_zone = 'None/Such' WHERE invoice_id = :invoice"
    with harness.begin() as unit:
        unit.store.connection.execute(text(broken), {"invoice": numbered(2).invoice_id})
    clock.at = DUE_AT_NINE + DAY
    retries = CONSUMER_RETRIES.labels("dunning_scheduler", "bug")
    before = retries._value.get()

    with capture_logs() as lines:
        told = harness.tick("remind")

    reminded = [event.invoice_id for event in told if isinstance(event, ReminderDue)]
    assert reminded == [numbered(1).invoice_id, numbered(3).invoice_id]
    assert retries._value.get() == before + 1
    assert [(line["event"], line["rows"]) for line in lines] == [("rows failed", 1)]
    due = harness.query("SELECT invoice_id FROM invoice WHERE next_action_at <= :n", n=clock.at)
    assert [row.invoice_id for row in due] == [numbered(2).invoice_id]


def test_days_of_outage_bring_one_reminder_not_three(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED)

    told = stages(remind(harness, clock, 20)) + stages(remind(harness, clock, 21))

    assert told == [3]
    rows = harness.query("SELECT stage, skipped FROM reminder ORDER BY stage")
    assert [tuple(row) for row in rows] == [(1, True), (2, True), (3, False)]


def test_an_outage_that_ends_at_night_waits_for_the_morning(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED)
    clock.at = DUE_AT_NINE + 2 * DAY + timedelta(hours=13)

    assert harness.tick("remind") == []
    assert stages(remind(harness, clock, 3)) == [1]


def test_before_the_entity_went_live_nobody_is_reminded(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(invoice(live=False))

    assert remind(harness, clock, 30) == []


# ---------------------------------------------------------------- stops and pauses


@pytest.mark.parametrize("settlement", [paid("1223.08"), credit_note()], ids=["paid", "credited"])
def test_a_settled_invoice_is_left_alone(
    harness: ServiceHarness, clock: MovableClock, settlement: Event
) -> None:
    harness.apply(ISSUED)
    harness.apply(settlement)

    assert remind(harness, clock, 30) == []


def test_a_partly_paid_invoice_is_reminded_of_the_rest(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED, paid("1200.00"))

    (event,) = remind(harness, clock, 1)

    assert isinstance(event, ReminderDue)
    assert event.open_amount == Decimal("23.08")


def test_a_returned_payment_goes_on_where_the_chase_stopped(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED)
    assert stages(remind(harness, clock, 1)) == [1]
    clock.at = DUE_AT_NINE + 3 * DAY
    harness.apply(paid("1223.08"))
    clock.at = DUE_AT_NINE + 20 * DAY
    harness.apply(paid("-1223.08", 2))

    told = [(day, s) for day in range(20, 40) for s in stages(remind(harness, clock, day))]

    assert told == [(24, 2), (31, 3)]


def test_a_dispute_freezes_and_its_rejection_thaws(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED)
    clock.at = DUE_AT_NINE + timedelta(hours=1)
    harness.apply(disputed("1223.08"))
    assert remind(harness, clock, 4) == []

    harness.apply(resolved("rejected"))

    told = [(day, s) for day in range(4, 20) for s in stages(remind(harness, clock, day))]
    assert told == [(7, 1), (11, 2), (18, 3)]


def test_a_dispute_upheld_is_never_demanded_again(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED, disputed("1223.08"))
    harness.apply(resolved("upheld"))

    assert remind(harness, clock, 30) == []


def test_an_invoice_that_never_arrived_is_not_chased_until_it_has(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    harness.apply(ISSUED, failed())
    assert remind(harness, clock, 1) == []

    harness.apply(delivered())
    harness.apply(failed())  # told late by the other topic: delivered is final

    assert stages(remind(harness, clock, 2)) == [1]


def test_what_became_of_a_reminder_is_kept(harness: ServiceHarness, clock: MovableClock) -> None:
    harness.apply(ISSUED)
    remind(harness, clock, 1)

    harness.apply(failed("1", "reminder"))
    first = harness.query("SELECT outcome FROM reminder")
    harness.apply(delivered("1", "reminder"), failed("1", "reminder"), delivered("9", "reminder"))

    assert [first[0].outcome, harness.query("SELECT outcome FROM reminder")[0].outcome] == [
        "failed",
        "delivered",
    ]
