"""Whether one version of a schema may follow another: it only adds, with defaults, at the end.

Then every reader reads every writer, and equal content keeps its fingerprint over all versions.
"""

from collections.abc import Iterator
from typing import Any


def breaks(older: Any, newer: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any part of a schema
    """What makes `newer` no successor of `older`, each with its field's path; docs may change."""
    if isinstance(older, list) and isinstance(newer, list) and len(older) == len(newer):
        for before, after in zip(older, newer, strict=True):
            yield from breaks(before, after, path)
    elif not isinstance(older, dict) or not isinstance(newer, dict):
        if older != newer:
            yield f"{path or 'it'} was {_short(older)}, is {_short(newer)}"
    else:
        yield from _attributes(older, newer, path)
        if older.get("type") == newer.get("type") == "record":
            yield from _fields(older["fields"], newer["fields"], path)
        elif older.get("type") == newer.get("type") == "enum":
            yield from _symbols(older["symbols"], newer["symbols"], path)
        for part in ("type", "items"):
            if part in older and part in newer:
                yield from breaks(older[part], newer[part], path)


def _attributes(older: dict[str, Any], newer: dict[str, Any], path: str) -> Iterator[str]:
    """Names, defaults, logical types: what is neither a part of its own nor words for people."""
    for name in sorted(
        (older.keys() | newer.keys()) - {"doc", "fields", "symbols", "type", "items"}
    ):
        if older.get(name) != newer.get(name):
            yield f"{name} of {path or 'it'} was {older.get(name)!r}, is {newer.get(name)!r}"


def _fields(older: list[Any], newer: list[Any], path: str) -> Iterator[str]:
    """Fields in their order; what comes after them needs a default."""
    for number, before in enumerate(older):
        where = f"{path}.{before['name']}".lstrip(".")
        if number >= len(newer) or newer[number]["name"] != before["name"]:
            yield f"{where} does not stand where it stood"
        else:
            yield from breaks(before, newer[number], where)
    for after in newer[len(older) :]:
        if "default" not in after:
            yield f"{path}.{after['name']}".lstrip(".") + " is new and has no default"


def _symbols(older: list[str], newer: list[str], path: str) -> Iterator[str]:
    for number, before in enumerate(older):
        if number >= len(newer) or newer[number] != before:
            yield f"{before} of {path} does not stand where it stood"


def _short(part: object) -> str:
    return part if isinstance(part, str) else repr(part)[:80]
