"""`colophon status` and `colophon verify`: what is under way, and whether the books are sound."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from rich.console import Console
from sqlalchemy import Connection

from services.auditor import render
from services.auditor.domain.audit import Files, Tables, audit
from services.auditor.domain.books import Books
from services.auditor.domain.deliveries import DocumentKey
from services.auditor.domain.evidence import Evidence
from services.auditor.domain.facts import wanted
from services.auditor.domain.held import Applied
from services.auditor.domain.jobs import Tables as JobTables
from services.auditor.domain.pdf import spread
from services.auditor.domain.report import Report, judged, outcomes_of, turnover_of
from services.auditor.domain.status import Status, assess, has_moved
from services.auditor.gateway.documents import mail_copies, pdf_texts, stored_documents
from services.auditor.gateway.offsets import read_ends
from services.auditor.gateway.topics import read_topics, whole_corrections, whole_values
from services.auditor.store import progress
from services.auditor.store.books import Snapshot
from shared import db
from shared.clock import clock_from, monotonic, system_now
from shared.errors import ConfigurationError
from shared.settings import Settings
from shared.topology import SERVICE, consumed_by, consumers

PDFS_MAX: Final = 500
"""So many PDFs are read unless told otherwise: all of that few, an even spread of more."""
STATEMENT_MS: Final = 120_000
BALANCES: Final = ("notifier", "dunning_scheduler")
"""The services that keep what is paid and credited on an invoice."""

Servers = Callable[[], Settings]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Pdf = Annotated[
    str | None,
    typer.Option(help=f"How many PDFs to read: a number, or all. {PDFS_MAX} if not said."),
]


def status_command(servers: Servers) -> Callable[..., None]:
    """The command line's `status`, on whatever `servers` finds."""

    def command(*, as_json: Json = False) -> None:
        """Show lag, waiting, parked, dead letters, outbox; exit 1 if the ledger is off balance."""
        found = status(servers())
        if as_json:
            typer.echo(render.status_json(found))
        else:
            render.print_status(found, Console())
        raise typer.Exit(1 if found.imbalances else 0)

    return command


def verify_command(servers: Servers) -> Callable[..., None]:
    """The command line's `verify`, on whatever `servers` finds."""

    def command(*, pdf: Pdf = None, as_json: Json = False) -> None:
        """Cross-check the books: nothing lost, nothing twice, all adds up; exit 1 with findings."""
        found = verify(servers(), pdfs=_pdfs(pdf))
        if as_json:
            typer.echo(render.report_json(found))
        else:
            console = Console()
            render.print_summary(found, console)
            render.print_report(found, console)
        raise typer.Exit(0 if found.is_sound else 1)

    return command


def status(settings: Settings) -> Status:
    """How far the pipeline is. Raises `Transient` when broker or database do not answer.

    The tables are read before and after Kafka is asked, so that "settled" is never said while a
    record is between two services.
    """
    names = [service.name for service in consumers()]
    topics = {name: [topic.name for topic in consumed_by(name)] for name in names}
    times = {"now": clock_from(settings.clock_file).now(), "system_now": system_now()}
    with _connection(settings) as connection:
        present = progress.present_tables(connection, names)
        before = progress.read_tables(connection, present, names, **times)
        connection.rollback()
        ends = read_ends(settings, topics)
        after = progress.read_tables(connection, present, names, **times)
        imbalances = progress.imbalances(connection, present)
    services = (
        assess(name, topics[name], before.get(name), after.get(name), ends) for name in names
    )
    return Status(tuple(services), imbalances, moved=has_moved(before, after))


def verify(settings: Settings, *, pdfs: int | None = PDFS_MAX) -> Report:
    """Recompute the books from tables, topics and files; `pdfs` limits the PDFs read (None: all).

    The tables are read first, in one snapshot: whatever they know, the topics then know too, or
    will, and what the topics know besides is young. Raises `Transient` when broker or database do
    not answer.
    """
    started = monotonic()
    is_settled = status(settings).is_settled
    tables = _tables(settings)
    sample = spread(sorted(tables.documents), len(tables.documents) if pdfs is None else pdfs)
    by_digest = {tables.documents[key]: key for key in sample}
    evidence = Evidence(tables.applied)
    for seen in read_topics(settings, wanted(), tables.corrected):
        evidence.take(seen)
    stored = (said.sha256 for said in evidence.rendered.values())
    texts = pdf_texts(settings.documents_dir, by_digest)
    files = Files(
        stored=stored_documents(settings.documents_dir, stored),
        copies=mail_copies(settings.data_dir / "mail"),
        contents=dict(whole_values(settings, evidence.records.places_that_differ())),
        corrected=whole_corrections(settings, tables.corrected),
        texts={by_digest[digest].invoice: text for digest, text in texts},
    )
    is_settled = is_settled and status(settings).is_settled
    now_ms = int(system_now().timestamp() * 1000)
    checks, in_flight = judged(audit(evidence, tables, files), is_settled=is_settled, now_ms=now_ms)
    return Report(
        checks=checks,
        outcomes=outcomes_of(evidence.jobs.outcomes(tables.jobs, tables.applied)),
        turnover=turnover_of(evidence.issued.values()),
        counts=_counts(evidence, tables, files),
        notes=_notes(sample, tables),
        is_settled=is_settled,
        in_flight=in_flight,
        seconds=monotonic() - started,
    )


def print_report(report: Report, console: Console) -> None:
    """What `verify` found, for people."""
    render.print_report(report, console)


def report_json(report: Report) -> str:
    """What `verify` found, for programs."""
    return render.report_json(report)


def print_summary(report: Report, console: Console) -> None:
    """What became of the jobs, what was issued, and how much of everything there is."""
    render.print_summary(report, console)


def _tables(settings: Settings) -> Tables:
    """One snapshot of every table that the rules look at."""
    names = [service.name for service in consumers()]
    with _connection(settings) as connection:
        present = progress.present_tables(connection, names)
        connection.rollback()
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        snapshot = Snapshot(connection, present)
        journal = Books()
        for entry in snapshot.journal():
            journal.take(entry)
        return Tables(
            applied=Applied(snapshot.inbox(names), snapshot.held(names)),
            corrected=snapshot.corrected(names),
            jobs=JobTables(snapshot.accepted(), snapshot.extractions(), snapshot.billing_states()),
            invoices=snapshot.invoices(),
            line_sums=snapshot.line_sums(),
            taxes=snapshot.taxes(),
            series=snapshot.series(),
            documents=snapshot.documents(),
            journal=journal,
            heads=snapshot.heads(),
            posted=snapshot.posted(),
            open_items=snapshot.open_items(),
            applications=snapshot.applications(),
            deliveries=snapshot.deliveries(),
            reminders=snapshot.reminders(),
            balances={name: snapshot.balances(name) for name in BALANCES},
            outbox_ms=snapshot.outbox_ms(names),
            quarantined=snapshot.quarantined(names),
        )


def _counts(evidence: Evidence, tables: Tables, files: Files) -> dict[str, int]:
    states = [f"{one.kind} {one.state}" for one in tables.deliveries.values()]
    stages = [stage for _, stage in evidence.reminders]
    return {
        "records read": evidence.records.read,
        "records sent again": evidence.records.repeats,
        "undecodable records": len(evidence.records.unreadable),
        "completed jobs": len(evidence.jobs.completed),
        "journal entries": tables.journal.entries,
        "documents rendered": len(evidence.rendered),
        **{f"deliveries: {state}": states.count(state) for state in sorted(set(states))},
        "mails in the sink": sum(one.copies for one in (files.copies or {}).values()),
        **{f"reminders: stage {stage}": stages.count(stage) for stage in sorted(set(stages))},
    }


def _notes(sample: list[DocumentKey], tables: Tables) -> tuple[str, ...]:
    rendered = len(tables.documents)
    if len(sample) == rendered:
        return (f"All {rendered} PDFs were read.",)
    return (f"{len(sample)} of {rendered} PDFs were read, evenly spread: --pdf all reads all.",)


@contextmanager
def _connection(settings: Settings) -> Iterator[Connection]:
    """A connection under the auditor's role; an outage becomes `Unreachable`."""
    role = SERVICE["auditor"].role
    engine = db.engine(settings, role, pool_size=1, statement_timeout_ms=STATEMENT_MS)
    try:
        with db.answering(settings), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _pdfs(said: str | None) -> int | None:
    """How many PDFs to read; raises `ConfigurationError` on what is neither a number nor all."""
    if said is None:
        return PDFS_MAX
    if said == "all":
        return None
    if not said.isdecimal():
        msg = f"--pdf takes a number or all (got {said!r})"
        raise ConfigurationError(msg)
    return int(said)
