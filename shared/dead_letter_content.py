"""What a dead letter says: its value decoded, and how it differs from what was applied instead."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, text

from shared import db, reading
from shared.codec.codec import Codec
from shared.codec.registry import registry_from
from shared.db import OPERATOR
from shared.dead_letters import DeadLetter
from shared.errors import Rejected, Transient
from shared.settings import Settings
from shared.topology import BY_NAME, WHOLE, Topic

HIDDEN: Final = "(personal data; --reveal shows it)"
ABSENT: Final = "(absent)"

_SHOW = text(
    "SELECT value, mended_value, headers, stacktrace FROM held_record WHERE dead_letter_id = :id"
    " ORDER BY id DESC LIMIT 1"
)
_APPLIED = text(
    "SELECT i.topic, i.partition, i.position, r.mended_value FROM inbox i LEFT JOIN held_record r"
    " ON r.message_id = i.message_id AND r.partition = i.partition AND r.position = i.position"
    " AND r.state = 'replayed' WHERE i.message_id = :message_id"
    " AND (i.partition, i.position) <> (:partition, :position)"
)


@dataclass(frozen=True)
class Field:
    """A field in which two records differ, by its path; the values as JSON has them."""

    path: str
    applied: str
    here: str


@dataclass(frozen=True)
class Difference:
    """How a record differs from the one of the same business key that was applied, at `origin`.

    `problem` says why it cannot be told; then there are no `fields`.
    """

    origin: str
    fields: tuple[Field, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Content:
    """What a dead letter holds: the decoded value where it decodes, else its bytes in hex.

    `difference` is there where the fact was applied from another record.
    """

    value: str
    mended: str | None
    headers: str
    stacktrace: str | None
    difference: Difference | None


def content(settings: Settings, letter: DeadLetter, *, redact: bool = True) -> Content:
    """The content of one dead letter; personal data is left out unless `redact` is false."""
    topic = BY_NAME[letter.topic]
    seen = topic if redact else replace(topic, personal=())
    codec = Codec(registry_from(settings))
    with db.transaction(settings, OPERATOR, search_path=letter.service) as connection:
        row = connection.execute(_SHOW, {"id": letter.id}).one()
        applied = _applied(connection, letter)
    difference = _difference(settings, codec, seen, applied, row.value) if applied else None
    mended = None if row.mended_value is None else _readable(codec, seen, row.mended_value)
    value = _readable(codec, seen, row.value)
    return Content(value, mended, row.headers, row.stacktrace, difference)


def _applied(connection: Connection, letter: DeadLetter) -> Any:  # noqa: ANN401 -- a row
    """Where the fact was applied from, and the value that took its place there."""
    place = {"partition": letter.partition, "position": letter.offset}
    return connection.execute(_APPLIED, {"message_id": letter.message_id, **place}).one_or_none()


def _difference(
    settings: Settings,
    codec: Codec,
    topic: Topic,
    applied: Any,  # noqa: ANN401 -- a row
    value: bytes | None,
) -> Difference:
    origin = f"{applied.topic}/{applied.partition}@{applied.position}"
    try:
        before = applied.mended_value or _read(
            settings, topic.name, applied.partition, applied.position
        )
    except Transient as error:
        return Difference(origin, problem=str(error))
    if before is None:
        return Difference(origin, problem="the topic no longer holds it: its retention has passed")
    try:
        pair = _plain(codec, topic, before), _plain(codec, topic, value or b"")
    except Rejected as error:
        return Difference(origin, problem=f"it cannot be compared: {error.message}")
    except Transient as error:
        return Difference(origin, problem=f"it cannot be compared: {error}")
    return Difference(origin, tuple(_fields(topic, *pair)))


def _read(settings: Settings, topic: str, partition: int, offset: int) -> bytes | None:
    """The value of one record, or None where it is gone."""
    with reading.reader(settings, OPERATOR) as consumer:
        message = next(reading.read_on(consumer, {(topic, partition): offset}), None)
    if message is None or message.offset() != offset:
        return None
    return message.value()


def _plain(codec: Codec, topic: Topic, value: bytes) -> dict[str, str]:
    event = codec.decode(topic, value)
    return dict(_flat(event.model_dump(mode="json"), ""))


def _flat(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every single value with its path, as in lines.3.net."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}.{number}")
    else:
        yield path, str(value)


def _fields(topic: Topic, before: dict[str, str], here: dict[str, str]) -> Iterator[Field]:
    for path in dict.fromkeys((*before, *here)):
        pair = before.get(path, ABSENT), here.get(path, ABSENT)
        if pair[0] != pair[1]:
            yield Field(path, *((HIDDEN, HIDDEN) if topic.is_personal(path) else pair))


def _readable(codec: Codec, topic: Topic, value: bytes | None) -> str:
    """`value` as JSON without what is personal: all of it where nobody can tell what is where."""
    if value is None:
        return "(no value)"
    if topic.is_personal(WHOLE):
        return HIDDEN
    try:
        plain = codec.decode(topic, value).model_dump(mode="json")
    except (Rejected, Transient) as error:
        return HIDDEN if topic.personal else f"({error})\n{value[:2000].hex(' ')}"
    shown = {name: HIDDEN if topic.is_personal(name) else inner for name, inner in plain.items()}
    return json.dumps(shown, indent=2, ensure_ascii=False)
