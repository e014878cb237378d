"""Every rule of the audit finds what it is there for, and a sound world breaks none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.auditor.domain.books import Side
from services.auditor.domain.deliveries import Stored
from services.auditor.domain.facts import InvoiceKey, JobKey
from services.auditor.domain.figures import totals_add_up
from services.auditor.domain.held import Applied
from services.auditor.domain.jobs import Extraction
from services.auditor.domain.numbers import Series
from services.auditor.domain.postings import Application, OpenItem, Settled
from services.auditor.domain.records import Records
from shared.events.accounting import EntryPosted, InvoicePosted
from shared.events.billing import (
    DocumentRendered,
    InvoiceIssued,
    JobPriced,
    Path,
    ReviewRequested,
)
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.payments import PaymentApplied
from shared.events.production import JobCompleted, MetricsExtracted, Quality, QualityDecided
from shared.identity import message_id, topic_of
from tests.invoices import credit_note
from tests.unit.auditor.world import (
    NOW,
    World,
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

Breach = Callable[[World], Any]
KEY = InvoiceKey("DE01", issued().invoice_id)
JOB = JobKey("DE01", "J-1")
APPLICATION = Application("DE01", "PAY-1", KEY.invoice_id, 1)


def test_a_sound_world_breaks_no_rule() -> None:
    world = sound()
    assert world.broken() == {}
    assert all(one.meaning for one in world.audit())


def amended(world: World, **changes: Any) -> None:  # noqa: ANN401 - any field
    """The issued invoice otherwise than everything else says."""
    world.replace(InvoiceIssued, world.first(InvoiceIssued).model_copy(update=changes))


def on_line(world: World, kind: type[Any], **changes: Any) -> None:  # noqa: ANN401
    event = world.first(kind)
    line = event.lines[0].model_copy(update=changes)
    world.replace(kind, event.model_copy(update={"lines": (line,)}))


def tampered_posting(world: World) -> None:
    entry = world.journal[0]
    first, *rest = entry.sides
    raised = Side(*first[:2], first.debit + 1, first.credit, first.text)
    world.journal[0] = replace(entry, sides=(raised, *rest))


def lost_entry(world: World) -> None:
    world.journal[0:1] = []


def in_table(name: str, key: object, value: object = None) -> Breach:
    """A table's row changed, or gone where `value` is None."""

    def breach(world: World) -> None:
        table = dict(world.tables[name])
        table[key] = value
        world.tables[name] = {k: v for k, v in table.items() if v is not None}

    return breach


def in_files(name: str, key: object, value: object) -> Breach:
    def breach(world: World) -> None:
        world.files[name] = {**world.files[name], key: value}

    return breach


def without(kind: type[Any]) -> Breach:
    """The record was never published (and nobody is said to have applied it)."""
    return lambda world: world.replace(kind, None)


def unapplied(world: World) -> None:
    invoice = world.first(InvoiceIssued)
    world.unapplied.add(("ledger_writer", message_id(topic_of(invoice), invoice)))


def second_invoice_of_the_job(world: World) -> None:
    world.events.append(issued(2, job_id="J-1"))


def later_number_earlier_date(world: World) -> None:
    early = issued().issued_on - timedelta(days=1)
    world.events += [issued(2, issued_on=early)]


def delivery(world: World, **changes: Any) -> None:  # noqa: ANN401 - any field
    (key, known), *_ = world.tables["deliveries"].items()
    world.tables["deliveries"] = {key: known._replace(**changes)}


def published(kind: type[Any], **changes: Any) -> Breach:  # noqa: ANN401
    """The record says otherwise than the tables."""

    def breach(world: World) -> None:
        world.replace(kind, world.first(kind).model_copy(update=changes))

    return breach


BREACHES: list[tuple[str, Breach]] = [
    ("unreadable records are dead letters", lambda w: w.raw.append(unreadable(JobCompleted))),
    ("every record has its effect", unapplied),
    ("only released jobs are invoiced", lambda w: w.jobs.update(accepted=frozenset())),
    (
        "every job has one outcome",
        lambda w: w.jobs.update(extractions={JOB: Extraction(1, "not_billable", "run-aborted")}),
    ),
    ("every job has one outcome", lambda w: w.events.append(completed(issued(5)))),
    ("one invoice per job", second_invoice_of_the_job),
    ("only released jobs are invoiced", published(JobCompleted, quality=Quality.FAILED)),
    ("only released jobs are invoiced", without(JobCompleted)),
    ("invoices rest on their price", without(JobPriced)),
    ("invoices rest on their price", published(JobPriced, path=Path.REVIEW)),
    ("invoices rest on their price", published(JobPriced, net_total=Decimal("1027.81"))),
    ("invoices rest on their price", lambda w: on_line(w, JobPriced, code="OTHER")),
    ("reviews are requested", published(JobPriced, path=Path.REVIEW)),
    ("lines are numbered", lambda w: on_line(w, InvoiceIssued, line_no=2)),
    ("lines multiply out", lambda w: on_line(w, InvoiceIssued, net=Decimal("1027.81"))),
    ("lines sum to the net", lambda w: amended(w, net_total=Decimal("1027.81"))),
    ("tax is half up", lambda w: on_line(w, InvoiceIssued, tax_category="AE")),
    ("totals add up", lambda w: amended(w, gross_total=Decimal("1223.09"))),
    ("totals add up", lambda w: amended(w, tax_total=Decimal("195.29"))),
    ("tax is half up", lambda w: amended(w, taxes=issued().taxes * 2)),
    ("numbers are written as counted", lambda w: amended(w, invoice_number="R-2026-1")),
    ("references check", lambda w: amended(w, payment_reference="RF00R2026000001")),
    ("references check", lambda w: amended(w, payment_reference="RF18539007547034")),
    ("due dates follow the terms", lambda w: amended(w, due_on=issued().issued_on)),
    ("numbers are contiguous", lambda w: w.events.append(issued(3))),
    ("numbers are contiguous", lambda w: w.events.append(issued(1, invoice_id="another"))),
    ("numbers follow issue dates", later_number_earlier_date),
    ("series stand at their last number", in_table("series", Series("DE01", "R", 2026), 2)),
    ("invoices are published as stored", in_table("invoices", KEY)),
    ("invoices are published as stored", in_table("invoices", KEY, ("R-2026-000001",))),
    ("invoices are published as stored", without(InvoiceIssued)),
    ("details are stored as published", in_table("line_sums", KEY, Decimal("1027.79"))),
    ("details are stored as published", in_table("line_sums", KEY)),
    ("details are stored as published", in_table("taxes", KEY, [])),
    ("details are stored as published", in_table("taxes", KEY)),
    ("details are stored as published", without(InvoiceIssued)),
    ("invoices are rendered", without(DocumentRendered)),
    ("invoices are rendered", without(InvoiceIssued)),
    ("documents are as recorded", lambda w: w.tables.update(documents={})),
    ("documents are as recorded", lambda w: w.files.update(stored={})),
    (
        "documents are as recorded",
        lambda w: w.files.update(stored={s: Stored("0" * 64, 19) for s in w.files["stored"]}),
    ),
    ("documents say what was issued", in_files("texts", KEY, "R-2026-000001 1.027,80")),
    ("live invoices are delivered", lambda w: w.tables.update(deliveries={})),
    ("live invoices are delivered", lambda w: amended(w, live=False)),
    ("deliveries are published", without(DocumentDelivered)),
    ("deliveries are published", lambda w: delivery(w, state="failed")),
    ("deliveries are published", lambda w: delivery(w, state="pending")),
    ("mails arrive once", in_files("copies", f"mail-{KEY.invoice_id}", 2)),
    ("mails arrive once", in_files("copies", f"mail-{KEY.invoice_id}", 0)),
    ("mails arrive once", in_files("copies", "nobody-asked", 1)),
    ("entries balance", tampered_posting),
    ("entries balance", lambda w: w.journal.append(replace(w.journal[0], sides=()))),
    ("chains are whole", tampered_posting),
    ("chains are whole", lost_entry),
    ("heads end the chains", in_table("heads", "DE01", (1, "0" * 64))),
    ("heads end the chains", in_table("heads", "GB01", (1, "0" * 64))),
    ("entries are published as posted", without(EntryPosted)),
    ("entries are published as posted", lost_entry),
    ("entries are published as posted", published(EntryPosted, description="another")),
    ("documents are posted once", in_table("posted", KEY)),
    ("documents are posted once", without(InvoiceIssued)),
    ("documents are posted once", lambda w: w.journal.append(w.journal[0])),
    ("documents are posted once", tampered_posting),
    ("documents are posted once", lambda w: amended(w, tax_total=Decimal(0))),
    ("accounting is told once", without(InvoicePosted)),
    ("accounting is told once", in_table("posted", KEY)),
    ("accounting is told once", published(InvoicePosted, gross_total=Decimal(1))),
    ("accounting is told once", published(InvoicePosted, taxes=())),
    ("every entry has a cause", in_table("applications", APPLICATION)),
    ("payments are posted once", in_table("applications", APPLICATION)),
    ("payments are posted once", without(PaymentApplied)),
    ("payments are posted once", published(PaymentApplied, amount=Decimal(201))),
    (
        "payments are posted once",
        in_table("applications", APPLICATION, ("EUR", Decimal(200), "no such entry")),
    ),
    ("open items follow from events", in_table("open_items", KEY)),
    ("open items follow from events", without(InvoiceIssued)),
    (
        "open items follow from events",
        in_table("open_items", KEY, OpenItem("EUR", *(Decimal(n) for n in (1223, 0, 200, 1023)))),
    ),
    ("receivables equal open items", in_table("open_items", KEY)),
    ("receivables equal open items", tampered_posting),
    ("reminders are published as decided", without(ReminderDue)),
    ("reminders are published as decided", in_table("reminders", (KEY, 1))),
    ("reminders are published as decided", in_table("reminders", (KEY, 1), value=True)),
    ("reminders ask for what is overdue", without(InvoiceIssued)),
    ("reminders ask for what is overdue", lambda w: amended(w, live=False)),
    ("reminders ask for what is overdue", published(ReminderDue, days_overdue=0)),
    ("reminders ask for what is overdue", published(ReminderDue, open_amount=Decimal(9999))),
    ("stages follow each other", lambda w: w.events.append(reminder(issued(), 2, decided_at=NOW))),
    (
        "balances follow from events",
        in_table("balances", "notifier", {KEY: Settled(Decimal(0), Decimal(0))}),
    ),
]


@pytest.mark.parametrize(
    ("rule", "breach"), BREACHES, ids=[f"{n} {rule}" for n, (rule, _) in enumerate(BREACHES)]
)
def test_each_rule_finds_what_it_is_there_for(rule: str, breach: Breach) -> None:
    world = sound()
    if rule == "stages follow each other":
        world.replace(ReminderDue, reminder(issued(), 1, decided_at=NOW))
    breach(world)
    assert rule in world.broken()


def test_every_rule_can_fail() -> None:
    rules = {one.rule for one in sound().audit()} - {"held records", "repeats say the same"}
    assert rules == {rule for rule, _ in BREACHES}


# ---------------------------------------------------------------- what is no breach


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
