"""Couriers under trouble: a crash, a lost answer, a database away, each mail under one id."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from services.notifier.domain.delivery import ATTEMPTS_MAX, Outcome
from services.notifier.gateway import Relay
from services.notifier.handler import courier as courier_module
from services.notifier.handler.courier import PORTION, Courier
from services.notifier.handler.parcel import Parcel, mail
from shared.errors import Transient
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.masterdata import Channel
from shared.local.mailsink import MailSink
from shared.metrics import MAIL_AMBIGUOUS
from shared.settings import Settings
from shared.testing import ServiceHarness
from tests.integration.notifier.conftest import Postmaster, contact, customer, known, rendered
from tests.invoices import numbered

ADDRESS = "marlene@nordlicht.example"


class Killed(BaseException):
    """What a test ends a process with: nothing catches it on the way."""


def fresh() -> Courier[Relay]:
    """The mail courier of a process that has just started."""
    return Courier(Channel.EMAIL, Relay, mail)


def ambiguous() -> float:
    return float(MAIL_AMBIGUOUS.labels("notifier")._value.get())


def change(harness: ServiceHarness, sql: str) -> None:
    with harness.engine.begin() as connection:
        connection.execute(text(sql))


def let_leases_lapse(harness: ServiceHarness) -> None:
    change(harness, "UPDATE delivery SET due_at = now() - interval '1 s' WHERE due_at > now()")


def row(harness: ServiceHarness) -> Any:  # noqa: ANN401 - a row of the table
    (found,) = harness.query("SELECT *, due_at - now() AS wait FROM delivery")
    return found


def ask_for(harness: ServiceHarness, count: int) -> None:
    issued = [numbered(n) for n in range(1, count + 1)]
    harness.apply(contact(), customer(), *issued, *(rendered(harness, of) for of in issued))


# ---------------------------------------------------------------- temporary trouble


def test_a_temporary_refusal_is_tried_again_by_schedule(
    harness: ServiceHarness, postmaster: Postmaster, sink: MailSink
) -> None:
    postmaster.refusals = {("RCPT", ADDRESS): "450 4.7.1 greylisted"}
    harness.apply(*known(rendered(harness)))

    harness.work("mail")

    assert (row(harness).state, row(harness).code) == ("pending", "recipient-deferred")
    assert 50 < row(harness).wait.total_seconds() <= 60
    assert harness.emitted == []
    assert harness.work("mail") == 0, "it is not due yet"

    postmaster.refusals = {}
    let_leases_lapse(harness)
    harness.work("mail")

    assert sum(sink.copies.values()) == 1
    (event,) = harness.emitted
    assert isinstance(event, DocumentDelivered)
    assert event.attempts == 2


def test_after_the_last_attempt_people_are_told(
    harness: ServiceHarness, postmaster: Postmaster
) -> None:
    postmaster.refusals = {("DATA", ADDRESS): "451 4.3.0 later"}
    harness.apply(*known(rendered(harness)))

    for _ in range(ATTEMPTS_MAX + 3):
        harness.work("mail")
        let_leases_lapse(harness)
        if harness.emitted:
            break

    (event,) = harness.emitted
    assert isinstance(event, DocumentFailed)
    assert (event.code, event.attempts) == ("attempts-exhausted", ATTEMPTS_MAX)
    assert event.reason == "content-deferred: 451 4.3.0 later"


def test_a_relay_that_is_away_costs_no_attempt(harness: ServiceHarness, sink: MailSink) -> None:
    harness.apply(*known(rendered(harness)))
    sink.stop()

    with pytest.raises(Transient):
        harness.work("mail")

    assert (row(harness).state, row(harness).attempts) == ("pending", 0)


def test_a_relay_lost_in_mid_portion_gives_the_rest_back(
    harness: ServiceHarness, postmaster: Postmaster, sink: MailSink
) -> None:
    ask_for(harness, 5)
    postmaster.refusals = {("RCPT", ADDRESS): "421 4.3.2 shutting down"}

    with pytest.raises(Transient):
        harness.work("mail")

    tried = harness.query("SELECT attempts, count(*) FROM delivery GROUP BY 1 ORDER BY 1")
    assert [tuple(each) for each in tried] == [(0, 4), (1, 1)]
    postmaster.refusals = {}
    assert harness.work("mail") == 4
    assert sum(sink.copies.values()) == 4


def test_a_portion_that_takes_too_long_gives_the_rest_back(
    harness: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for(harness, 3)
    monkeypatch.setattr(courier_module, "PORTION_SECONDS", -1.0)

    fresh().run(harness)

    tried = harness.query("SELECT DISTINCT state, attempts FROM delivery")
    assert [tuple(each) for each in tried] == [("pending", 0)]


def test_a_missing_document_is_tried_again_not_mailed_without(
    harness: ServiceHarness, sink: MailSink
) -> None:
    missing = rendered(harness).model_copy(update={"sha256": "0" * 64})
    harness.apply(*known(missing))

    harness.work("mail")

    assert (row(harness).state, row(harness).code) == ("pending", "document-missing")
    assert sink.copies == {}


def test_a_bug_that_one_mail_meets_does_not_stop_the_others(
    harness: ServiceHarness, sink: MailSink
) -> None:
    ask_for(harness, 3)

    def faulty(parcel: Parcel, relay: Relay, settings: Settings) -> Outcome:
        if parcel.invoice.facts.invoice_number.endswith("2"):
            raise ZeroDivisionError
        return mail(parcel, relay, settings)

    Courier(Channel.EMAIL, Relay, faulty).run(harness)

    assert len(sink.copies) == 2
    (left,) = harness.query("SELECT code, reason FROM delivery WHERE state = 'pending'")
    assert tuple(left) == ("bug", "ZeroDivisionError")


# ---------------------------------------------------------------- crashes


def test_a_crash_after_sending_sends_again_under_the_same_id_and_counts_it(
    harness: ServiceHarness, sink: MailSink
) -> None:
    harness.apply(*known(rendered(harness)))
    before = ambiguous()

    def sent_then_killed(parcel: Parcel, relay: Relay, settings: Settings) -> Outcome:
        mail(parcel, relay, settings)
        raise Killed

    with pytest.raises(Killed):
        Courier(Channel.EMAIL, Relay, sent_then_killed).run(harness)
    assert row(harness).state == "sending"
    assert fresh().run(harness) == 0, "the lease has not run out"

    let_leases_lapse(harness)
    fresh().run(harness)

    assert list(sink.copies.values()) == [2]
    assert (row(harness).state, row(harness).ambiguous) == ("delivered", 1)
    assert ambiguous() == before + 1


def test_what_crashes_the_process_every_time_is_given_up(harness: ServiceHarness) -> None:
    harness.apply(*known(rendered(harness)))

    def killed(parcel: Parcel, relay: Relay, settings: Settings) -> Outcome:
        raise Killed

    for _ in range(ATTEMPTS_MAX):
        with pytest.raises(Killed):
            Courier(Channel.EMAIL, Relay, killed).run(harness)
        let_leases_lapse(harness)
    Courier(Channel.EMAIL, Relay, killed).run(harness)

    assert (row(harness).state, row(harness).code) == ("failed", "attempts-exhausted")


def test_what_could_not_be_recorded_is_recorded_next_time_not_sent_again(
    harness: ServiceHarness, sink: MailSink
) -> None:
    ask_for(harness, 3)
    desk = Flaky(harness)
    courier = fresh()

    desk.fail_from(3)  # looking and claiming succeed, recording does not
    with pytest.raises(Transient):
        courier.run(desk)
    desk.fail_from(None)
    courier.run(desk)

    assert sorted(sink.copies.values()) == [1, 1, 1]
    assert len(harness.emitted) == 3


def test_a_courier_whose_lease_ran_out_leaves_the_word_to_its_successor(
    harness: ServiceHarness, sink: MailSink
) -> None:
    harness.apply(*known(rendered(harness)))
    slow = fresh()
    desk = Flaky(harness)
    desk.fail_from(3)
    with pytest.raises(Transient):
        slow.run(desk)
    let_leases_lapse(harness)
    fresh().run(harness)

    desk.fail_from(None)
    slow.run(desk)

    assert len(harness.emitted) == 1, "told once, by the successor"
    assert row(harness).attempts == 2


class Flaky:
    """A desk whose database goes away from its n-th transaction on."""

    def __init__(self, harness: ServiceHarness) -> None:
        self.settings = harness.settings
        self.clock = harness.clock
        self._harness = harness
        self._left: int | None = None

    def fail_from(self, number: int | None) -> None:
        self._left = number

    @contextmanager
    def begin(self) -> Iterator[Any]:
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                raise Transient("database-connection", "away")
        with self._harness.begin() as unit:
            yield unit


# ---------------------------------------------------------------- together


def test_couriers_side_by_side_send_every_mail_once(
    harness: ServiceHarness, sink: MailSink
) -> None:
    ask_for(harness, 3 * PORTION)
    failures: list[BaseException] = []

    def work() -> None:
        courier = fresh()
        try:
            while courier.run(harness):
                pass
        except BaseException as error:  # noqa: BLE001 - a thread tells its test
            failures.append(error)

    run_together(work, 4)

    assert failures == []
    assert len(sink.copies) == 3 * PORTION
    assert set(sink.copies.values()) == {1}
    assert harness.query("SELECT DISTINCT state FROM delivery") == [("delivered",)]


def run_together(work: Callable[[], None], count: int) -> None:
    threads = [Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
