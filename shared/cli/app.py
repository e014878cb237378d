"""The commands of `colophon`; each is a few lines around a function that does the work."""

import json
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from shared import topics as topic_plan
from shared.cli import dlq
from shared.cli.servers import forget, remember, servers
from shared.clock import OffsetClock, system_now
from shared.durations import duration
from shared.errors import ConfigurationError
from shared.local.demo import run_demo
from shared.local.system import LocalSystem
from shared.migrate import migrate as migrate_schemas
from shared.producer import publish
from shared.runtime.process import run_service
from shared.runtime.service import load_service
from shared.settings import read_settings
from shared.tools import tool
from shared.topology import SERVICE, consumers

app = typer.Typer(
    help="From a finished print job to money in the bank.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(help="Topics in Kafka against the map.", no_args_is_help=True)
clock_app = typer.Typer(help="The business clock of the local stack.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")
app.add_typer(clock_app, name="clock")
app.add_typer(dlq.app, name="dlq")
app.command("ingest")(tool("ingest").command(servers))
app.command("verify")(tool("auditor").verify_command(servers))
app.command("status")(tool("auditor").status_command(servers))

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def demo(
    jobs: Annotated[int, typer.Option(min=1, help="Simulated jobs.")] = 200,
    files: Annotated[
        Path | None, typer.Option("--input", help="A folder of job files to ingest as well.")
    ] = None,
) -> None:
    """Run the whole pipeline on sample and real input, to completion, then sum it up."""
    raise typer.Exit(run_demo(jobs, files, Console()))


@app.command()
def up(services: Annotated[list[str] | None, typer.Argument(help="All, if none.")] = None) -> None:
    """Start the local stack and services, until Ctrl-C."""
    console = Console()
    names = services or [service.name for service in consumers()]
    for name in names:
        load_service(name)
    settings = read_settings()
    ports = {name: SERVICE[name].port or 0 for name in names}
    own = settings if settings.has_own_servers else None
    with LocalSystem(settings.data_dir, report=console.print, own=own, ports=ports) as system:
        remember(system.settings)
        try:
            system.start_services(names)
            _show_endpoints(console, system, ports)
            _until_interrupted(system)
        finally:
            forget(system.settings)
            console.print("Stopping.")


@app.command()
def run(service: str) -> None:
    """Run one service against the configured servers."""
    run_service(load_service(service))


@app.command()
def migrate(services: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Bring database schemas, roles and rights up to date."""
    migrate_schemas(servers(), services or (), Console().print)


@app.command()
def simulate(
    jobs: Annotated[int, typer.Option(min=1, help="How many jobs.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed, the same work.")] = 1,
) -> None:
    """Publish a print shop's work as events."""
    settings, simulator = servers(), tool("simulator")
    starting = simulator.starting_for(jobs, system_now().date())
    events = list(simulator.simulate(jobs, seed, starting=starting))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as progress:
        task = progress.add_task("publishing", total=len(events))
        publish(settings, events, "simulator", lambda n: progress.update(task, completed=n))


@topics_app.command("plan")
def plan(*, as_json: Json = False) -> None:
    """Say what is missing and what differs; exit 1 when anything does."""
    found = topic_plan.plan(servers())
    if as_json:
        missing = [topic.name for topic in found.missing]
        typer.echo(json.dumps({"missing": missing, "drift": list(found.drift)}))
    else:
        for topic in found.missing:
            typer.echo(f"missing: {topic.name} ({topic.partitions} partitions)")
        for difference in found.drift:
            typer.echo(f"differs: {difference}")
        if not found.missing and not found.drift:
            typer.echo("Kafka is as the map says.")
    raise typer.Exit(1 if found.missing or found.drift else 0)


@topics_app.command("apply")
def apply() -> None:
    """Create missing topics, register schemas where there is a registry; never delete."""
    settings = servers()
    found = topic_plan.plan(settings)
    topic_plan.apply(settings, found)
    typer.echo(f"created {len(found.missing)} topics")
    for name, number in topic_plan.register_schemas(settings):
        typer.echo(f"registered {name} as {number}")
    for difference in found.drift:
        typer.echo(f"differs: {difference}")
    raise typer.Exit(1 if found.drift else 0)


@clock_app.command("show")
def show(*, as_json: Json = False) -> None:
    """Show the business time and how far it is ahead."""
    clock = _clock()
    now, ahead = clock.now().isoformat(timespec="seconds"), clock.offset()
    typer.echo(json.dumps({"now": now, "ahead_s": int(ahead.total_seconds())}) if as_json else
               f"{now}  ({ahead} ahead)")  # fmt: skip


@clock_app.command("advance")
def advance(by: Annotated[str, typer.Argument(help="As in 14d, 36h or 90m.")]) -> None:
    """Move the business time ahead for every process of the local stack."""
    step: timedelta = duration(by)
    typer.echo(_clock().advance(step).isoformat(timespec="seconds"))


def _clock() -> OffsetClock:
    settings = read_settings()
    file = settings.clock_file or (
        None if settings.has_own_servers else settings.data_dir / "clock"
    )
    if file is None:
        msg = "only a local stack has a business clock; set COLOPHON_CLOCK_FILE to its file"
        raise ConfigurationError(msg)
    return OffsetClock(file)


def _show_endpoints(console: Console, system: LocalSystem, ports: dict[str, int]) -> None:
    table = Table("service", "metrics and health", title="Running; Ctrl-C stops it.")
    for name, port in ports.items():
        table.add_row(name, f"http://127.0.0.1:{port}/metrics, /livez, /readyz")
    table.add_row("kafka", system.settings.kafka_bootstrap_servers)
    table.add_row(
        "mail sink", f"127.0.0.1:{system.settings.smtp_port}, files in {system.mail.directory}"
    )
    console.print(table)


def _until_interrupted(system: LocalSystem) -> None:
    rest = Event()
    try:
        while not rest.wait(1.0):
            for child in system.fleet.children.values():
                child.is_ready()
    except KeyboardInterrupt:
        return
