"""The report: what is in flight, what is sound, and how it reads."""

import json
from io import StringIO

from rich.console import Console

from services.auditor.domain.facts import JobKey, document
from services.auditor.domain.findings import Checked, Finding, Severity
from services.auditor.domain.jobs import Claim, Outcome
from services.auditor.domain.report import (
    IN_FLIGHT_MAX_MS,
    Report,
    judged,
    outcomes_of,
    turnover_of,
)
from services.auditor.domain.status import Imbalance, ServiceStatus, Status, Tables
from services.auditor.render import (
    print_report,
    print_status,
    print_summary,
    report_json,
    status_json,
)
from tests.invoices import credit_note
from tests.unit.auditor.world import NOW_MS, issued, records

LOOK = "colophon dlq list --service metrics_extractor --topic production.usage-reported.v1"
WRONG = Finding("invoice 1 [draft], net", "1.00", "2.00", LOOK)
MISSING = Finding("invoice 2", "posted", "not", "the ledger", cause_ms=NOW_MS)
HELD = Finding("a record", "nothing held", "dead", "dlq", Severity.INFO)


def checked(*findings: Finding) -> Checked:
    return Checked("a rule", "All adds up", 7, findings)


def report(*findings: Finding, settled: bool = True) -> Report:
    checks, in_flight = judged([checked(*findings)], is_settled=settled, now_ms=NOW_MS)
    said = {
        JobKey("DE01", "1"): frozenset({Claim(Outcome.INVOICED)}),
        JobKey("DE01", "2"): frozenset({Claim(Outcome.ON_HOLD, "price")}),
        JobKey("DE01", "3"): frozenset({Claim(Outcome.INVOICED)}),
        JobKey("DE01", "4"): frozenset[Claim](),
    }
    invoice, note = records([issued(), credit_note(issued())])
    return Report(
        checks=checks,
        outcomes=outcomes_of(said),
        turnover=turnover_of(
            [document(invoice, is_invoice=True), document(note, is_invoice=False)]
        ),
        counts={"records read": 12},
        notes=("All 1 PDFs were read.",),
        is_settled=settled,
        in_flight=in_flight,
    )


def shown(thing: Report, width: int = 80) -> str:
    out = StringIO()
    console = Console(file=out, width=width)
    print_summary(thing, console)
    print_report(thing, console)
    return out.getvalue()


def test_infos_leave_the_books_sound() -> None:
    assert report(HELD).is_sound
    assert report(HELD).findings == (HELD,)
    assert not report(WRONG).is_sound


def test_at_rest_whatever_is_missing_is_missing() -> None:
    assert report(MISSING).errors == (MISSING,)


def test_at_work_what_is_missing_is_in_flight_for_a_while() -> None:
    young = report(MISSING, WRONG, settled=False)
    assert (young.in_flight, young.errors) == (1, (WRONG,))
    later = NOW_MS + IN_FLIGHT_MAX_MS + 1
    (kept,), in_flight = judged([checked(MISSING)], is_settled=False, now_ms=later)
    assert (kept.findings, in_flight) == ((MISSING,), 0)


def test_outcomes_and_turnover_are_summed() -> None:
    found = report()
    assert list(found.outcomes.values()) == [2, 1, 1]
    assert found.outcomes[Claim(Outcome.LOST)] == 1
    assert [(one.kind, one.documents, str(one.gross)) for one in found.turnover] == [
        ("credit notes", 1, "1223.0800"),
        ("invoices", 1, "1223.0800"),
    ]


def test_people_read_every_finding_with_where_to_look() -> None:
    text = shown(report(WRONG, HELD))
    assert "invoice 1 [draft], net" in text
    assert "1 errors: the books are not sound." in text
    assert "on hold" in text
    assert f"    look at   {LOOK}\n" in text, "whole, to be copied"
    assert "The books are sound." in shown(report())
    assert "1 effects are in flight" in shown(report(MISSING, settled=False))


def test_many_findings_are_cut_for_people_and_whole_for_programs() -> None:
    many = report(*[WRONG] * 30)
    assert "and 10 more; --json shows all" in shown(many)
    found = json.loads(report_json(many))
    assert len(found["checks"][0]["findings"]) == 30
    assert found["sound"] is False
    assert {"outcome": "on hold", "reason": "price", "jobs": 1} in found["jobs"]


def test_the_status_reads_for_people_and_for_programs() -> None:
    tables = Tables(
        next_offsets={},
        outbox=3,
        outbox_oldest_s=7200.0,
        quarantined=1,
        waiting={"estimate": 2},
        dead={"conflict": 1},
        parked=4,
    )
    services = (
        ServiceStatus("metrics_extractor", tables, {"production.usage-reported.v1": 1200}, 9),
        ServiceStatus("notifier", None, {}, 0),
        ServiceStatus("invoicer", Tables(next_offsets={}), {}, 0),
    )
    status = Status(services, (Imbalance("DE01", "EUR", "0.01"),))
    out = StringIO()
    print_status(status, Console(file=out, width=80))
    text = out.getvalue()
    rows = {tuple(cell.strip() for cell in line.split("│")[1:5]) for line in text.splitlines()}
    assert rows >= {
        ("metrics_extractor", "to read", "1200", "production.usage-reported.v1"),
        ("", "waiting for", "2", "estimate"),
        ("", "dead letters", "1", "conflict"),
        ("", "parked", "4", "behind a record that waits or"),
        ("", "to publish", "3", "the oldest since 2 h"),
        ("", "quarantined", "1", "refused by the broker"),
        ("notifier", "not migrated", "", ""),
        ("invoicer", "at rest", "", ""),
    }
    assert "The ledger of DE01 is off by 0.01 EUR." in text
    found = json.loads(status_json(status))
    assert found["settled"] is False
    assert found["services"]["metrics_extractor"]["dead_letters"] == {"conflict": 1}
    assert found["services"]["notifier"] == {"lag": {}, "migrated": False}


def test_a_settled_status_says_so() -> None:
    out = StringIO()
    tables = Tables(next_offsets={}, outbox_oldest_s=30.0, outbox=0)
    print_status(Status((ServiceStatus("pricer", tables, {}, 9),)), Console(file=out, width=150))
    assert "Settled." in out.getvalue()
    assert "The ledger balances." in out.getvalue()
