"""Every rule of the audit finds what it is there for, and a sound world breaks none."""

from dataclasses import replace
from decimal import Decimal

import pytest

from services.auditor.domain.deliveries import NO_MAILS, Mails, Stored
from services.auditor.domain.jobs import Extraction
from services.auditor.domain.numbers import Series
from services.auditor.domain.postings import OpenItem, Settled
from shared.events.accounting import EntryPosted, InvoicePosted
from shared.events.billing import (
    DocumentRendered,
    InvoiceIssued,
    JobPriced,
    Path,
)
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered
from shared.events.masterdata import PaymentTerms
from shared.events.payments import PaymentApplied
from shared.events.production import JobCompleted, Quality
from tests.unit.auditor.breaches import (
    APPLICATION,
    JOB,
    KEY,
    Breach,
    amended,
    delivery,
    in_files,
    in_table,
    later_number_earlier_date,
    lost_entry,
    on_line,
    published,
    second_invoice_of_the_job,
    tampered_posting,
    unapplied,
    without,
)
from tests.unit.auditor.world import (
    NOW,
    completed,
    issued,
    reminder,
    sound,
    unreadable,
)


def test_a_sound_world_breaks_no_rule() -> None:
    world = sound()
    assert world.broken() == {}
    assert all(one.meaning for one in world.audit())


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
    (
        "due dates follow the terms",
        lambda w: amended(w, payment_terms=PaymentTerms(net_days=2**40)),
    ),
    ("numbers are contiguous", lambda w: w.events.append(issued(3))),
    ("numbers are contiguous", lambda w: w.events.append(issued(2**53))),
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
    ("mails arrive once", in_files("copies", f"mail-{KEY.invoice_id}", Mails(2, 5))),
    ("mails arrive once", in_files("copies", f"mail-{KEY.invoice_id}", NO_MAILS)),
    ("mails arrive once", in_files("copies", "nobody-asked", Mails(1, 5))),
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
    ("every record can be published", lambda w: w.tables.update(quarantined={"pricer": 1})),
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


OF_CONTENTS = ("repeats say the same", "mended records say the same")  # tested beside


def test_every_rule_can_fail() -> None:
    rules = {one.rule for one in sound().audit()} - {"held records", *OF_CONTENTS}
    assert rules == {rule for rule, _ in BREACHES}


# ---------------------------------------------------------------- what is no breach
