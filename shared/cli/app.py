"""The commands of `colophon`; each is a few lines around a function that does the work.

A command imports what it runs when it runs, so that `colophon --help` and `colophon run` load
neither the job file readers nor the PDF reader.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer

from shared.cli import clock, dlq, topics
from shared.cli.servers import servers
from shared.tools import Tool, tool

PASSED_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    help="From a finished print job to money in the bank.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(topics.app, name="topics")
app.add_typer(clock.app, name="clock")
app.add_typer(dlq.app, name="dlq")


@app.command()
def demo(
    jobs: Annotated[int, typer.Option(min=1, help="Simulated jobs.")] = 200,
    files: Annotated[
        Path | None,
        typer.Option(
            "--input",
            exists=True,
            file_okay=False,
            readable=True,
            help="A folder of job files to ingest as well.",
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run the whole pipeline on sample and real input, to completion, then sum it up."""
    from rich.console import Console

    from shared.local.demo import run_demo

    report = run_demo(jobs, files, Console(stderr=as_json))
    if as_json:
        typer.echo(tool("auditor").report_json(report))
    raise typer.Exit(0 if report.is_sound else 1)


@app.command()
def up(services: Annotated[list[str] | None, typer.Argument(help="All, if none.")] = None) -> None:
    """Start the local stack and services, until Ctrl-C."""
    from shared.cli.up import run_up

    run_up(services or [])


@app.command()
def run(service: str) -> None:
    """Run one service against the configured servers."""
    from shared.runtime.process import run_service
    from shared.runtime.service import load_service

    run_service(load_service(service))


@app.command(context_settings=PASSED_ON, add_help_option=False)
def ingest(context: typer.Context) -> None:
    """Take JDF, XJDF, JMF and JSON files in, and print what each became."""
    _pass_on("ingest", "command", context)


@app.command(context_settings=PASSED_ON, add_help_option=False)
def verify(context: typer.Context) -> None:
    """Cross-check the books: nothing lost, nothing twice, all adds up."""
    _pass_on("auditor", "verify_command", context)


@app.command(context_settings=PASSED_ON, add_help_option=False)
def status(context: typer.Context) -> None:
    """Show lag, waiting, parked, dead letters, outbox and ledger balance of every service."""
    _pass_on("auditor", "status_command", context)


@app.command()
def migrate(services: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Bring database schemas, roles and rights up to date."""
    from shared.migrate import migrate as bring_up_to_date

    bring_up_to_date(servers(), services or (), typer.echo)


@app.command()
def simulate(
    jobs: Annotated[int, typer.Option(min=1, help="How many jobs.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed, the same work.")] = 1,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Publish a print shop's work as events, and say how many of which."""
    from rich.console import Console
    from rich.progress import Progress

    from shared.clock import system_now
    from shared.identity import topic_of
    from shared.producer import publish

    settings, simulator = servers(), tool("simulator")
    starting = simulator.starting_for(jobs, system_now().date())
    events = list(simulator.simulate(jobs, seed, starting=starting))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("publishing", total=len(events))
        publish(settings, events, "simulator", lambda n: progress.update(task, completed=n))
    topics = dict(sorted(Counter(topic_of(event).name for event in events).items()))
    if as_json:
        typer.echo(json.dumps({"jobs": jobs, "seed": seed, "events": topics}))
    else:
        for name, count in topics.items():
            typer.echo(f"{count:8} {name}")
        typer.echo(f"{len(events):8} events of {jobs} jobs published")


def _pass_on(name: Tool, command: str, context: typer.Context) -> None:
    """Run a tool's own command on the arguments given."""
    own = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    own.command()(getattr(tool(name), command)(servers))
    own(context.args, prog_name=context.command_path)
