"""The dunning scheduler on PostgreSQL: what it is told, what its clock brings, how often."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Thread

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.dunning_scheduler.main import SERVICE
from shared.errors import Invalid, Rejected, WaitFor
from shared.events.base import Event
from shared.events.billing import InvoiceIssued
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.masterdata import Channel
from shared.events.payments import PaymentApplied
from shared.testing import ServiceHarness
from tests.invoices import ISSUED, credit_note, invoice, numbered

DAY = timedelta(days=1)
DUE_AT_NINE = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday, 9:00 in Berlin


@dataclass
class MovableClock:
    """A business clock that the test sets."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(ISSUED.issued_at)


@pytest.fixture
def harness(service_harness: Callable[..., ServiceHarness], clock: MovableClock) -> ServiceHarness:
    return service_harness(SERVICE, clock)


def paid(amount: str, number: int = 1, of: InvoiceIssued = ISSUED) -> PaymentApplied:
    return PaymentApplied(
        legal_entity_id=of.legal_entity_id,
        payment_id="B-77",
        invoice_id=of.invoice_id,
        application_no=number,
        applied_at=DUE_AT_NINE,
        applied_on=date(2026, 3, 2),
        currency=of.currency,
        amount=Decimal(amount),
        open_amount=Decimal(0),
    )


def disputed(amount: str) -> DisputeOpened:
    return DisputeOpened(
        legal_entity_id="DE01",
        dispute_id="D-1",
        invoice_id=ISSUED.invoice_id,
        opened_at=DUE_AT_NINE,
        currency="EUR",
        amount=Decimal(amount),
        reason="wrong paper",
    )


def resolved(outcome: str) -> DisputeResolved:
    return DisputeResolved(
        legal_entity_id="DE01",
        dispute_id="D-1",
        invoice_id=ISSUED.invoice_id,
        resolved_at=DUE_AT_NINE,
        outcome=outcome,
    )


def delivered(stage: str = "0", kind: str = "invoice") -> DocumentDelivered:
    return DocumentDelivered(
        legal_entity_id="DE01",
        invoice_id=ISSUED.invoice_id,
        document_kind=kind,
        stage=stage,
        channel=Channel.EMAIL,
        contact_id="P-1001",
        message_id="m",
        delivered_at=DUE_AT_NINE,
        attempts=8,
    )


def failed(stage: str = "0", kind: str = "invoice") -> DocumentFailed:
    return DocumentFailed(
        legal_entity_id="DE01",
        invoice_id=ISSUED.invoice_id,
        document_kind=kind,
        stage=stage,
        channel=Channel.EMAIL,
        contact_id="P-1001",
        message_id="m",
        failed_at=DUE_AT_NINE,
        attempts=7,
        code="recipient-refused",
        reason="550 no such user",
    )


def remind(harness: ServiceHarness, clock: MovableClock, days: int) -> list[Event]:
    """What the tick emits at nine, `days` after the due date."""
    clock.at = DUE_AT_NINE + days * DAY
    return harness.tick("remind")


def stages(events: list[Event]) -> list[int]:
    return [event.stage for event in events if isinstance(event, ReminderDue)]


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


# ---------------------------------------------------------------- what cannot be handled yet


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
