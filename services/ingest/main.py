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
from shared.producer import publish
from shared.settings import Settings, read_settings

SOURCE: Final = "ingest"
NO_ENTITY: Final = "LEGAL-ENTITY"
"""Stands for the legal entity in a dry run that names none."""
SAMPLE_ENTITY: Final = "DE01"
"""Whose work the sample files are about: a legal entity of the simulator's master data."""
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


def command(settings: Callable[[], Settings]) -> Callable[..., None]:
    """The command `colophon ingest`, publishing to the servers of `settings`."""

    def ingest(
        files: Files,
        *,
        dry_run: DryRun = False,
        legal_entity: Entity = None,
        time_zone: Zone = None,
        as_json: Json = False,
    ) -> None:
        """Take job files and JSON events in, and print what each file became.

        Exit code 0 when all is well, 1 when a file or the broker refused, 2 for wrong use.
        """
        outcomes = _read_for_people(files, legal_entity, time_zone)
        if not (dry_run or legal_entity) and any(_needs_entity(one) for one in outcomes):
            _exit(WRONG_USE, "job files name no legal entity: say whose they are: --legal-entity")
        published = 0 if dry_run else _published(outcomes, settings)
        console = Console()
        if as_json:
            typer.echo(render.as_json(outcomes, published=published))
        else:
            console.print(render.listing(outcomes))
            console.print(render.closing(outcomes, "not published" if dry_run else "published"))
        if any(isinstance(outcome, Failed) for outcome in outcomes):
            raise typer.Exit(WRONG_INPUT)

    return ingest


ingest: Final = command(read_settings)
COMMAND: Final = ingest


def samples() -> Path:
    """The folder of sample job files: two finished jobs, one under way, one only planned."""
    return Path(__file__).with_name("samples")


def ingest_files(
    settings: Settings,
    files: Sequence[Path],
    console: Console,
    legal_entity_id: str = SAMPLE_ENTITY,
) -> int:
    """Read and publish these files and sum up; returns how many they are. Bad ones are printed."""
    outcomes = read_all(files, legal_entity_id)
    publish_outcomes(outcomes, settings)
    console.print(render.closing(outcomes, "published"))
    console.print(render.digest(outcomes))
    return len(outcomes)


def read_all(
    files: Sequence[Path], legal_entity_id: str, time_zone: ZoneInfo | None = None
) -> list[Outcome]:
    """What each file becomes, in the order given, with a progress bar where somebody watches."""
    with _progress() as progress:
        return [
            read_file(file, legal_entity_id=legal_entity_id, time_zone=time_zone)
            for file in progress.track(files, description="Reading")
        ]


def publish_outcomes(outcomes: Iterable[Outcome], settings: Settings) -> int:
    """Publish the events of these outcomes in their order; returns how many, all acknowledged.

    Raises what the producer raises; publishing the same files again afterwards is harmless.
    """
    events = [event for one in outcomes if isinstance(one, Produced) for event in one.events]
    if not events:
        return 0
    with _progress() as progress:
        task = progress.add_task("Publishing", total=len(events))
        return publish(settings, events, SOURCE, lambda n: progress.update(task, completed=n))


def _read_for_people(
    files: Sequence[Path], legal_entity: str | None, time_zone: str | None
) -> list[Outcome]:
    for missing in (file for file in files if not file.exists()):
        _exit(WRONG_USE, f"{missing}: there is no such file")
    try:
        zone = ZoneInfo(time_zone) if time_zone else None
    except (KeyError, ValueError, OSError):
        _exit(WRONG_USE, f"{time_zone} is no time zone: name one as in Europe/Berlin")
    return read_all(files, legal_entity or NO_ENTITY, zone)


def _needs_entity(outcome: Outcome) -> bool:
    return isinstance(outcome, Produced) and outcome.kind != "JSON"


def _published(outcomes: Sequence[Outcome], settings: Callable[[], Settings]) -> int:
    try:
        return publish_outcomes(outcomes, settings())
    except ConfigurationError as error:
        _exit(WRONG_USE, str(error))
    except ColophonError as error:
        _exit(WRONG_INPUT, f"{error}. Not everything was published: ingest the same files again.")


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _exit(code: int, message: str) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"colophon ingest: {message}", markup=False)
    raise typer.Exit(code)
