"""`colophon ingest FILE...`: job files and JSON into the event topics; says what each became."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final, NoReturn
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import Progress

from services.ingest import render
from services.ingest.domain.outcome import Failed, Outcome, Produced
from services.ingest.handler import read_file
from shared.errors import ColophonError, ConfigurationError
from shared.events.base import Event
from shared.producer import publish
from shared.settings import read_settings

SOURCE: Final = "ingest"
NO_ENTITY: Final = "LEGAL-ENTITY"
"""Stands for the legal entity in a dry run that names none."""
WRONG_INPUT, WRONG_USE = 1, 2

Files = Annotated[list[Path], typer.Argument(help="JDF, JMF, XJDF, XJMF or JSON files.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Publish nothing; needs no server.")]
Entity = Annotated[
    str | None, typer.Option("--legal-entity", help="Whose work the job files are about.")
]
Zone = Annotated[
    str | None, typer.Option("--time-zone", help="Zone of times that name none: Europe/Berlin.")
]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


def ingest(
    files: Files,
    *,
    dry_run: DryRun = False,
    legal_entity: Entity = None,
    time_zone: Zone = None,
    as_json: Json = False,
) -> None:
    """Take job files and JSON events in, and print what each file became.

    Exit code 0 when all is well, 1 when a file is wrong or the broker refused, 2 for wrong use.
    """
    for missing in (file for file in files if not file.exists()):
        _exit(WRONG_USE, f"{missing}: there is no such file")
    outcomes = read_all(files, legal_entity or NO_ENTITY, _zone(time_zone))
    ready = [one for one in outcomes if isinstance(one, Produced)]
    if not dry_run and not legal_entity and any(one.kind != "JSON" for one in ready):
        _exit(WRONG_USE, "job files name no legal entity: say whose they are with --legal-entity")
    published = 0 if dry_run else _publish([event for one in ready for event in one.events])
    console = Console(soft_wrap=as_json)
    if as_json:
        console.out(render.as_json(outcomes, published=published), highlight=False)
    else:
        console.print(render.table(outcomes))
        console.print(render.closing(outcomes, "not published" if dry_run else "published"))
    if any(isinstance(outcome, Failed) for outcome in outcomes):
        raise typer.Exit(WRONG_INPUT)


COMMAND: Final[Callable[..., None]] = ingest


def read_all(
    files: Sequence[Path], legal_entity_id: str, time_zone: ZoneInfo | None = None
) -> list[Outcome]:
    """What each file becomes, in the order given, with a progress bar where somebody watches."""
    with _progress() as progress:
        return [
            read_file(file, legal_entity_id=legal_entity_id, time_zone=time_zone)
            for file in progress.track(files, description="Reading")
        ]


def _publish(events: Sequence[Event]) -> int:
    """Publish, or say what to do; what was sent before a refusal is harmless to send again."""
    if not events:
        return 0
    try:
        with _progress() as progress:
            task = progress.add_task("Publishing", total=len(events))
            return publish(
                read_settings(),
                events,
                SOURCE,
                lambda count: progress.update(task, completed=count),
            )
    except ConfigurationError as error:
        _exit(WRONG_USE, str(error))
    except ColophonError as error:
        _exit(WRONG_INPUT, f"{error}. Not everything was published: ingest the same files again.")


def publish_outcomes(outcomes: Iterable[Outcome]) -> int:
    """Publish the events of these outcomes with the settings of this process; returns how many."""
    ready = (one for one in outcomes if isinstance(one, Produced))
    return publish(read_settings(), (event for one in ready for event in one.events), SOURCE)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        _exit(WRONG_USE, f"{name} is no time zone: name one as in Europe/Berlin")


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _exit(code: int, message: str) -> NoReturn:
    Console(stderr=True).print(f"colophon ingest: {message}", style="red", highlight=False)
    raise typer.Exit(code)
