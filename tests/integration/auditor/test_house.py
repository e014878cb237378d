"""Sound books pass on real servers; whoever changes one figure behind the services is found."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from typer import Typer
from typer.testing import CliRunner

from services.auditor.domain.jobs import Claim, Outcome
from services.auditor.domain.status import Status
from services.auditor.main import status, status_command, verify, verify_command
from services.simulator.main import master_data, special_cases, starting_for, stories_of
from services.simulator.scene import Story
from shared.clock import local_date, system_now
from shared.codec.codec import Codec
from shared.events.payments import PaymentApplied
from shared.events.production import JobCompleted
from shared.local.hours import working_hour
from tests.integration.auditor.house import House

JOBS = 12
SPECIAL = ("review", "hold", "not-billable", "mixed-vat", "actual-within-cap")


@dataclass
class Work:
    """A house whose work is done, and the stories it was told."""

    house: House
    stories: list[Story]


@pytest.fixture(scope="module")
def work(house: House) -> Work:
    """Jobs on every path, one invoice partly paid, reminders sent, everything read."""
    starting = starting_for(JOBS, system_now().date())
    special = special_cases(3, starting=starting)
    told = [*stories_of(JOBS, 3, starting=starting), *(special[name] for name in SPECIAL)]
    usual = [
        story
        for story in told
        if len({type(a.event) for a in story.arrivals}) == len(story.arrivals)
    ]
    house.run(master_data())
    house.run(arrival.event for story in usual for arrival in story.arrivals)
    house.run([_payment(house)])
    due = working_hour(house.clock.now() + timedelta(days=60))
    house.advance(due - house.clock.now())
    house.settle()
    return Work(house, usual)


def _is_told_once(story: Story) -> bool:
    """Whether no fact comes twice: what the inbox would sort out, which is not here."""
    completed = [a.event for a in story.arrivals if isinstance(a.event, JobCompleted)]
    return len(completed) == 1


def _payment(house: House) -> PaymentApplied:
    row = house.query("SELECT * FROM ledger_writer.receivable ORDER BY invoice_number LIMIT 1")[0]
    return PaymentApplied(
        legal_entity_id=row.legal_entity_id,
        payment_id="PAY-1",
        invoice_id=row.invoice_id,
        application_no=1,
        applied_at=house.clock.now(),
        applied_on=local_date(house.clock.now(), "UTC"),
        currency=row.currency,
        amount=Decimal(1),
        open_amount=row.gross_total - 1,
    )


def test_books_that_were_kept_well_are_sound(work: Work) -> None:
    # When everything is verified
    report = verify(work.house.settings, pdfs=None)
    # Then every rule holds, and none was held against nothing but what did not happen
    assert [(f.subject, f.expected, f.found) for f in report.errors] == []
    assert report.is_settled
    idle = {check.rule for check in report.checks if not check.looked_at}
    assert idle == {
        "unreadable records are dead letters",
        "repeats say the same",
        "mended records say the same",
        "every record can be published",
        "held records",
    }
    # and each job came to what its story says
    said = Counter(OUTCOMES[story.outcome] for story in work.stories)
    found: Counter[Outcome] = Counter()
    for claim, jobs in report.outcomes.items():
        found[claim.outcome] += jobs
    assert found == said
    assert Claim(Outcome.LOST) not in report.outcomes


OUTCOMES = {
    "straight-through": Outcome.INVOICED,
    "actual-within-cap": Outcome.INVOICED,
    "review": Outcome.IN_REVIEW,
    "hold": Outcome.ON_HOLD,
    "not-billable": Outcome.NOT_BILLABLE,
}

# What somebody could change in the tables, how it is undone, and a rule that must see it.
CHANGES = {
    "a record put aside": (
        "INSERT INTO outbox (topic, headers, quarantined) VALUES ('t', '[]', 'too large')",
        "DELETE FROM outbox",
        "every record can be published",
    ),
    "an amount in the journal": (
        "UPDATE posting SET debit = debit + 1 WHERE debit > 0",
        "UPDATE posting SET debit = debit - 1 WHERE debit > 0",
        "entries balance",
    ),
    "both sides of an entry": (
        "UPDATE posting SET debit = debit * 2, credit = credit * 2",
        "UPDATE posting SET debit = debit / 2, credit = credit / 2",
        "chains are whole",
    ),
    "a word in the journal": (
        "UPDATE journal_entry SET description = description || '!' WHERE sequence = 1",
        "UPDATE journal_entry SET description = rtrim(description, '!') WHERE sequence = 1",
        "chains are whole",
    ),
    "a sequence": (
        "UPDATE journal_entry SET sequence = sequence + 1000 WHERE sequence = 1",
        "UPDATE journal_entry SET sequence = sequence - 1000 WHERE sequence = 1001",
        "chains are whole",
    ),
    "the end of a chain": (
        "UPDATE chain_head SET hash = reverse(hash)",
        "UPDATE chain_head SET hash = reverse(hash)",
        "heads end the chains",
    ),
    "a posting that is missing": (
        "UPDATE posted_document SET document_id = document_id || '!'",
        "UPDATE posted_document SET document_id = rtrim(document_id, '!')",
        "documents are posted once",
    ),
    "an open item": (
        "UPDATE receivable SET paid = paid + 1",
        "UPDATE receivable SET paid = paid - 1",
        "receivables equal open items",
    ),
    "a payment": (
        "UPDATE application SET amount = amount + 1",
        "UPDATE application SET amount = amount - 1",
        "payments are posted once",
    ),
    "an invoice's date": (
        "UPDATE invoicer.invoice SET due_on = due_on + 1",
        "UPDATE invoicer.invoice SET due_on = due_on - 1",
        "invoices are published as stored",
    ),
    "an invoice's lines": (
        "UPDATE invoicer.invoice_line SET net = net + 1 WHERE line_no = 1",
        "UPDATE invoicer.invoice_line SET net = net - 1 WHERE line_no = 1",
        "details are stored as published",
    ),
    "an invoice's taxes": (
        "UPDATE invoicer.invoice_tax SET category = category || '!'",
        "UPDATE invoicer.invoice_tax SET category = rtrim(category, '!')",
        "details are stored as published",
    ),
    "the last number": (
        "UPDATE invoicer.number_series SET last_number = last_number + 1",
        "UPDATE invoicer.number_series SET last_number = last_number - 1",
        "series stand at their last number",
    ),
    "what a job became": (
        """UPDATE metrics_extractor.job SET state = 'not_billable', reason = 'changed'
           WHERE state = 'extracted'""",
        """UPDATE metrics_extractor.job SET state = 'extracted', reason = NULL
           WHERE reason = 'changed'""",
        "every job has one outcome",
    ),
    "a revision that nobody took": (
        "UPDATE metrics_extractor.completed_job SET revision = revision + 1000",
        "UPDATE metrics_extractor.completed_job SET revision = revision - 1000",
        "only released jobs are invoiced",
    ),
    "a record without effect": (
        "UPDATE pricer.inbox SET topic = topic || '!'",
        "UPDATE pricer.inbox SET topic = rtrim(topic, '!')",
        "every record has its effect",
    ),
    "a document's hash": (
        "UPDATE invoicer.document SET sha256 = reverse(sha256)",
        "UPDATE invoicer.document SET sha256 = reverse(sha256)",
        "documents are as recorded",
    ),
    "a mail's identity": (
        "UPDATE notifier.delivery SET message_id = message_id || '!'",
        "UPDATE notifier.delivery SET message_id = rtrim(message_id, '!')",
        "mails arrive once",
    ),
    "a delivery": (
        "UPDATE notifier.delivery SET document_kind = document_kind || '!' WHERE stage = 0",
        "UPDATE notifier.delivery SET document_kind = rtrim(document_kind, '!')",
        "live invoices are delivered",
    ),
    "a reminder": (
        "UPDATE dunning_scheduler.reminder SET stage = stage + 1000 WHERE NOT skipped",
        "UPDATE dunning_scheduler.reminder SET stage = stage - 1000 WHERE NOT skipped",
        "reminders are published as decided",
    ),
    "a balance": (
        "UPDATE dunning_scheduler.invoice SET paid = paid + 1, next_action_at = NULL",
        "UPDATE dunning_scheduler.invoice SET paid = paid - 1",
        "balances follow from events",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_behind_the_services_is_found(work: Work, change: str) -> None:
    # Given sound books in which somebody has changed one thing
    breach, mend, rule = CHANGES[change]
    assert work.house.execute(breach)
    # When they are verified
    try:
        found = verify(work.house.settings, pdfs=0)
    finally:
        work.house.execute(mend)
    # Then the change is found
    assert rule in {check.rule for check in found.checks if check.findings}


def test_a_document_that_is_gone_or_changed_is_found(work: Work) -> None:
    digest = work.house.query("SELECT sha256 FROM invoicer.document LIMIT 1")[0][0]
    file = work.house.settings.documents_dir / digest[:2] / digest
    content = file.read_bytes()
    for damaged in (None, content + b"%"):
        file.unlink() if damaged is None else file.write_bytes(damaged)
        report = verify(work.house.settings)
        broken = {check.rule for check in report.checks if check.findings}
        assert broken == {"documents are as recorded", "documents say what was issued"}
    file.write_bytes(content)


def test_a_mail_that_came_twice_is_found(work: Work) -> None:
    mail, *_ = sorted((work.house.settings.data_dir / "mail").glob("*.eml"))
    copy = mail.with_name(f"{mail.stem}~2.eml")
    copy.write_bytes(mail.read_bytes())
    report = verify(work.house.settings, pdfs=0)
    copy.unlink()
    assert {check.rule for check in report.checks if check.findings} == {"mails arrive once"}


def test_a_sample_of_the_pdfs_says_that_it_is_one(work: Work) -> None:
    report = verify(work.house.settings, pdfs=3)
    looked_at = {check.rule: check.looked_at for check in report.checks}
    assert looked_at["documents say what was issued"] == 3
    assert report.notes[0].startswith("3 of ")


def test_the_commands_print_and_their_exit_codes_tell(work: Work) -> None:
    app = Typer()
    app.command("verify")(verify_command(lambda: work.house.settings))
    app.command("status")(status_command(lambda: work.house.settings))
    run = CliRunner().invoke
    assert "The books are sound." in run(app, ["verify", "--pdf", "2"]).output
    found = run(app, ["verify", "--pdf", "all", "--json"])
    assert (found.exit_code, json.loads(found.output)["sound"]) == (0, True)
    assert run(app, ["verify", "--pdf", "some"]).exit_code == 1
    assert "Settled." in run(app, ["status"]).output
    assert json.loads(run(app, ["status", "--json"]).output)["settled"] is True
    # When the ledger is off balance
    breach, mend, _ = CHANGES["an amount in the journal"]
    work.house.execute(breach)
    assert run(app, ["status"]).exit_code == 1
    assert run(app, ["verify", "--pdf", "0"]).exit_code == 1
    work.house.execute(mend)


def test_mended_records_are_judged_by_what_was_applied(work: Work) -> None:
    # Given a payment in a currency that is not the invoice's, mended for every service
    payment = _payment(work.house).model_copy(update={"payment_id": "PAY-2"})
    broken = payment.model_copy(update={"currency": "USD"})
    work.house.mend(broken, payment)
    work.house.settle()
    # When the books are verified, then they are sound: they hold what was applied
    report = verify(work.house.settings, pdfs=0)
    assert [(f.subject, f.expected, f.found) for f in report.errors] == []
    assert {c.rule: c.looked_at for c in report.checks}["mended records say the same"] == 1
    # When one service was given another amount, then that is found
    other = Codec().encode(payment.model_copy(update={"amount": Decimal(2)}))
    swap = "UPDATE held_record SET mended_value = :value WHERE mended_value IS NOT NULL"
    work.house.execute(swap, service="dunning_scheduler", value=other)
    report = verify(work.house.settings, pdfs=0)
    work.house.execute(swap, service="dunning_scheduler", value=Codec().encode(payment))
    assert [f.found for f in report.errors] == ["other amount"]


# ---------------------------------------------------------------- status


def explanation(work: Work) -> str:
    found: Status = status(work.house.settings)
    return found.explanation


def test_work_that_lies_in_a_table_is_in_flight(work: Work) -> None:
    assert explanation(work) == ""
    for breach, mend, what in (
        (
            "UPDATE pricer.job SET reprice = true WHERE path = 'HOLD'",
            "UPDATE pricer.job SET reprice = false",
            "jobs to price anew",
        ),
        (
            "UPDATE consumer_offset SET next_offset = next_offset - 1",
            "UPDATE consumer_offset SET next_offset = next_offset + 1",
            "to read",
        ),
        (
            "INSERT INTO outbox (topic, headers) VALUES ('t', '[]')",
            "DELETE FROM outbox",
            "1 records to publish",
        ),
        (
            "INSERT INTO held_key (topic, lane, ready) VALUES ('t', 'k', true)",
            "DELETE FROM held_key",
            "1 held keys to take up",
        ),
    ):
        work.house.execute(breach)
        assert what in explanation(work)
        work.house.execute(mend)
    assert status(work.house.settings).is_settled


def test_while_the_pipeline_works_what_is_young_is_in_flight(work: Work) -> None:
    # Given work under way, and a posting that has not been made yet
    breach, mend, _ = CHANGES["a record without effect"]
    work.house.execute(breach)
    work.house.execute("INSERT INTO outbox (topic, headers) VALUES ('t', '[]')")
    report = verify(work.house.settings, pdfs=0)
    work.house.execute(mend)
    work.house.execute("DELETE FROM outbox")
    # Then it is counted and no error
    assert not report.is_settled
    assert report.in_flight > 0
    assert report.is_sound
