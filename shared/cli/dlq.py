"""`colophon dlq`: dead letters listed, shown, replayed, discarded."""

import getpass
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import click
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from shared.cli.servers import servers
from shared.dead_letter_content import Content, Difference, content
from shared.dead_letters import PER_S, DeadLetter, Decision, Filter, check_mend, decide, find, mend
from shared.durations import duration
from shared.errors import ConfigurationError
from shared.events.base import Event, faults_of
from shared.settings import Settings
from shared.terminal import say
from shared.topology import BY_NAME

app = typer.Typer(help="Dead letters: what failed, why, and what to do.", no_args_is_help=True)

Service = Annotated[str | None, typer.Option(help="Only of this service.")]
Topic = Annotated[str | None, typer.Option(help="Only of this topic.")]
Key = Annotated[str | None, typer.Option(help="Only of this record key.")]
Code = Annotated[str | None, typer.Option(help="Only of this reason code.")]
Older = Annotated[str | None, typer.Option(help="Only what failed longer ago: 14d, 36h, 90m.")]
Newer = Annotated[str | None, typer.Option(help="Only what failed since: 14d, 36h, 90m.")]
Ids = Annotated[list[UUID] | None, typer.Argument(help="Ids, as `list` shows them.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept for the audit.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
PerS = Annotated[int, typer.Option("--per-second", min=1, help="At most so many a second.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(  # noqa: PLR0913 -- each is an option
    *,
    service: Service = None,
    topic: Topic = None,
    key: Key = None,
    code: Code = None,
    older_than: Older = None,
    newer_than: Newer = None,
    closed: Annotated[bool, typer.Option("--all", help="Also what is settled.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="Print so many at most; 0 for all.")] = 100,
    as_json: Json = False,
) -> None:
    """List dead letters, oldest first, and count them by service and reason; as JSON, all."""
    ages = _span(older_than), _span(newer_than)
    letters = find(servers(), Filter(service, topic, key, code, *ages, closed=closed))
    if as_json:
        _print_json([asdict(letter) for letter in letters])
        return
    shown = letters[: limit or None]
    for letter in shown:
        say(_lines(letter))
    counts = Counter((letter.service, letter.code) for letter in letters)
    say(f"{count:7} {service} {code}" for (service, code), count in counts.most_common())
    more = "" if len(shown) == len(letters) else f", the first {limit} shown (--limit 0 shows all)"
    typer.echo(f"{len(letters)} dead letters{more}")


@app.command("show")
def show(
    letter_id: UUID,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data too.")] = False,
    as_json: Json = False,
) -> None:
    """Show one dead letter: value, headers, error, and how it differs from what was applied."""
    settings = servers()
    *_, letter = _named(settings, Filter(ids=(letter_id,), closed=True))
    found = content(settings, letter, redact=not reveal)
    if as_json:
        _print_json(asdict(letter) | asdict(found))
    else:
        say(_shown(letter, found))


@app.command("replay")
def replay(  # noqa: PLR0913 -- each is an option
    ids: Ids = None,
    *,
    why: Why,
    service: Service = None,
    topic: Topic = None,
    key: Key = None,
    code: Code = None,
    older_than: Older = None,
    newer_than: Newer = None,
    value: Annotated[
        Path | None, typer.Option("--value", help="The corrected event as JSON, for one id.")
    ] = None,
    edit: Annotated[bool, typer.Option("--edit", help="Correct the event of one id.")] = False,
    per_s: PerS = PER_S,
    dry_run: DryRun = False,
) -> None:
    """Let the service try dead letters again, in their keys' order."""
    ages = _span(older_than), _span(newer_than)
    wanted = Filter(service, topic, key, code, *ages, tuple(ids or ()))
    if value is None and not edit:
        _decide("replay", wanted, why, per_s, dry_run=dry_run)
    else:
        _mend(wanted, value, why, dry_run=dry_run)


@app.command("discard")
def discard(  # noqa: PLR0913 -- each is an option
    ids: Ids = None,
    *,
    why: Why,
    service: Service = None,
    topic: Topic = None,
    key: Key = None,
    code: Code = None,
    older_than: Older = None,
    newer_than: Newer = None,
    per_s: PerS = PER_S,
    dry_run: DryRun = False,
) -> None:
    """Close dead letters without effect; what queues behind them goes on."""
    ages = _span(older_than), _span(newer_than)
    wanted = Filter(service, topic, key, code, *ages, tuple(ids or ()))
    _decide("discard", wanted, why, per_s, dry_run=dry_run)


def _decide(decision: Decision, wanted: Filter, why: str, per_s: int, *, dry_run: bool) -> None:
    if wanted == Filter():
        msg = "name dead letters by id, --service, --topic, --key, --code or their age"
        raise ConfigurationError(msg)
    settings = servers()
    letters = _named(settings, wanted)
    if dry_run:
        _say_would(decision, letters)
        return
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(decision, total=len(letters))
        done = decide(
            settings,
            letters,
            decision,
            getpass.getuser(),
            why,
            per_s=per_s,
            progress=lambda seen: progress.update(task, completed=seen),
        )
    counts = Counter(letter.service for letter in letters)
    by_service = ", ".join(f"{name} {count}" for name, count in counts.items())
    typer.echo(f"{decision}: {done} of {len(letters)} dead letters ({by_service or 'none'})")


def _mend(wanted: Filter, file: Path | None, why: str, *, dry_run: bool) -> None:
    if len(wanted.ids) != 1:
        msg = "--value and --edit correct one dead letter: name it by its id"
        raise ConfigurationError(msg)
    settings = servers()
    *_, letter = _named(settings, wanted)
    event = (
        _edited(settings, letter) if file is None else _corrected(letter, str(file), _text(file))
    )
    if dry_run:
        check_mend(letter, event)
        _say_would("replay", [letter])
        return
    done = mend(settings, letter, event, getpass.getuser(), why)
    typer.echo(f"replay: {done} of 1 dead letters ({letter.service}), mended")


def _edited(settings: Settings, letter: DeadLetter) -> Event:
    before = content(settings, letter, redact=False)
    text = click.edit(before.mended or before.value, extension=".json")
    if text is None:
        raise ConfigurationError("nothing was changed: save the corrected event, or use --value")
    return _corrected(letter, "what you wrote", text)


def _corrected(letter: DeadLetter, source: str, text: str) -> Event:
    try:
        return BY_NAME[letter.topic].event.model_validate_json(text)
    except ValidationError as error:
        faults = "".join(f"\n  {field}: {message}" for field, message in faults_of(error))
        msg = f"{source} is no event of {letter.topic}:{faults}"
        raise ConfigurationError(msg) from error


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"--value {file} cannot be read: {reason}"
        raise ConfigurationError(msg) from error


def _named(settings: Settings, wanted: Filter) -> list[DeadLetter]:
    """What `wanted` describes; each id it names must be among it.

    A topic that was read from its beginning again has some ids twice, the later one last.
    """
    letters = find(settings, wanted)
    unknown = set(wanted.ids) - {letter.id for letter in letters}
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        which = "dead letter" if wanted.closed else "open dead letter"
        msg = f"no such {which}: {names} (`colophon dlq list --all` shows them, settled ones too)"
        raise ConfigurationError(msg)
    return letters


def _say_would(decision: Decision, letters: Sequence[DeadLetter]) -> None:
    for letter in letters:
        place = f"{letter.service}  {letter.topic}  key {letter.key or '(none)'}  {letter.code}"
        say([f"would {decision} {letter.id}  {place}"])
    typer.echo(f"would {decision} {len(letters)} dead letters")


def _lines(letter: DeadLetter) -> list[str]:
    """One dead letter in words, whole, whatever the terminal's width; its id comes first."""
    is_due = letter.state == "dead" and letter.decision
    state = f"dead, to {letter.decision}" if is_due else letter.state
    behind = f", {letter.behind} records behind it" if letter.behind else ""
    return [
        f"{letter.id}  {letter.failed_at:%Y-%m-%d %H:%M:%S}  {letter.service}  {state}{behind}",
        f"    {letter.topic}/{letter.partition}@{letter.offset}  key {letter.key or '(none)'}",
        f"    {letter.code}: {letter.message}",
        *([f"    {letter.history}"] if letter.history else []),
    ]


def _shown(letter: DeadLetter, found: Content) -> list[str]:
    lines = [f"{name:16} {value}" for name, value in asdict(letter).items() if value is not None]
    lines += ["", "value", *found.value.split("\n")]
    if found.difference:
        lines += ["", *_compared(found.difference)]
    for name, text in (
        ("mended value", found.mended),
        ("headers", found.headers),
        ("stack trace", found.stacktrace),
    ):
        lines += ["", name, *text.split("\n")] if text else []
    return lines


def _compared(difference: Difference) -> list[str]:
    """Field by field what was applied, and what this record says."""
    head = f"differs from what was applied, {difference.origin}"
    if difference.problem:
        return [f"{head}: {difference.problem}"]
    return [head, *(f"  {f.path}: {f.applied} -> {f.here}" for f in difference.fields)]


def _span(text: str | None) -> timedelta | None:
    return None if text is None else duration(text)


def _print_json(found: Any) -> None:  # noqa: ANN401 -- what JSON takes
    typer.echo(json.dumps(found, default=str, indent=2))
