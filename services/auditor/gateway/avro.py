"""Decoding of our own, from the released schemas alone: it shares no mistake of the codec's.

Only the fields that the checks look at are converted; money and quantities become decimals.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

from fastavro import schemaless_reader

from shared.codec.registry import HttpRegistry
from shared.errors import Undecodable
from shared.schemas import by_fingerprint, newest

Fields = Mapping[str, Any]
"""The fields wanted of a record: by name, None for all of a field, else what is wanted inside."""
Convert = Callable[[Any], Any]

_MARKS: Final = {b"\xc3\x01": 10, b"\x00": 5}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_LOGICAL: Final[Mapping[str | None, Convert]] = {
    "timestamp-micros": lambda micros: _EPOCH + micros * _MICROSECOND,
    "date": lambda days: date.fromordinal(_EPOCH_DAY + days),
}


class Unreadable(Exception):
    """The value is no event of its topic."""


class Decoder:
    """Reads record values in both framings; `wanted` says which fields of which topic."""

    def __init__(self, wanted: Mapping[str, Fields], registry: HttpRegistry | None) -> None:
        self._registry = registry
        self._writers: dict[tuple[str, bytes], Any] = {}
        self._convert = {topic: _of_topic(topic, fields) for topic, fields in wanted.items()}

    def decode(self, topic: str, value: bytes) -> dict[str, Any]:
        """The wanted fields of a record value.

        Raises `Unreadable` for what is none, and whatever the registry raises when it is away.
        """
        return _converted(self._convert[topic], self._plain(topic, value))

    def whole(self, topic: str, value: bytes) -> dict[str, Any]:
        """Every field of a record value, those that it lacks at their defaults."""
        return _converted(_of_topic(topic, None), self._plain(topic, value))

    def _plain(self, topic: str, value: bytes) -> Any:  # noqa: ANN401 - as Avro has it
        head = _head(value)
        writer = self._writers.get((topic, head)) or self._find(topic, head)
        reader = newest(topic).plain
        reader = None if reader is writer else reader
        body = BytesIO(value)
        body.seek(len(head))
        try:
            found = schemaless_reader(body, writer, reader)
        except Exception as error:
            raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from error
        if body.tell() != len(value):
            raise Unreadable("the body is longer than its schema says")
        return found

    def _find(self, topic: str, head: bytes) -> Any:  # noqa: ANN401 - fastavro's parsed form
        """The schema that `head` names, of whichever producer, remembered."""
        if not head[0] and self._registry is not None:
            try:
                found = self._registry.plain_schema(int.from_bytes(head[1:], "big"))
            except Undecodable as error:
                raise Unreadable(str(error)) from error
        else:
            ours = by_fingerprint().get(int.from_bytes(head[2:], "little")) if head[0] else None
            if ours is None:
                raise Unreadable(f"no released schema is known by {head.hex()}")
            if ours.topic != topic:
                raise Unreadable(f"it is an event of {ours.topic}")
            found = ours.plain
        self._writers[topic, head] = found
        return found


def _converted(convert: Convert, plain: Any) -> dict[str, Any]:  # noqa: ANN401 - as Avro has it
    try:
        found: dict[str, Any] = convert(plain)
    except (ArithmeticError, ValueError) as error:  # a year 0, say
        raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from error
    return found


def _head(value: bytes) -> bytes:
    for mark, size in _MARKS.items():
        if value.startswith(mark) and len(value) >= size:
            return value[:size]
    raise Unreadable(f"it begins with neither framing: {value[:10].hex()}")


def _of_topic(topic: str, fields: Fields | None) -> Convert:
    published = newest(topic).published
    named: dict[str, Any] = {}
    _collect(published, named)
    return _record(published, fields, named)


def _collect(schema: Any, named: dict[str, Any]) -> None:  # noqa: ANN401 - any part of a schema
    """Every named type of `schema` by its full name."""
    if isinstance(schema, list):
        for part in schema:
            _collect(part, named)
    elif isinstance(schema, dict):
        if schema["type"] == "record":
            named[f"{schema['namespace']}.{schema['name']}"] = schema
        for field in schema.get("fields", ()):
            _collect(field["type"], named)
        _collect(schema.get("items"), named)


def _record(schema: Any, fields: Fields | None, named: Mapping[str, Any]) -> Convert:  # noqa: ANN401 -- plain values by name
    types = {field["name"]: field["type"] for field in schema["fields"]}
    wanted = dict.fromkeys(types) if fields is None else fields
    parts = [(name, _converter(types[name], inner, named)) for name, inner in wanted.items()]

    def convert(plain: dict[str, Any]) -> dict[str, Any]:
        return {name: each(plain[name]) if each else plain[name] for name, each in parts}

    return convert


def _converter(
    schema: Any,  # noqa: ANN401 - any part of a schema
    fields: Fields | None,
    named: Mapping[str, Any],
) -> Convert | None:
    """How a plain value of `schema` becomes what it means; None where it is that already."""
    if isinstance(schema, list):
        inner = _converter(next(part for part in schema if part != "null"), fields, named)
        return None if inner is None else lambda value: None if value is None else inner(value)
    if isinstance(schema, str):
        return _record(named[schema], fields, named) if schema in named else None
    if schema["type"] == "array":
        each = _converter(schema["items"], fields, named)
        return None if each is None else lambda values: [each(value) for value in values]
    if schema["type"] == "record":
        return _record(schema, fields, named)
    if schema.get("logicalType") == "decimal":
        scale = -schema["scale"]
        return lambda raw: Decimal(int.from_bytes(raw, "big", signed=True)).scaleb(scale)
    return _LOGICAL.get(schema.get("logicalType"))
