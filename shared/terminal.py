"""Words of others on a terminal: they are shown, and steer nothing."""

from collections.abc import Iterable

import typer


def printable(line: str) -> str:
    """`line`, each character escaped that is neither visible nor a space: Escape, a new line."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in line
    )


def say(lines: Iterable[str]) -> None:
    """Print `lines`, each on one line, whatever keys, headers and errors hold."""
    typer.echo("\n".join(map(printable, lines)))
