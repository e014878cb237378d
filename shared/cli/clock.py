"""`colophon clock`: the business clock of the local stack."""

import json
from typing import Annotated

import typer

from shared.clock import OffsetClock
from shared.durations import duration
from shared.errors import ConfigurationError
from shared.settings import read_settings

app = typer.Typer(help="The business clock of the local stack.", no_args_is_help=True)


@app.command("show")
def show(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the business time and how far it is ahead."""
    clock = _clock()
    now, ahead = clock.now().isoformat(timespec="seconds"), clock.offset()
    if as_json:
        typer.echo(json.dumps({"now": now, "ahead_s": int(ahead.total_seconds())}))
    else:
        typer.echo(f"{now}  ({ahead} ahead)")


@app.command("advance")
def advance(by: Annotated[str, typer.Argument(help="As in 14d, 36h or 90m.")]) -> None:
    """Move the business time ahead for every process of the local stack."""
    typer.echo(_clock().advance(duration(by)).isoformat(timespec="seconds"))


def _clock() -> OffsetClock:
    settings = read_settings()
    file = settings.clock_file or (
        None if settings.has_own_servers else settings.data_dir / "clock"
    )
    if file is None:
        msg = "only a local stack has a business clock; set COLOPHON_CLOCK_FILE to its file"
        raise ConfigurationError(msg)
    return OffsetClock(file)
