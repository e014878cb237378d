"""The notifier on PostgreSQL and a real SMTP server: the right mail, to the right person, once."""

from collections.abc import Callable
from email.message import EmailMessage

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from services.notifier.main import SERVICE
from shared.errors import WaitFor
from shared.events.base import Event
from shared.events.billing import InvoiceIssued
from shared.events.delivery import DocumentDelivered
from shared.events.masterdata import Channel
from shared.local.mailsink import MailSink
from shared.testing import ServiceHarness
from tests.integration.notifier.conftest import (
    NOW,
    PDF,
    contact,
    customer,
    disputed,
    known,
    paid,
    plain,
    reminder,
    rendered,
    resolved,
    states,
)
from tests.invoices import ISSUED, credit_note, invoice, numbered

Mails = Callable[[], list[EmailMessage]]


# ---------------------------------------------------------------- an invoice


def test_an_invoice_is_mailed_with_its_document(harness: ServiceHarness, mails: Mails) -> None:
    harness.apply(*known(rendered(harness)))

    assert harness.work("mail") == 1

    (mail,) = mails()
    assert mail["Subject"] == "Rechnung R-2026-000001 von Druckhaus Spreebogen GmbH"
    assert mail["To"].addresses[0].addr_spec == "marlene@nordlicht.example"
    assert mail["From"].addresses[0].display_name == "Druckhaus Spreebogen GmbH"
    assert mail["Reply-To"].addresses[0].addr_spec == "rechnung@spreebogen.example"
    assert str(ISSUED.payment_url) in plain(mail)
    (document,) = mail.iter_attachments()
    assert (document.get_filename(), document.get_content()) == ("R-2026-000001.pdf", PDF)


def test_its_delivery_is_told_and_recorded(harness: ServiceHarness, mails: Mails) -> None:
    harness.apply(*known(rendered(harness)))
    harness.work("mail")

    (event,) = harness.emitted
    (mail,) = mails()
    assert isinstance(event, DocumentDelivered)
    assert mail["Message-ID"] == f"<{event.message_id}@colophon.example>"
    assert event.model_dump(exclude={"message_id"}) == {
        "legal_entity_id": "DE01",
        "invoice_id": ISSUED.invoice_id,
        "document_kind": "invoice",
        "stage": "0",
        "channel": Channel.EMAIL,
        "contact_id": "P-1001",
        "delivered_at": NOW,
        "attempts": 1,
    }
    assert states(harness) == [("invoice", 0, "delivered", None)]


def test_the_same_events_without_an_inbox_send_one_mail(
    harness: ServiceHarness, sink: MailSink
) -> None:
    events = known(rendered(harness), paid("1.00"), reminder())
    for _ in range(3):
        harness.apply(*events)
        harness.work("mail")

    assert sorted(sink.copies.values()) == [1, 1]
    assert harness.query("SELECT paid FROM invoice")[0].paid == 1


def test_with_nothing_due_there_is_nothing_to_do(harness: ServiceHarness) -> None:
    harness.apply(*known())

    assert (harness.work("mail"), harness.work("drop")) == (0, 0)


def test_before_the_entity_went_live_nobody_is_mailed(
    harness: ServiceHarness, sink: MailSink
) -> None:
    not_live = invoice(live=False)
    harness.apply(contact(), customer(), not_live, rendered(harness), reminder())

    assert harness.work("mail") == 0
    assert sink.copies == {}


@pytest.mark.parametrize(
    ("facts", "kind", "key"),
    [
        ((contact(), customer()), "invoice", f"DE01/{ISSUED.invoice_id}"),
        ((contact(), ISSUED), "customer", "C-1001"),
        ((customer(), ISSUED), "contact", "P-1001"),
    ],
)
def test_a_document_waits_for_whom_it_is_about(
    harness: ServiceHarness, facts: tuple[Event, ...], kind: str, key: str
) -> None:
    harness.apply(*facts)

    for asking in (rendered(harness), reminder()):
        with pytest.raises(WaitFor) as wait:
            harness.apply(asking)
        assert (wait.value.kind, wait.value.key) == (kind, key)


def test_what_is_waited_for_is_what_the_events_bring() -> None:
    facts = [
        fact
        for event in (contact(), customer(), ISSUED, disputed("1.00"))
        for fact in SERVICE.facts[type(event)](event)
    ]

    assert [(fact.kind, fact.key) for fact in facts] == [
        ("contact", "P-1001"),
        ("customer", "C-1001"),
        ("invoice", f"DE01/{ISSUED.invoice_id}"),
        ("dispute", "DE01/D-1"),
    ]


@pytest.mark.parametrize(
    ("contacts_locale", "customers_locale", "subject"),
    [
        (None, "de_AT", "Rechnung R-2026-000001 von Druckhaus Spreebogen GmbH"),
        ("en_GB", "de_DE", "Invoice R-2026-000001 from Druckhaus Spreebogen GmbH"),
        (None, "el_GR", "Invoice R-2026-000001 from Druckhaus Spreebogen GmbH"),
    ],
)
def test_each_reader_gets_their_language(
    harness: ServiceHarness,
    mails: Mails,
    contacts_locale: str | None,
    customers_locale: str,
    subject: str,
) -> None:
    reader = contact(locale=contacts_locale)
    harness.apply(reader, customer(locale=customers_locale), ISSUED, rendered(harness))
    harness.work("mail")

    assert [mail["Subject"] for mail in mails()] == [subject]


# ---------------------------------------------------------------- reminders


def test_a_reminder_asks_for_what_is_open_when_it_leaves(
    harness: ServiceHarness, mails: Mails
) -> None:
    harness.apply(*known(rendered(harness)))
    harness.work("mail")
    harness.apply(reminder(1, "friendly"))
    harness.apply(paid("1000.00"), disputed("23.08"))
    harness.work("mail")

    (mail,) = (mail for mail in mails() if mail["Subject"].startswith("Zahlungserinnerung"))
    assert "Zu zahlen                      200,00 €" in plain(mail).replace("\xa0", " ")
    assert [part.get_filename() for part in mail.iter_attachments()] == ["R-2026-000001.pdf"]
    (event,) = harness.emitted
    assert isinstance(event, DocumentDelivered)
    assert (event.document_kind, event.stage) == ("reminder", "1")


def test_a_reminder_before_the_document_goes_without_it(
    harness: ServiceHarness, mails: Mails
) -> None:
    harness.apply(*known(reminder()))
    harness.work("mail")

    (mail,) = mails()
    assert list(mail.iter_attachments()) == []


@pytest.mark.parametrize(
    "settlement",
    [
        (paid("1223.08"),),
        (credit_note(),),
        (disputed("1223.08"),),
        (disputed("1223.08"), resolved("upheld")),
    ],
    ids=["paid", "credited", "disputed", "conceded"],
)
def test_what_was_settled_between_decision_and_sending_is_not_asked_for(
    harness: ServiceHarness, sink: MailSink, settlement: tuple[Event, ...]
) -> None:
    harness.apply(*known(reminder()))
    for event in settlement:
        harness.apply(event)

    harness.work("mail")

    assert sink.copies == {}
    assert harness.emitted == []
    assert states(harness) == [("reminder", 1, "withheld", "nothing-demandable")]


def test_a_dispute_rejected_is_asked_for_again(harness: ServiceHarness, sink: MailSink) -> None:
    harness.apply(*known(disputed("1223.08")))
    harness.apply(resolved("rejected"), reminder())

    harness.work("mail")

    assert sum(sink.copies.values()) == 1


def test_a_customer_on_hold_is_not_reminded(harness: ServiceHarness, sink: MailSink) -> None:
    harness.apply(*known(reminder()), customer(version=2, dunning_hold=True))

    harness.work("mail")

    assert sink.copies == {}
    assert states(harness) == [("reminder", 1, "withheld", "dunning-hold")]


def test_after_days_without_mail_only_the_newest_reminder_leaves(
    harness: ServiceHarness, mails: Mails
) -> None:
    harness.apply(*known(reminder(1, "friendly"), reminder(2, "firm"), reminder(3, "escalation")))

    harness.work("mail")

    assert [mail["Subject"].split(":")[0] for mail in mails()] == ["Letzte Mahnung"]
    assert states(harness) == [
        ("reminder", 1, "withheld", "superseded"),
        ("reminder", 2, "withheld", "superseded"),
        ("reminder", 3, "delivered", None),
    ]


# ---------------------------------------------------------------- files


def test_a_customer_who_collects_files_finds_them_whole(
    harness: ServiceHarness, sink: MailSink
) -> None:
    harness.apply(customer(preferred_channel=Channel.FILE_DROP), ISSUED, rendered(harness))
    harness.apply(reminder())

    assert harness.work("mail") == 0
    assert harness.work("drop") == 2

    folder = harness.settings.data_dir / "drop" / "C-1001" / "DE01"
    assert (folder / "R-2026-000001.pdf").read_bytes() == PDF
    assert "Zu zahlen" in (folder / "R-2026-000001-reminder-1.txt").read_text("utf-8")
    assert sink.copies == {}
    channels = {e.channel for e in harness.emitted if isinstance(e, DocumentDelivered)}
    assert channels == {Channel.FILE_DROP}


def test_a_file_whose_document_is_missing_is_dropped_later(harness: ServiceHarness) -> None:
    missing = rendered(harness).model_copy(update={"sha256": "0" * 64})
    harness.apply(customer(preferred_channel=Channel.FILE_DROP), ISSUED, missing)

    harness.work("drop")

    assert states(harness) == [("invoice", 0, "pending", "document-missing")]


# ---------------------------------------------------------------- statements, constraints


def test_the_number_of_statements_does_not_grow_with_the_batch(harness: ServiceHarness) -> None:
    def batch(first: int, count: int) -> list[Event]:
        issued = [numbered(n) for n in range(first, first + count)]
        people = [
            each
            for n in range(first, first + count)
            for each in (
                contact(contact_id=f"P-{n}"),
                customer(customer_id=f"C-{n}", contact_id=f"P-{n}"),
            )
        ]
        documents = [rendered(harness, of) for of in issued]
        money = [paid("1.00", of) for of in issued]
        return [
            *people,
            contact(),
            customer(),
            *issued,
            *documents,
            *map(reminder_of, issued),
            *money,
        ]

    def reminder_of(of: InvoiceIssued) -> Event:
        return reminder(of=of)

    harness.apply(*batch(1, 1))
    for_one = harness.statements
    harness.apply(*batch(100, 100))

    assert harness.statements == for_one
    assert for_one <= 14


def test_a_portion_takes_as_many_statements_as_a_single_mail(harness: ServiceHarness) -> None:
    harness.apply(*known(rendered(harness)))
    harness.work("mail")
    for_one = harness.statements
    issued = [numbered(n) for n in range(2, 42)]
    harness.apply(*issued, *(rendered(harness, of) for of in issued))

    assert harness.work("mail") == 40
    assert harness.statements == for_one


@pytest.mark.parametrize(
    "change",
    [
        "state = 'pending'",
        "state = 'failed', code = NULL",
        "stage = 1",
        "channel = 'PIGEON'",
        "attempts_before = 9",
    ],
)
def test_the_database_refuses_what_the_code_never_writes(
    harness: ServiceHarness, change: str
) -> None:
    harness.apply(*known(rendered(harness)))
    harness.work("mail")

    with harness.engine.connect() as connection, pytest.raises(IntegrityError):
        connection.execute(text(f"UPDATE delivery SET {change}"))  # noqa: S608 - from the list above
