"""`colophon dlq`: dead letters listed, shown, replayed, discarded."""

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import ValidationError

from shared.cli.servers import servers
from shared.dead_letters import DeadLetter, Decision, Filter, content, decide, find, mend
from shared.errors import ConfigurationError
from shared.settings import Settings
from shared.topology import BY_NAME

app = typer.Typer(help="Dead letters: what failed, why, and what to do.", no_args_is_help=True)

Service = Annotated[str | None, typer.Option(help="Only of this service.")]
Topic = Annotated[str | None, typer.Option(help="Only of this topic.")]
Key = Annotated[str | None, typer.Option(help="Only of this record key.")]
Code = Annotated[str | None, typer.Option(help="Only of this reason code.")]
Ids = Annotated[list[UUID] | None, typer.Argument(help="Ids, as `list` shows them.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept for the audit.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@app.command("list")
def list_(
    *,
    service: Service = None,
    topic: Topic = None,
    key: Key = None,
    code: Code = None,
    closed: Annotated[bool, typer.Option("--all", help="Also what is settled.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List dead letters, oldest first."""
    letters = find(servers(), Filter(service, topic, key, code, closed))
    if as_json:
        typer.echo(json.dumps([asdict(letter) for letter in letters], default=str, indent=2))
        return
    for letter in letters:
        typer.echo("\n".join(_lines(letter)))
    typer.echo(f"{len(letters)} dead letters")


def _lines(letter: DeadLetter) -> list[str]:
    """One dead letter in words, whole, whatever the terminal's width; its id comes first."""
    state = f"{letter.state}, to {letter.decision}" if letter.decision else letter.state
    behind = f", {letter.behind} records behind it" if letter.behind else ""
    return [
        f"{letter.id}  {letter.failed_at:%Y-%m-%d %H:%M:%S}  {letter.service}  {state}{behind}",
        f"    {letter.topic}/{letter.partition}@{letter.offset}  key {letter.key or '(none)'}",
        f"    {letter.code}: {letter.message}",
    ]


@app.command("show")
def show(
    letter_id: UUID,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data too.")] = False,
) -> None:
    """Show one dead letter: its value, headers, error and history."""
    settings = servers()
    (letter,) = _chosen(settings, [letter_id], Filter(closed=True))
    found = content(settings, letter, redact=not reveal)
    for name, value in asdict(letter).items():
        typer.echo(f"{name:16} {value}")
    typer.echo(f"\nvalue\n{found.value}")
    if found.mended:
        typer.echo(f"\nmended value\n{found.mended}")
    typer.echo(f"\nheaders\n{found.headers}")
    if found.stacktrace:
        typer.echo(f"\nstack trace\n{found.stacktrace}")
    if found.history:
        typer.echo(f"\n{found.history}")


@app.command("replay")
def replay(
    ids: Ids = None,
    *,
    why: Why,
    service: Service = None,
    topic: Topic = None,
    key: Key = None,
    code: Code = None,
    value: Annotated[
        Path | None, typer.Option("--value", help="The corrected event as JSON, for one id.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Let the service try dead letters again, in their keys' order."""
    if value is not None:
        _mend(ids, value, why)
        return
    _decide("replay", ids, Filter(service, topic, key, code), why, dry_run=dry_run)


@app.command("discard")
def discard(
    ids: Ids = None,
    *,
    why: Why,
    service: Service = None,
    topic: Topic = None,
    key: Key = None,
    code: Code = None,
    dry_run: DryRun = False,
) -> None:
    """Close dead letters without effect; what queues behind them goes on."""
    _decide("discard", ids, Filter(service, topic, key, code), why, dry_run=dry_run)


def _decide(
    decision: Decision, ids: list[UUID] | None, wanted: Filter, why: str, *, dry_run: bool
) -> None:
    if not ids and wanted == Filter():
        msg = "name dead letters by id, or by --service, --topic, --key or --code"
        raise ConfigurationError(msg)
    settings = servers()
    letters = _chosen(settings, ids, wanted)
    if dry_run:
        for letter in letters:
            typer.echo(f"would {decision} {letter.id} {letter.topic} {letter.key} {letter.code}")
        return
    done = decide(settings, letters, decision, getpass.getuser(), why)
    typer.echo(f"{decision}: {done} of {len(letters)} dead letters")


def _mend(ids: list[UUID] | None, file: Path, why: str) -> None:
    if not ids or len(ids) > 1:
        msg = "--value corrects one dead letter: name it by its id"
        raise ConfigurationError(msg)
    settings = servers()
    (letter,) = _chosen(settings, ids, Filter())
    try:
        event = BY_NAME[letter.topic].event.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        msg = f"{file} is no event of {letter.topic}: {error}"
        raise ConfigurationError(msg) from error
    done = mend(settings, letter, event, getpass.getuser(), why)
    typer.echo(f"replay: {done} of 1 dead letters, mended")


def _chosen(settings: Settings, ids: list[UUID] | None, wanted: Filter) -> list[DeadLetter]:
    letters = find(settings, wanted)
    if not ids:
        return letters
    by_id = {letter.id: letter for letter in letters}
    unknown = [str(i) for i in ids if i not in by_id]
    if unknown:
        msg = f"no such dead letter: {', '.join(unknown)}"
        raise ConfigurationError(msg)
    return [by_id[i] for i in ids]
