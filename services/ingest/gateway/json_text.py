"""JSON from strangers: UTF-8, no key twice, exact decimals; a document, an array, or JSON lines."""

import json
from decimal import Decimal
from typing import Any, NoReturn

from services.ingest.domain.element import Fault, Unreadable
from services.ingest.domain.records import Record


def parse(data: bytes) -> list[Record]:
    """The values in the file; raises `Unreadable` with line and reason."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(Fault("is not UTF-8", line)) from error
    try:
        whole = _loads(text, 1)
    except _More:
        lines = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
        return [Record(at, n, _loads(line, at)) for n, (at, line) in enumerate(lines, 1)]
    if isinstance(whole, list):
        return [Record(None, number, value) for number, value in enumerate(whole, 1)]
    return [Record(1, 1, whole)]


class _More(Exception):
    """The text goes on after its first value: JSON lines."""


def _loads(text: str, line: int) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_once
        )
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and line == 1 and "\n" in text:
            raise _More from error
        fault = Fault(f"is not JSON: {error.msg} (column {error.colno})", line + error.lineno - 1)
        raise Unreadable(fault) from error
    except RecursionError as error:
        raise Unreadable(Fault("is nested too deep", line)) from error
    except ValueError as error:
        raise Unreadable(Fault(f"holds what no event can: {str(error)[:60]}", line)) from error


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found
