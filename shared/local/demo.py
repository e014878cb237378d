"""`colophon demo`: a print shop's day through the whole pipeline, then what happened to what.

About 200 simulated jobs, one job for everything that can go differently, sample job files, and
records that no producer should send; then time passes, reminders fall due stage by stage, and
`verify` checks every cent.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event as Waiter
from typing import Any, Final

from confluent_kafka import Producer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import text

from shared import db, kafka
from shared.clock import monotonic, system_now
from shared.db import AUDITOR
from shared.documents import DocumentStore
from shared.errors import Transient
from shared.events.base import Event
from shared.events.production import JobCompleted
from shared.identity import key_of
from shared.local.hours import NOON, working_hour
from shared.local.signals import signals_interrupt
from shared.local.stack import LocalStack
from shared.local.system import LocalSystem
from shared.producer import publish
from shared.settings import Settings, read_settings
from shared.tools import tool
from shared.topology import BY_EVENT, consumers, role_of

SEED: Final = 7
SETTLE_S: Final = 240.0
STAGE_DAYS: Final = (1, 7, 14)
"""So many days after the due date the stages come."""
OVERDUE: Final = timedelta(days=45)
_POLL_S = 0.5


@dataclass(frozen=True)
class Fed:
    """What was put in, for the summary."""

    simulated: int
    special: int
    files: int


def run_demo(jobs: int, files: Path | None, console: Console) -> Any:  # noqa: ANN401 -- the auditor's
    """Run the demo in a fresh data directory; returns what `verify` reports."""
    started = monotonic()
    settings = read_settings()
    own = settings if settings.has_own_servers else None
    data_dir = settings.data_dir / "demo"
    if own is None:
        LocalStack(data_dir).wipe()
    with (
        signals_interrupt(),
        LocalSystem(data_dir, report=console.print, own=own) as system,
    ):
        system.start_services(service.name for service in consumers())
        console.print(watched(system.start_prometheus()), soft_wrap=True)
        fed = _feed(system.settings, jobs, files, console)
        _settle(system.settings, "from job to invoice, mail and books", fed.simulated, console)
        for then in moments(_usual_due_date(system.settings), system.clock.now()):
            system.clock.advance(then - system.clock.now())
            console.print(f"Business time moves to {then.day} {then:%B %Y, %H:%M} UTC.")
            _settle(system.settings, "reminders that fall due", fed.simulated, console)
        named = _name_documents(system.settings)
        report = tool("auditor").verify(system.settings)
        tool("auditor").print_summary(report, console)
        tool("auditor").print_report(report, console)
        _say_where(system, named, console)
    console.print(f"Done in {monotonic() - started:.0f} s.")
    return report


def watched(address: str | None) -> str:
    """Where the metrics are looked at, in a sentence."""
    if address is None:
        return "The metrics are not recorded: no prometheus on the PATH."
    return f"Prometheus records the metrics: {address}"


def _feed(settings: Settings, jobs: int, files: Path | None, console: Console) -> Fed:
    simulator = tool("simulator")
    store = DocumentStore(settings.documents_dir)
    for logo in simulator.logos():
        store.put(logo.content)
    today = system_now().date()
    starting = simulator.starting_for(jobs, today)
    simulated = list(simulator.simulate(jobs, SEED, starting=starting))
    stories = simulator.special_cases(SEED, starting=starting)
    special = [arrival.event for story in stories.values() for arrival in story.arrivals]
    with _progress(console) as progress:
        task = progress.add_task("publishing events", total=len(simulated) + len(special))
        publish(settings, simulated, "simulator", lambda n: progress.update(task, completed=n))
        done = len(simulated)
        publish(settings, special, "simulator", lambda n: progress.update(task, completed=done + n))
    _publish_broken(settings, special)
    folders = [tool("ingest").samples(), *([files] if files else [])]
    count = tool("ingest").ingest_files(settings, _files(folders), console)
    return Fed(jobs, len(stories), count)


def _publish_broken(settings: Settings, events: Sequence[Event]) -> None:
    """What no producer should send: bytes that are no event, under a key of their own."""
    job = next(event for event in events if isinstance(event, JobCompleted))
    broken = job.model_copy(update={"job_id": "UNDECODABLE"})
    topic = BY_EVENT[JobCompleted]
    producer = Producer(kafka.producer(settings, role_of("simulator")))
    producer.produce(topic.name, b"this is not Avro", key_of(topic, broken))
    if producer.flush(10):
        raise Transient("kafka", "the broker did not take the undecodable record")


def _settle(settings: Settings, what: str, jobs: int, console: Console) -> None:
    """Wait until nothing is in flight, showing how far it is."""
    status: Callable[[Settings], Any] = tool("auditor").status
    deadline, rest = monotonic() + SETTLE_S + jobs / 10, Waiter()
    with _progress(console) as progress:
        task = progress.add_task(what, total=None)
        while True:
            now = status(settings)
            progress.update(task, total=now.expected or None, completed=now.done)
            if now.is_settled:
                return
            if monotonic() > deadline:
                raise Transient("demo", f"not settled in time: {now.explanation}")
            rest.wait(_POLL_S)


def _usual_due_date(settings: Settings) -> date:
    """The due date of most invoices that somebody may have to be reminded of."""
    query = text(
        "SELECT due_on FROM dunning_scheduler.invoice WHERE next_action_at IS NOT NULL"
        " GROUP BY due_on ORDER BY count(*) DESC, due_on LIMIT 1"
    )
    with db.transaction(settings, AUDITOR) as connection:
        found: date = connection.execute(query).scalar_one()
        return found


def moments(due_on: date, now: datetime) -> list[datetime]:
    """Where time stands still for a look: as the stages of `due_on` come, and when all is late.

    Each is a working hour of sellers, after `now`.
    """
    noon = datetime.combine(due_on, NOON)
    wanted = {working_hour(noon + timedelta(days=days)) for days in STAGE_DAYS}
    return sorted(moment for moment in wanted | {working_hour(now + OVERDUE)} if moment > now)


def _name_documents(settings: Settings) -> Path:
    """Copy the PDFs out of the store, named by invoice number, for people to open."""
    folder = settings.data_dir / "invoices"
    folder.mkdir(exist_ok=True)
    store = DocumentStore(settings.documents_dir)
    query = text(
        "SELECT i.invoice_number, d.sha256 FROM invoicer.document d"
        " JOIN invoicer.invoice i USING (invoice_id) WHERE d.sha256 IS NOT NULL"
    )
    with db.transaction(settings, AUDITOR) as connection:
        for number, digest in connection.execute(query):
            (folder / f"{number}.pdf").write_bytes(store.get(digest))
    return folder


def _say_where(system: LocalSystem, named: Path, console: Console) -> None:
    for what, where in (
        ("Invoices (PDF): ", named),
        ("Mails:          ", system.mail.directory),
        ("File drop:      ", system.settings.data_dir / "drop"),
        ("Service logs:   ", system.settings.data_dir / "logs"),
    ):
        console.print(what, where, sep="", soft_wrap=True)
    here = f"COLOPHON_DATA_DIR={system.settings.data_dir} colophon"
    console.print(f"Look again:     {here} up, then {here} status", soft_wrap=True)


def _files(folders: Iterable[Path]) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description:38}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
    )
    return Progress(*columns, TimeElapsedColumn(), console=console)
