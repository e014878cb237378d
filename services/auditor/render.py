"""What the auditor found, as tables for people and as JSON for programs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import zip_longest
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from services.auditor.domain.arithmetic import minor_unit
from services.auditor.domain.findings import Checked, Severity
from services.auditor.domain.report import Report
from services.auditor.domain.status import ServiceStatus, Status
from shared.terminal import printable

_FINDINGS_SHOWN: Final = 20

_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S


def print_status(status: Status, console: Console) -> None:
    """What each service has before it, then whether the ledger balances and all is settled."""
    table = Table(
        "service", "what", Column("count", justify="right"), Column("of", overflow="fold")
    )
    for service in status.services:
        rows = list(_under_way(service)) or [("at rest", "", "")]
        for name, row in zip_longest([service.name], rows, fillvalue=""):
            table.add_row(str(name), *row, end_section=row is rows[-1])
    console.print(table)
    for one in status.imbalances:
        console.print(
            f"[red]The ledger of {one.legal_entity_id} is off by {one.amount} {one.currency}.[/red]"
        )
    if not status.imbalances:
        console.print("The ledger balances.")
    console.print("Settled." if status.is_settled else f"In flight: {status.explanation}.")


def status_json(status: Status) -> str:
    """The status as JSON."""
    return _dump(
        {
            "settled": status.is_settled,
            "explanation": status.explanation,
            "ledger_imbalances": [one._asdict() for one in status.imbalances],
            "services": {service.name: _plain(service) for service in status.services},
        }
    )


def print_summary(report: Report, console: Console) -> None:
    """What became of the jobs, what was issued, and how much of everything there is."""
    jobs = Table("what became of it", "why", Column("jobs", justify="right"), title="Jobs")
    for claim, count in report.outcomes.items():
        jobs.add_row(claim.outcome, claim.reason, str(count))
    jobs.add_section()
    jobs.add_row("all completed jobs", "", str(sum(report.outcomes.values())))
    amounts = [Column(name, justify="right") for name in ("net", "tax", "gross")]
    issued = Table(
        "entity", "issued", Column("count", justify="right"), "in", *amounts, title="Issued"
    )
    for one in report.turnover:
        places = minor_unit(one.currency)
        figures = (f"{amount:,.{places}f}" for amount in (one.net, one.tax, one.gross))
        issued.add_row(one.legal_entity_id, one.kind, str(one.documents), one.currency, *figures)
    counts = Table("what", Column("count", justify="right"), title="Besides")
    for what, count in report.counts.items():
        counts.add_row(what, str(count))
    for table in (jobs, issued, counts):
        console.print(table)


def print_report(report: Report, console: Console) -> None:
    """A row for each rule, then every finding: what was expected, what is there, where to look."""
    table = Table(
        "rule", Column("held against", justify="right"), Column("errors", justify="right")
    )
    for one in report.checks:
        errors = sum(finding.severity is Severity.ERROR for finding in one.findings)
        table.add_row(one.meaning, str(one.looked_at), f"[red]{errors}[/red]" if errors else "0")
    console.print(table)
    for one in report.checks:
        _print_findings(one, console)
    for note in report.notes:
        console.print(note)
    if not report.is_settled:
        console.print(f"The pipeline is at work: {report.in_flight} effects are in flight.")
    verdict = "[green]The books are sound.[/green]"
    if not report.is_sound:
        verdict = f"[red]{len(report.errors)} errors: the books are not sound.[/red]"
    console.print(f"{verdict} ({report.seconds:.1f} s)")


def report_json(report: Report) -> str:
    """The report as JSON, with every finding."""
    return _dump(
        {
            "sound": report.is_sound,
            "settled": report.is_settled,
            "in_flight": report.in_flight,
            "seconds": round(report.seconds, 3),
            "jobs": [
                {"outcome": claim.outcome, "reason": claim.reason, "jobs": count}
                for claim, count in report.outcomes.items()
            ],
            "issued": [one._asdict() for one in report.turnover],
            "counts": report.counts,
            "notes": report.notes,
            "checks": [asdict(one) for one in report.checks],
        }
    )


def _print_findings(one: Checked, console: Console) -> None:
    if not one.findings:
        return
    console.print(f"\n[bold]{escape(one.meaning)}[/bold]")
    for finding in one.findings[:_FINDINGS_SHOWN]:
        style = "red" if finding.severity is Severity.ERROR else ""
        console.print(Text(printable(finding.subject), style), soft_wrap=True)
        for what, said in (
            ("expected", finding.expected),
            ("found", finding.found),
            ("look at", finding.look),
        ):
            console.print(Text(printable(f"    {what:9} {said}")), soft_wrap=True)
    if len(one.findings) > _FINDINGS_SHOWN:
        console.print(f"... and {len(one.findings) - _FINDINGS_SHOWN} more; --json shows all.")


def _under_way(service: ServiceStatus) -> Iterator[tuple[str, str, str]]:
    """What, how much, of what; nothing for a service at rest."""
    yield from _counts("to read", service.lag)
    tables = service.tables
    if tables is None:
        yield "not migrated", "", ""
        return
    yield from _counts("waiting for", tables.waiting)
    yield from _counts("dead letters", tables.dead)
    yield from _counts("parked", {"behind a record that waits or failed": tables.parked})
    oldest = f"the oldest since {_age(tables.outbox_oldest_s)}"
    yield from _counts("to publish", {oldest: tables.outbox})
    yield from _counts("quarantined", {"refused by the broker": tables.quarantined})
    yield from _counts("to do", tables.due)
    yield from _counts("at its time", tables.later)


def _counts(what: str, counts: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    for of, count in sorted(counts.items()):
        if count:
            yield what, str(count), of


def _plain(service: ServiceStatus) -> dict[str, Any]:
    tables = service.tables
    plain: dict[str, Any] = {"lag": service.lag, "migrated": tables is not None}
    if tables:
        plain |= {
            "waiting": tables.waiting,
            "parked": tables.parked,
            "dead_letters": tables.dead,
            "oldest_held_s": tables.oldest_held_s,
            "outbox": tables.outbox,
            "outbox_oldest_s": tables.outbox_oldest_s,
            "outbox_quarantined": tables.quarantined,
            "to_do": {**tables.due, "held keys to take up": tables.lanes_ready},
            "later": tables.later,
        }
    return plain


def _age(seconds: float | None) -> str:
    """An age in the largest unit that fits."""
    if seconds is None:
        return ""
    for size, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _dump(plain: object) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False, default=str)
