"""JSON records: events as other systems write them, for every topic that is open to them.

Amounts finer than their currency, rates and quantities finer than their field are rounded half
up, here and nowhere later, and the note says so.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from itertools import islice
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from pydantic import ValidationError

from services.ingest.domain.element import Fault, Unreadable
from services.ingest.domain.outcome import Found
from services.ingest.domain.reader import Reader, half_up
from shared.errors import Invalid
from shared.events.base import AMOUNT, Decimals, Event, Value, faults_of
from shared.events.masterdata import Contact
from shared.identity import key_of
from shared.money import minor_unit
from shared.topology import BY_NAME, TOPICS, Topic

Json = Any
_ENVELOPE: Final = frozenset({"topic", "key", "value"})
_FAULTS_MAX: Final = 20
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Record:
    """One JSON value as it stands in a file."""

    line: int | None
    number: int
    value: Json


def inbound() -> tuple[Topic, ...]:
    """The topics that files may be ingested into."""
    return tuple(topic for topic in TOPICS if "ingest" in topic.producers)


def read_records(records: Sequence[Record], r: Reader, topic: str | None) -> Found:
    """The events in `records`; `topic` is that of values which stand without an envelope."""
    events: list[Event] = []
    faults: list[Fault] = []
    for record in records:
        try:
            events.append(_event(record, r, topic))
        except Unreadable as error:
            faults += error.faults
        if len(faults) >= _FAULTS_MAX:
            break
    if faults:
        raise Unreadable(*faults[:_FAULTS_MAX])
    return Found(tuple(events), () if events else ("it holds no record",))


def _event(record: Record, r: Reader, named: str | None) -> Event:
    value, topic, key = _opened(record, named)
    if value is None and topic.tombstones and isinstance(key, str):
        r.note(f"record {record.number} erases {key}: a last revision with nothing in it")
        return Contact.erased(key)
    if not isinstance(value, dict):
        raise _fault(record, "value", "is no JSON object")
    try:
        event = _built(topic, value, r, record)
    except Invalid as error:
        raise _fault(record, "currency", str(error)) from error
    except ValidationError as error:
        raise Unreadable(*_faults(record, error)) from error
    if key is not None and key != key_of(topic, event):
        raise _fault(record, "key", f"is {key!r} where the value says {key_of(topic, event)!r}")
    return event


def _opened(record: Record, named: str | None) -> tuple[Json, Topic, Json]:
    """The value, its topic, and the key that an envelope may name."""
    content = record.value
    if isinstance(content, dict) and "topic" in content and content.keys() <= _ENVELOPE:
        return content.get("value"), _topic(record, content["topic"]), content.get("key")
    if named is None:
        wanted = '{"topic": "...", "value": {...}}'
        raise _fault(record, "topic", f"is missing: wrap the value as {wanted}")
    return content, _topic(record, named), None


def _topic(record: Record, name: Json) -> Topic:
    topic = BY_NAME.get(name) if isinstance(name, str) else None
    if topic is None:
        raise _fault(record, "topic", f"{str(name)[:80]!r} is no topic")
    if topic not in inbound():
        allowed = ", ".join(one.name for one in inbound())
        raise _fault(record, "topic", f"{topic.name} is not for ingesting; these are: {allowed}")
    return topic


def _built(topic: Topic, value: Mapping[str, Json], r: Reader, record: Record) -> Event:
    currency = value.get("currency")
    places = Decimal(1).scaleb(-minor_unit(currency)) if isinstance(currency, str) else None
    rounded = _Rounding(places, r, record)
    return topic.event.model_validate_json(
        json.dumps(rounded.of(topic.event, value, ""), default=str)
    )


@dataclass(frozen=True, slots=True)
class _Rounding:
    """Rounds the decimals of a raw value, field by field as the model has them."""

    money: Decimal | None
    r: Reader
    record: Record

    def of(self, kind: Any, raw: Json, path: str) -> Json:  # noqa: ANN401 - any annotation
        """`raw` with its decimals rounded to what a field of type `kind` holds."""
        scale = next((one for one in get_args(kind)[1:] if isinstance(one, Decimals)), None)
        if get_origin(kind) is Annotated:
            return self._number(scale, raw, path) if scale else raw
        inner = [one for one in get_args(kind) if one not in {NoneType, Ellipsis}]
        if isinstance(raw, list) and get_origin(kind) is tuple:
            return [self.of(inner[0], one, f"{path}{n}.") for n, one in enumerate(raw)]
        if inner and get_origin(kind) is not tuple:
            return self.of(inner[0], raw, path)
        if isinstance(raw, dict) and isinstance(kind, type) and issubclass(kind, Value):
            fields = _fields(kind)
            return {n: self.of(fields.get(n), one, f"{path}{n}.") for n, one in raw.items()}
        return raw

    def _number(self, scale: Decimals, raw: Json, path: str) -> Json:
        if isinstance(raw, bool) or not _NUMBER.fullmatch(str(raw)):
            return raw
        places = self.money if scale is AMOUNT and self.money is not None else None
        try:
            exact = Decimal(str(raw))
            rounded = half_up(exact, places or Decimal(1).scaleb(-scale.scale))
        except InvalidOperation:
            return raw
        if rounded == exact:
            return exact
        place = f"record {self.record.number}: {path.rstrip('.')}"
        self.r.note(f"{place} {raw} rounded half up to {rounded}")
        return rounded


@cache
def _fields(kind: type[Value]) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _faults(record: Record, error: ValidationError) -> Iterator[Fault]:
    for field, message in islice(faults_of(error), _FAULTS_MAX):
        yield _fault(record, field, message).faults[0]


def _fault(record: Record, field: str, message: str) -> Unreadable:
    return Unreadable(Fault(message, record.line, f"record {record.number}: {field}"))
