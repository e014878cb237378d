"""What the rules let pass, because something else explains it, and what they do not."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.auditor.domain.facts import InvoiceKey
from services.auditor.domain.figures import totals_add_up
from services.auditor.domain.held import Applied
from services.auditor.domain.jobs import Extraction
from services.auditor.domain.numbers import Series
from services.auditor.domain.postings import OpenItem, Settled
from services.auditor.domain.records import Records
from shared.events.accounting import EntryPosted, InvoicePosted
from shared.events.billing import (
    DocumentRendered,
    InvoiceIssued,
    ReviewRequested,
)
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.payments import PaymentApplied
from shared.events.production import JobCompleted, MetricsExtracted, Quality, QualityDecided
from shared.identity import message_id, topic_of
from tests.invoices import credit_note
from tests.unit.auditor.breaches import JOB, KEY, amended, delivery, in_files, published, unapplied
from tests.unit.auditor.world import (
    NOW,
    again,
    completed,
    extracted,
    held_of,
    issued,
    priced,
    records,
    reminder,
    rendered,
    sound,
    unreadable,
)


def test_an_unreadable_record_is_explained_by_its_dead_letter() -> None:
    world = sound()
    broken = unreadable(JobCompleted)
    world.raw.append(broken)
    held = held_of(world.first(JobCompleted), "metrics_extractor", "dead", "framing-unknown")
    world.held.append(replace(held, message_id=None, offset=broken.offset))
    assert world.broken() == {}


def test_a_fact_that_is_held_needs_no_effect_yet() -> None:
    world = sound()
    invoice = world.first(InvoiceIssued)
    unapplied(world)
    world.held.append(held_of(invoice, "ledger_writer", "dead", "totals-differ"))
    assert "every record has its effect" not in world.broken()


def test_an_invoice_that_the_ledger_holds_is_neither_posted_nor_open() -> None:
    # Given the ledger without the invoice, which is a dead letter there, and without its payment
    world = sound()
    unapplied(world)
    world.replace(PaymentApplied, None)
    for kind in (EntryPosted, EntryPosted, InvoicePosted):
        world.replace(kind, None)
    world.journal.clear()
    for table in ("heads", "posted", "open_items", "applications"):
        world.tables[table] = {}
    world.tables["balances"] = {"notifier": {KEY: Settled(Decimal(0), Decimal(0))}}
    world.held.append(held_of(world.first(InvoiceIssued), "ledger_writer", "dead", "totals-differ"))
    assert world.broken() == {}


def test_a_repeated_record_counts_once() -> None:
    world = sound()
    world.raw.append(again(world.first(InvoiceIssued)))
    assert world.broken() == {}
    assert {one.rule: one.looked_at for one in world.audit()}["repeats say the same"] == 1


@pytest.mark.parametrize("kind", [InvoiceIssued, JobCompleted])
def test_a_record_sent_again_with_other_content_is_found(kind: type[Any]) -> None:
    # Given a record of a service of ours, or one from outside that is no dead letter
    world = sound()
    other = again(world.first(kind), b"other bytes")
    world.raw.append(other)
    first = (other.topic, 0, [type(event) for event in world.events].index(kind))
    world.files["contents"] = {first: {"a": 1, "b": 1}, other.place: {"a": 1, "b": 2}}
    assert "repeats say the same" in world.broken()
    # When the contents are equal all the same (an older schema wrote one of them)
    world.files["contents"][other.place] = {"a": 1, "b": 1}
    assert world.broken() == {}


@pytest.mark.parametrize("gone", [0, 1])
def test_what_was_compacted_away_meanwhile_is_compared_no_more(gone: int) -> None:
    """If it failed: `verify` would end with a stack trace while Kafka cleans a topic."""
    world = sound()
    other = again(world.first(JobCompleted), b"other bytes")
    world.raw.append(other)
    contents = {(other.topic, 0, 0): {"a": 1}, other.place: {"a": 2}}
    del contents[list(contents)[gone]]
    world.files["contents"] = contents
    assert world.broken() == {}


def test_a_conflict_from_outside_is_explained_by_its_dead_letter() -> None:
    world = sound()
    job = world.first(JobCompleted)
    other = again(job, b"other bytes")
    world.raw.append(other)
    world.files["contents"] = {(other.topic, 0, 0): {"a": 1}, other.place: None}
    held = held_of(job, "metrics_extractor", "dead", "conflict")
    world.held.append(replace(held, offset=other.offset))
    assert world.broken() == {}


def test_a_job_that_quality_control_released_later_may_be_invoiced() -> None:
    world = sound()
    published(JobCompleted, quality=Quality.UNKNOWN)(world)
    decided = QualityDecided(
        legal_entity_id="DE01",
        sender_id="MES",
        message_id="Q-1",
        decided_at=NOW,
        job_id="J-1",
        quality=Quality.PASSED,
    )
    world.events.append(decided)
    assert world.broken() == {}


def test_a_credit_note_lowers_what_is_open_and_needs_its_own_posting() -> None:
    # Given a credit note that nobody has posted
    world = sound()
    note = credit_note(issued())
    world.events.append(note)
    world.tables["series"] = {**world.tables["series"], Series("DE01", "G", 2026): 1}
    # Then the books are found to lack it, and nothing else is wrong
    assert set(world.broken()) == {
        "balances follow from events",
        "documents are posted once",
        "open items follow from events",
    }


def test_a_delivery_on_its_way_is_not_told_yet() -> None:
    world = sound()
    delivery(world, state="pending")
    world.replace(DocumentDelivered, None)
    assert world.broken() == {}


def test_a_delivery_that_failed_for_good_is_told_so() -> None:
    world = sound()
    known = world.first(DocumentDelivered)
    delivery(world, state="failed")
    failed = DocumentFailed(
        **known.model_dump(exclude={"delivered_at"}), failed_at=NOW, code="no", reason="no"
    )
    world.replace(DocumentDelivered, failed)
    assert world.broken() == {}


def test_there_may_be_no_mail_sink() -> None:
    world = sound()
    world.files["copies"] = None
    assert "mails arrive once" not in {one.rule for one in world.audit()}


def test_a_document_of_an_invoice_that_nobody_issued_is_not_compared() -> None:
    world = sound()
    in_files("texts", InvoiceKey("DE01", "unknown"), "")(world)
    assert world.broken() == {}


def test_a_newer_revision_after_the_invoice_is_a_correction_to_be_asked_for() -> None:
    world = sound()
    newer = issued(revision=2, pricing_no=2)
    world.events += [completed(newer), extracted(completed(newer)), priced(newer)]
    world.jobs["accepted"] |= {("DE01", "J-1", 2)}
    world.jobs["extractions"] = {JOB: Extraction(2, "extracted", None)}
    assert set(world.broken()) == {"reviews are requested"}
    world.events.append(
        ReviewRequested(
            legal_entity_id="DE01",
            subject_kind="correction",
            subject_id="J-1",
            subject_version=2,
            requested_at=NOW,
            requested_by="invoicer",
            reasons=(),
            currency="EUR",
            net_total=Decimal(1),
        )
    )
    assert world.broken() == {}


def test_a_held_delivery_explains_its_absence() -> None:
    world = sound()
    document = world.first(DocumentRendered)
    world.unapplied.add(("notifier", message_id(topic_of(document), document)))
    world.held.append(held_of(document, "notifier", "waiting", "contact P-1001"))
    world.tables["deliveries"] = {}
    world.files["copies"] = {}
    world.replace(DocumentDelivered, None)
    assert world.broken() == {}


def test_metrics_alone_are_no_outcome() -> None:
    # Given a job that was extracted and never priced
    world = sound()
    job = completed(issued(7))
    world.events += [job, extracted(job)]
    world.jobs["accepted"] |= {("DE01", "J-7", 1)}
    assert set(world.broken()) == {"every job has one outcome"}
    assert world.first(MetricsExtracted)


def test_a_document_rendered_without_its_invoice_is_not_delivered_but_found() -> None:
    world = sound()
    world.events.append(rendered(issued(8)))
    assert "live invoices are delivered" not in world.broken()
    assert "invoices are rendered" in world.broken()


def test_a_facts_identity_is_asked_of_events_alone() -> None:
    with pytest.raises(ValueError, match="no event"):
        unreadable(JobCompleted).identity  # noqa: B018 - asking is what raises


def test_places_that_differ_are_named_for_reading_in_full() -> None:
    folded = Records(Applied({}, ()))
    job = completed(issued())
    first, other = again(job, offset=1), again(job, b"other bytes", offset=2)
    assert [folded.take(first), folded.take(other)] == [True, False]
    assert folded.places_that_differ() == [first.place, other.place]


def test_a_payment_that_the_ledger_holds_is_neither_posted_nor_paid() -> None:
    # Given a payment that waits in the ledger, which knows the invoice alone
    world = sound()
    money = world.first(PaymentApplied)
    world.unapplied.add(("ledger_writer", message_id(topic_of(money), money)))
    world.held.append(held_of(money, "ledger_writer", "waiting", "invoice 1"))
    world.tables["applications"] = {}
    world.journal.pop()
    world.replace(EntryPosted, None, place=1)
    entry = world.journal[0]
    gross = issued().gross_total
    none = Decimal(0)
    world.tables["heads"] = {"DE01": (1, entry.hash)}
    world.tables["open_items"] = {KEY: OpenItem("EUR", gross, none, none, gross)}
    assert world.broken() == {}


def test_nothing_is_sent_for_what_is_older_than_going_live() -> None:
    # Given an invoice of before, without delivery and reminder
    world = sound()
    amended(world, live=False)
    world.tables["deliveries"] = {}
    world.files["copies"] = {}
    world.replace(DocumentDelivered, None)
    world.replace(ReminderDue, None)
    world.tables["reminders"] = {(KEY, 1): True}
    assert world.broken() == {}


def test_stages_on_later_days_follow_each_other() -> None:
    world = sound()
    world.events.append(reminder(issued(), 2))
    world.tables["reminders"] = {(KEY, 1): False, (KEY, 2): False}
    assert world.broken() == {}


def test_totals_finer_than_the_currency_are_found_where_a_codec_let_them_pass() -> None:
    said = {**records([issued()])[0].fields, "currency": "JPY"}
    found = [finding.subject for finding in totals_add_up(said, "invoice", "the topic")]
    assert found == ["invoice, net_total", "invoice, tax_total", "invoice, gross_total"]
