"""Hostile records, made from sound ones by a seed: what no producer should send, and some might.

None stands under a key of the sound ones. Hostile master data is of a world of its own, so that no
price and no tax of the sound jobs changes; jobs of that world then use it.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from random import Random
from typing import Any, Final

from shared.codec.codec import Codec
from shared.codec.compiled import _count, _varint_of, _writing, _zigzag
from shared.codec.wire import Leaf, Many, Maybe, Part, Wire, wire_of
from shared.events.base import Event
from shared.events.masterdata import TaxRule
from shared.events.production import JobCompleted
from shared.identity import key_of, message_id, topic_of
from shared.outbox import event_headers
from shared.schemas import newest
from shared.topology import TOPICS, Topic

Headers = tuple[tuple[str, bytes | None], ...]

HOSTILE: Final = "HOSTILE"
"""Every hostile id begins with it."""
TEN_MB: Final = 10 * 1024 * 1024
_HEAD: Final = 10  # of a value in single-object encoding: C3 01 and the fingerprint
_EPOCH: Final = date(1970, 1, 1).toordinal()
_LAST_US: Final = 253_402_300_799_999_999  # of the year 9999
_FIRST_US: Final = -62_135_596_800_000_000  # of the year 1


@dataclass(frozen=True)
class Sent:
    """A record to be produced, at its `moment` among the others; `kind`: what is hostile."""

    moment: float
    kind: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True)
class Segment:
    """A piece of a body: the field's path, its bytes, and its leaf; None where it is structure."""

    path: str
    raw: bytes
    leaf: Leaf | None = None
    is_absent: bool = False


def segments(wire: Wire, value: Any, path: str = "") -> Iterator[Segment]:  # noqa: ANN401 -- of any field
    """The body of `value`, piece by piece."""
    match wire:
        case Leaf(encode=encode) if wire.decimals and encode:
            yield Segment(path, _sized(encode(value)), wire)
        case Leaf():
            yield Segment(path, _writing(wire)[value], wire)
        case Maybe(inner=Leaf() as leaf) if value is None:
            yield Segment(path, b"\x00", leaf, is_absent=True)
        case Maybe():
            yield Segment(path, b"\x00" if value is None else b"\x02")
            if value is not None:
                yield from segments(wire.inner, value, path)
        case Many():
            yield Segment(path, _count(len(value)))
            for item in value:
                yield from segments(wire.item, item, f"{path}[]")
            yield Segment(path, b"\x00" if value else b"")
        case Part():
            for name, field in wire.fields:
                yield from segments(field, getattr(value, name), f"{path}.{name}")


# ---------------------------------------------------------------- what a field should never hold


def _sized(raw: bytes) -> bytes:
    return _count(len(raw)) + raw


def _number(value: int) -> bytes:
    return _varint_of(_zigzag(value))


def _of_bits(number: int, size: int) -> bytes:
    return _sized(number.to_bytes(size, "big", signed=True))


WRONG: Final = {
    "null": b"",
    "boolean": b"\x01",
    "int": _number(42),
    "long": _number(2**62),
    "float": struct.pack("<f", 1.5),
    "double": struct.pack("<d", 1.5),
    "string": _sized(b"hostile"),
    "array": b"\x04\x02\x02\x00",
    "enum": _number(60),
    "fixed": bytes(range(16)),
}
"""One value of every other Avro type."""
_TEXTS: Final = (
    *("", "\x00", "a\x00b", "\n", " ", "x" * 201, "x" * 2001, "x" * 100_000),
    *("\u202e\u0000", "\U0001f4a9" * 40, "../../../etc/passwd", "'; DROP TABLE inbox; --"),
    *("{0}{x!r}%s%n", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "a\r\nBcc: x@example.org"),
    *("Mars/Base", "UTC", "XTS", "JPY", "KWD", "ZZ", "xx-YY", "-1", "1e999", "NaN", "380"),
)
_NUMBERS: Final = (0, 1, -1, 2**31, 2**53, 2**63 - 1, -(2**63))
_DAYS: Final = tuple(
    day - _EPOCH for day in (date.max.toordinal(), date.max.toordinal() + 1, 1, 0, -400)
)


def extremes(leaf: Leaf) -> list[bytes]:
    """Raw content of the leaf's own type that is at its bounds or beyond them."""
    logical = leaf.avro.get("logicalType") if isinstance(leaf.avro, dict) else None
    match leaf.kind, logical:
        case "bytes", "decimal":
            assert isinstance(leaf.avro, dict)
            most = 10 ** int(leaf.avro["precision"])
            numbers = [_of_bits(n, 13) for n in (most - 1, 1 - most, most, 0, 1, -1)]
            return [*numbers, _of_bits(2**127 - 1, 16), _of_bits(-(2**2000), 300), _sized(b"")]
        case "int", "date":
            return [_number(day) for day in (*_DAYS, 2**31 - 1, -(2**31))]
        case "long", "timestamp-micros":
            beyond = (_LAST_US, _LAST_US + 1, _FIRST_US, _FIRST_US - 1)
            return [_number(n) for n in (*beyond, *_NUMBERS)]
        case (("int" | "long"), _):
            return [*(_number(n) for n in _NUMBERS), b"\x80\x80\x00", b"\xff" * 10]
        case "string", _:
            bad = [_sized(raw) for raw in (b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80")]
            return [*(_sized(text.encode()) for text in _TEXTS), *bad, _number(-5), _count(2**40)]
        case _:
            return [_number(n) for n in (0, 1, -1, 200, 2**40)]


# ---------------------------------------------------------------- who a hostile record is


@cache
def _own_fields(topic: Topic) -> tuple[str, ...]:
    """The fields that give a hostile event an identity, and a world of master data, of its own."""
    if topic.name.startswith("masterdata."):
        return tuple(name for name in topic.event.model_fields if name.endswith("_id"))
    named = {part.strip("{}") for part in topic.key.split("/")} | set(topic.business_key)
    wanted = {name for name in named if name.endswith("_id")} | {"invoice_number", "series"}
    return tuple(sorted((wanted - {"legal_entity_id"}) & set(topic.event.model_fields)))


def hostile(event: Event, number: int) -> Event:
    """`event` under ids of its own, with their number."""
    topic = topic_of(event)
    changes: dict[str, object] = dict.fromkeys(_own_fields(topic), f"{HOSTILE}-{number}")
    if isinstance(event, TaxRule):
        changes["seller_country"] = "ZZ"
    return event.model_copy(update=changes)


def in_world(event: Event, number: int) -> Event:
    """`event` of the legal entity and the customer that hostile master data has made."""
    world = {"legal_entity_id", "customer_id"} & set(type(event).model_fields)
    return hostile(event, number).model_copy(update=dict.fromkeys(world, f"{HOSTILE}-{number}"))


def _headers(rng: Random, event: Event) -> Headers:
    """Mostly as they should be; sometimes missing, sometimes nonsense."""
    topic, dice = topic_of(event), rng.random()
    sound = event_headers(topic.name, key_of(topic, event), message_id(topic, event), "fuzz", None)
    if dice < 0.6:
        return sound
    if dice < 0.8:
        return ()
    return rng.choice(
        (
            tuple((name, None) for name, _ in sound),
            tuple((name, b"\xff\x00" + (value or b"")[::-1]) for name, value in sound),
            tuple((f"h{n}", b"") for n in range(200)),
            (("ce_time", b"0001-01-01T00:00:00+14:00"), ("traceparent", b"00-" + b"0" * 999)),
            (("ce_time", b"9999-12-31T23:59:59-14:00"), ("", b""), ("\u0000", b"\x00")),
            (("traceparent", b"00-" + b"a" * 32), ("x", b"y" * 50_000), *sound, *sound),
            (("dlq.id", b"forged"), ("dlq.error.code", b"forged")),
        )
    )


# ---------------------------------------------------------------- what is done to its bytes

Mutation = Callable[[Random, Event, bytes], bytes | None]
"""(dice, event, its sound value) -> what is sent instead."""


def _flipped(rng: Random, event: Event, value: bytes) -> bytes:
    raw = bytearray(value)
    for _ in range(rng.randint(1, 8)):
        raw[rng.randrange(_HEAD, len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def _of_another_topic(rng: Random, event: Event, value: bytes) -> bytes:
    other = rng.choice([name for name in _FINGERPRINTS if name != topic_of(event).name])
    return b"\xc3\x01" + _FINGERPRINTS[other] + value[_HEAD:]


def _counted_wrong(rng: Random, event: Event, value: bytes) -> bytes:
    """A list, an option or a text that says it is another size, or endless."""
    pieces = list(segments(wire_of(type(event)), event))
    at = rng.randrange(len(pieces))
    size = rng.choice((_number(2**40), _number(-3), _number(7), b"\x01\x7e", b"\xff" * 11))
    return _joined(value, [*pieces[:at], Segment("", size), *pieces[at + 1 :]])


def _one_field(rng: Random, event: Event, value: bytes) -> bytes:
    pieces = list(segments(wire_of(type(event)), event))
    at = rng.choice([n for n, piece in enumerate(pieces) if piece.leaf])
    return _with_field(value, pieces, at, rng.choice(extremes(_leaf(pieces[at]))))


def _all_fields(rng: Random, event: Event, value: bytes) -> bytes:
    """Several fields at their bounds at once."""
    pieces = list(segments(wire_of(type(event)), event))
    for at in [n for n, piece in enumerate(pieces) if piece.leaf and rng.random() < 0.2]:
        pieces[at] = Segment("", _raw(pieces[at], rng.choice(extremes(_leaf(pieces[at])))))
    return _joined(value, pieces)


def _with_field(value: bytes, pieces: Sequence[Segment], at: int, raw: bytes) -> bytes:
    changed = Segment("", _raw(pieces[at], raw))
    return _joined(value, [*pieces[:at], changed, *pieces[at + 1 :]])


def _raw(piece: Segment, raw: bytes) -> bytes:
    return b"\x02" + raw if piece.is_absent else raw


def _leaf(piece: Segment) -> Leaf:
    assert piece.leaf
    return piece.leaf


def _joined(value: bytes, pieces: Sequence[Segment]) -> bytes:
    return value[:_HEAD] + b"".join(piece.raw for piece in pieces)


MUTATIONS: Final[dict[str, Mutation]] = {
    "truncated": lambda rng, _, value: value[: rng.randrange(len(value))],
    "drawn out": lambda rng, _, value: value + rng.randbytes(rng.randint(1, 40)),
    "flipped bits": _flipped,
    "unknown schema": lambda rng, _, value: b"\xc3\x01" + rng.randbytes(8) + value[_HEAD:],
    "schema of another topic": _of_another_topic,
    "Confluent framing": lambda rng, _, value: b"\x00" + rng.randbytes(4) + value[_HEAD:],
    "Confluent framing, cut": lambda rng, *_: b"\x00" + rng.randbytes(rng.randrange(4)),
    "noise": lambda rng, *_: rng.randbytes(rng.randint(1, 3000)),
    "noise in a sound frame": lambda rng, _, value: value[:_HEAD] + rng.randbytes(len(value)),
    "JSON": lambda _rng, event, _value: event.model_dump_json().encode(),
    "empty": lambda *_: b"",
    "null": lambda *_: None,
    "counted wrong": _counted_wrong,
    "one field": _one_field,
    "many fields": _all_fields,
    "sound": lambda _rng, _event, value: value,
}
KEYS: Final[dict[str, Callable[[Random, bytes], bytes | None]]] = {
    "no key": lambda *_: None,
    "empty key": lambda *_: b"",
    "another key": lambda _, key: key + b"x",
    "binary key": lambda rng, _: b"\x00\xff" + HOSTILE.encode() + rng.randbytes(6),
    "huge key": lambda _, key: key * 2000,
    "huge random key": lambda rng, key: key + rng.randbytes(rng.choice((2_700, 10_000))),
}


class Fuzz:
    """Hostile records of sound `templates` (some of every topic), the same for the same seed."""

    def __init__(self, templates: Sequence[Event], seed: int) -> None:
        self._rng = Random(seed)
        self._codec = Codec()
        self._templates: dict[str, list[Event]] = {}
        for event in templates:
            self._templates.setdefault(topic_of(event).name, []).append(event)
        self._number = 0
        self.fields: set[tuple[str, str]] = set()
        """Every field that was given a wrong type, by topic and path."""

    def records(self, count: int) -> list[Sent]:
        """`count` hostile records in the order in which they are sent."""
        sent = [*self._wrong_types(), *self._large(), *self._worlds(count // 50)]
        makers = (self._mutated, self._miskeyed, self._story)
        while len(sent) < count:
            (make,) = self._rng.choices(makers, (6, 1, 2))
            sent += make()
        return sorted(sent[:count], key=lambda each: each.moment)

    def _wrong_types(self) -> Iterator[Sent]:
        """Every field of every topic once, with a value of another type, and one at its bounds."""
        for topic, events in sorted(self._templates.items()):
            for template in events:
                for at, piece in enumerate(segments(wire_of(type(template)), template)):
                    if piece.leaf and (topic, piece.path) not in self.fields:
                        self.fields.add((topic, piece.path))
                        name, raw = self._rng.choice(list(WRONG.items()))
                        yield self._field(template, at, raw, f"{name} for {piece.leaf.kind}")
                        raw = self._rng.choice(extremes(piece.leaf))
                        yield self._field(template, at, raw, "one field")

    def _field(self, template: Event, at: int, raw: bytes, kind: str) -> Sent:
        event = self._fresh(template)
        pieces = list(segments(wire_of(type(event)), event))
        return self._sent(event, kind, _with_field(self._codec.encode(event), pieces, at, raw))

    def _large(self) -> Iterator[Sent]:
        """10 MB for every topic: only compression brings them in."""
        for _, (template, *_) in sorted(self._templates.items()):
            event = self._fresh(template)
            yield self._sent(event, "10 MB", self._codec.encode(event).ljust(TEN_MB, b"x"))

    def _worlds(self, count: int) -> Iterator[Sent]:
        """Master data with one thing wrong, each world's own, and a job that needs it."""
        masters = [
            event
            for topic, events in sorted(self._templates.items())
            if topic.startswith("masterdata.")
            for event in events[:1]
        ]
        jobs = [
            e for events in self._templates.values() for e in events if isinstance(e, JobCompleted)
        ]
        for _ in range(count):
            self._number += 1
            wrong = self._rng.randrange(len(masters))
            for n, master in enumerate(masters):
                event = hostile(master, self._number)
                value = self._codec.encode(event)
                mutate = _one_field if n == wrong else MUTATIONS["sound"]
                yield self._sent(event, "world", mutate(self._rng, event, value))
            yield self._whole(in_world(self._rng.choice(jobs), self._number), "world")

    def _mutated(self) -> list[Sent]:
        event = self._fresh(self._template())
        kind = self._rng.choice([*MUTATIONS, *["one field"] * len(MUTATIONS)])
        return [
            self._sent(event, kind, MUTATIONS[kind](self._rng, event, self._codec.encode(event)))
        ]

    def _miskeyed(self) -> list[Sent]:
        event = self._fresh(self._template())
        kind = self._rng.choice(sorted(KEYS))
        if kind == "no key" and topic_of(event).cleanup_policy == "compact":
            kind = "empty key"  # the broker itself refuses the other
        key = KEYS[kind](self._rng, key_of(topic_of(event), event).encode())
        moment = self._rng.random()
        value = self._codec.encode(event)
        return [Sent(moment, kind, topic_of(event).name, key, value, _headers(self._rng, event))]

    def _story(self) -> list[Sent]:
        """Sound records of one key that repeat, contradict or overtake each other."""
        event = self._fresh(self._template())
        revision = topic_of(event).revision
        kind = self._rng.choice(["repeated", "mended", *(["reordered"] if revision else [])])
        if kind == "repeated":
            return [self._whole(event, kind) for _ in range(self._rng.randint(2, 4))]
        if kind == "reordered" and revision:
            numbers = self._rng.sample(range(2, 9), 3)
            return [self._whole(event.model_copy(update={revision: n}), kind) for n in numbers]
        value = self._codec.encode(event)
        broken = self._sent(event, kind, _one_field(self._rng, event, value))
        return [broken, self._whole(event, kind)]  # in either order

    def _template(self) -> Event:
        return self._rng.choice(self._templates[self._rng.choice(sorted(self._templates))])

    def _fresh(self, template: Event) -> Event:
        """The template under an id of its own, now and then under that of an earlier one."""
        if self._rng.random() < 0.9:
            self._number += 1
            return hostile(template, self._number)
        return hostile(template, self._rng.randint(1, max(1, self._number)))

    def _whole(self, event: Event, kind: str) -> Sent:
        return self._sent(event, kind, self._codec.encode(event))

    def _sent(self, event: Event, kind: str, value: bytes | None) -> Sent:
        topic = topic_of(event)
        key = key_of(topic, event).encode()
        headers = _headers(self._rng, event)
        return Sent(self._rng.random(), kind, topic.name, key, value, headers)


_FINGERPRINTS: Final = {
    topic.name: newest(topic.name).fingerprint.to_bytes(8, "little") for topic in TOPICS
}
