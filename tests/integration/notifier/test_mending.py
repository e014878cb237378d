"""What failed for good is told without names, and goes out when a person has mended its cause."""

from collections.abc import Callable
from email.message import EmailMessage

import pytest

from services.notifier.domain.delivery import Outcome
from services.notifier.gateway import Relay
from services.notifier.handler.courier import Courier
from services.notifier.handler.events import on_contact
from services.notifier.handler.parcel import Parcel, mail
from shared.errors import Rejected, WaitFor
from shared.events.base import Event
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.masterdata import Channel, Contact
from shared.local.mailsink import MailSink
from shared.settings import Settings
from shared.testing import ServiceHarness
from tests.integration.notifier.conftest import (
    Postmaster,
    contact,
    customer,
    disputed,
    known,
    paid,
    rendered,
    resolved,
    states,
)
from tests.invoices import ISSUED, credit_note

Mails = Callable[[], list[EmailMessage]]


# ---------------------------------------------------------------- refusals, and people who mend


def fail_for_good(harness: ServiceHarness, postmaster: Postmaster) -> DocumentFailed:
    postmaster.refusals = {("RCPT", "marlene@nordlicht.example"): "550 5.1.1 no such user marlene"}
    harness.apply(*known(rendered(harness)))
    harness.work("mail")
    (event,) = harness.emitted
    assert isinstance(event, DocumentFailed)
    return event


def test_a_permanent_refusal_fails_at_once_and_names_no_person(
    harness: ServiceHarness, postmaster: Postmaster
) -> None:
    event = fail_for_good(harness, postmaster)

    assert (event.code, event.attempts) == ("recipient-refused", 1)
    assert event.reason == "550 5.1.1 no such user [recipient]"
    assert harness.work("mail") == 0


def test_a_mended_contact_gets_what_had_failed(
    harness: ServiceHarness, postmaster: Postmaster, mails: Mails
) -> None:
    failed = fail_for_good(harness, postmaster)
    harness.apply(contact(revision=2, email="m.voss@nordlicht.example"))

    harness.work("mail")

    (mail,) = mails()
    assert mail["To"].addresses[0].addr_spec == "m.voss@nordlicht.example"
    (event,) = harness.emitted
    assert isinstance(event, DocumentDelivered)
    assert (event.message_id, event.attempts) == (failed.message_id, 2)


@pytest.mark.parametrize(
    "mended", [contact(revision=2), customer(version=2)], ids=["contact", "customer"]
)
def test_who_is_mended_while_a_mail_is_refused_gets_it_again(
    mended: Event, harness: ServiceHarness, postmaster: Postmaster, mails: Mails
) -> None:
    wrong, right = contact(email="wrong@nordlicht.example"), contact(revision=2)
    postmaster.refusals = {("RCPT", "wrong@nordlicht.example"): "550 5.1.1 no such user"}
    harness.apply(wrong, *known(rendered(harness))[1:])

    def carry(parcel: Parcel, relay: Relay, settings: Settings) -> Outcome:
        outcome = mail(parcel, relay, settings)
        harness.apply(mended)
        return outcome

    Courier(Channel.EMAIL, Relay, carry).run(harness)
    assert states(harness) == [("invoice", 0, "pending", None)]
    assert harness.emitted == []

    harness.apply(right)
    harness.work("mail")

    assert len(mails()) == 1
    assert states(harness) == [("invoice", 0, "delivered", None)]


def test_nothing_is_claimed_under_the_hands_of_who_mends(
    harness: ServiceHarness, postmaster: Postmaster, mails: Mails
) -> None:
    postmaster.refusals = {("RCPT", "wrong@nordlicht.example"): "550 5.1.1 no such user"}
    harness.apply(contact(email="wrong@nordlicht.example"), *known(rendered(harness))[1:])

    with harness.begin() as unit:
        unit.store.prefetch([contact(revision=2)])
        on_contact(contact(revision=2), unit.store, unit.now)
        unit.store.flush()
        assert harness.work("mail") == 0
    harness.work("mail")

    assert len(mails()) == 1


def test_an_older_revision_mends_nothing(harness: ServiceHarness, postmaster: Postmaster) -> None:
    harness.apply(contact(revision=5))
    fail_for_good(harness, postmaster)

    harness.apply(contact(revision=4, email="old@nordlicht.example"))

    assert harness.work("mail") == 0
    assert harness.query("SELECT email FROM contact")[0].email == "marlene@nordlicht.example"


def test_an_erased_person_is_forgotten_and_not_mailed(
    harness: ServiceHarness, sink: MailSink
) -> None:
    harness.apply(*known(rendered(harness)))
    harness.apply(Contact.erased("P-1001"))
    harness.apply(contact(revision=9))

    harness.work("mail")

    assert sink.copies == {}
    assert [event.code for event in harness.emitted if isinstance(event, DocumentFailed)] == [
        "contact-erased"
    ]
    assert tuple(harness.query("SELECT name, email, locale FROM contact")[0]) == ("", None, None)


def test_a_customer_who_names_another_contact_gets_what_had_failed(
    harness: ServiceHarness, sink: MailSink, mails: Mails
) -> None:
    harness.apply(*known(rendered(harness)))
    harness.apply(Contact.erased("P-1001"))
    harness.work("mail")
    successor = contact(contact_id="P-2", name="Jonas Eberle", email="jonas@nordlicht.example")
    harness.apply(successor, customer(version=2, contact_id="P-2"))

    harness.work("mail")

    (mail,) = mails()
    assert mail["To"].addresses[0].addr_spec == "jonas@nordlicht.example"
    (event,) = harness.emitted
    assert isinstance(event, DocumentDelivered)
    assert event.contact_id == "P-2"


def test_a_customer_who_moves_to_files_gets_what_had_failed_as_a_file(
    harness: ServiceHarness, postmaster: Postmaster, sink: MailSink
) -> None:
    fail_for_good(harness, postmaster)
    harness.apply(customer(version=2, preferred_channel=Channel.FILE_DROP))

    assert harness.work("mail") == 0
    assert harness.work("drop") == 1

    assert sink.copies == {}
    assert states(harness) == [("invoice", 0, "delivered", None)]


def test_an_unusable_address_never_reaches_the_relay(
    harness: ServiceHarness, sink: MailSink
) -> None:
    smuggler = contact(email="m@a.example>\r\nRCPT TO:<all@b.example")
    harness.apply(smuggler, customer(), ISSUED, rendered(harness))

    harness.work("mail")

    assert sink.copies == {}
    assert states(harness) == [("invoice", 0, "failed", "address-unusable")]


def test_money_in_another_currency_is_refused(harness: ServiceHarness) -> None:
    harness.apply(*known())

    with pytest.raises(Rejected) as refusal:
        harness.apply(paid("1.00").model_copy(update={"currency": "GBP"}))

    assert refusal.value.code == "currency-mismatch"


@pytest.mark.parametrize(
    "early", [paid("1.00"), credit_note(), disputed("1.00"), resolved("upheld")]
)
def test_what_comes_before_its_invoice_waits(harness: ServiceHarness, early: Event) -> None:
    with pytest.raises(WaitFor) as wait:
        harness.apply(early)

    assert wait.value.kind == "invoice"


def test_a_resolution_waits_for_its_dispute(harness: ServiceHarness) -> None:
    harness.apply(ISSUED)

    with pytest.raises(WaitFor) as wait:
        harness.apply(resolved("upheld"))

    assert (wait.value.kind, wait.value.key) == ("dispute", "DE01/D-1")
