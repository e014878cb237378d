"""Records as they arrive: read from Kafka or from the held queue, decoded, identified."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from shared.codec.codec import Codec, fingerprint
from shared.errors import Invalid, Rejected, Undecodable
from shared.events.base import Event
from shared.events.masterdata import Contact
from shared.identity import key_of, message_id, message_id_of_fields
from shared.ids import cause_id, index_key
from shared.topology import Topic

Headers = tuple[tuple[str, bytes | None], ...]

_APART = b"\x00"


class Record(NamedTuple):
    """A record byte for byte. `held_id` is its row where it comes from the held queue."""

    topic: Topic
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    held_id: int | None = None

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset."""
        return self.topic.name, self.partition, self.offset

    def header(self, name: str) -> str | None:
        """The text of the first header `name`, or None."""
        return header_in(self.headers, name)


class Arrival(NamedTuple):
    """A record with what it says, or with why it says nothing.

    `lane` is the key that its order is kept under; a record without a key, and a conflict, have a
    lane of their own, so that they hold up nothing. A very long key has a shortened one.
    """

    record: Record
    lane: bytes
    event: Event | None = None
    message_id: UUID | None = None
    fingerprint: bytes = b""
    revision: int | None = None
    failure: Rejected | None = None
    attempts: int = 1

    @property
    def in_lane(self) -> tuple[str, bytes]:
        """Topic and lane."""
        return self.record.topic.name, self.lane

    @property
    def is_apart(self) -> bool:
        """Whether its lane is its own, so that nothing queues behind it."""
        return self.lane.startswith(_APART)

    @property
    def is_sound(self) -> bool:
        """Whether a handler may have it."""
        return self.failure is None

    def failed(self, failure: Rejected, attempts: int = 1) -> "Arrival":
        """The same record, given up for `failure`."""
        return self._replace(failure=failure, attempts=attempts)

    def apart(self) -> "Arrival":
        """The same record in a lane of its own."""
        return self._replace(lane=own_lane(self.record))


def own_lane(record: Record) -> bytes:
    """A lane that no key can have: it begins with a zero byte and names the record's place."""
    return _APART + "/".join(map(str, record.place)).encode()


def arrive(codec: Codec, records: Sequence[Record]) -> list[Arrival]:
    """Decode and identify `records`; what is wrong with one is kept with it. Raises `Transient`."""
    return [_arrive(codec, record) for record in records]


def _arrive(codec: Codec, record: Record) -> Arrival:
    topic = record.topic
    if not record.key:
        missing = Undecodable("key-missing", f"a record of {topic.name} needs its key: {topic.key}")
        return Arrival(record, own_lane(record), failure=missing)
    lane = index_key(record.key)
    try:
        event, content = _event(codec, record)
        wanted = key_of(topic, event)
        if record.key != wanted.encode():
            raise Invalid(
                "key-mismatch",
                "the record's key is not the one its value asks for",
                key=record.key.decode("utf-8", "replace"),
                wanted=wanted,
            )
    except Rejected as failure:
        return _named(Arrival(record, lane), failure).failed(failure)
    revision = getattr(event, topic.revision) if topic.revision else None
    identity = _message_id(record, event)
    return Arrival(record, lane, event, identity, content, revision)


def _named(arrival: Arrival, failure: Rejected) -> Arrival:
    """Whose fact this is, where an invalid value still says so: its mended version finds it."""
    topic, fields = arrival.record.topic, getattr(failure, "plain", None)
    if fields is None:
        return arrival
    revision = fields[topic.revision] if topic.revision else None
    return arrival._replace(message_id=message_id_of_fields(topic, fields), revision=revision)


def _event(codec: Codec, record: Record) -> tuple[Event, bytes]:
    if record.value is not None:
        return codec.read(record.topic, record.value)
    if record.topic.tombstones and record.key:
        erased = Contact.erased(record.key.decode())
        return erased, fingerprint(erased)
    raise Undecodable("value-missing", f"{record.topic.name} knows no record without a value")


def _message_id(record: Record, event: Event) -> UUID:
    if record.value is None:
        return cause_id("tombstone", record.topic.name, record.key)
    return message_id(record.topic, event)


def headers_json(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """Headers as JSON text: [name, value in latin-1 or null], in order, duplicates kept."""
    return json.dumps([[n, None if v is None else v.decode("latin-1")] for n, v in headers])


def headers_from(text: str) -> Headers:
    """The headers that `headers_json` wrote."""
    return tuple((n, None if v is None else v.encode("latin-1")) for n, v in json.loads(text))


def header_in(headers: Headers, name: str) -> str | None:
    """The text of the first header `name`, whatever its bytes are; None where there is none."""
    for known, value in headers:
        if known == name and value is not None:
            return value.decode("utf-8", "replace")
    return None


def ce_time(record: Record) -> datetime | None:
    """When the event was emitted, UTC, as its header says; None where it says nothing sensible."""
    try:
        at = datetime.fromisoformat(record.header("ce_time") or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
