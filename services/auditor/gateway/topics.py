"""Every record of every topic, once, as a stream: decoded and identified, nothing kept."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from confluent_kafka import OFFSET_BEGINNING, Message

from services.auditor.domain.facts import Fields, Seen
from services.auditor.domain.held import Place
from services.auditor.gateway.avro import Decoder, Unreadable
from shared import reading
from shared.codec.registry import registry_from
from shared.db import AUDITOR
from shared.ids import cause_id
from shared.settings import Settings
from shared.topology import BY_NAME, Topic

Corrected = Mapping[Place, Mapping[str, bytes]]
"""By place and service the values that were applied in place of a record's own."""


def read_topics(
    settings: Settings, wanted: Mapping[str, Fields], corrected: Corrected
) -> Iterator[Seen]:
    """Every committed record that the topics of `wanted` hold now; each partition in order.

    Of a corrected record the value that was applied. A topic that does not exist has none. Raises
    `Transient` when the broker does not answer.
    """
    decoder = Decoder(wanted, registry_from(settings))
    with reading.reader(settings, AUDITOR) as consumer:
        starts = dict.fromkeys(reading.partitions(settings, AUDITOR, wanted), OFFSET_BEGINNING)
        for message in reading.read_on(consumer, starts):
            yield seen(decoder, message, corrected)


def whole_values(
    settings: Settings, places: Iterable[tuple[str, int, int]]
) -> Iterator[tuple[tuple[str, int, int], Any]]:
    """All fields of the records at `places` (topic, partition, offset); None where unreadable.

    What has been compacted away since it was read before is left out.
    Read in one pass, from the first of each partition on: a look at each costs 0.2 s.
    """
    decoder = Decoder({}, registry_from(settings))
    left = set(places)
    starts: dict[reading.Place, int] = {}
    for topic, partition, offset in left:
        starts[topic, partition] = min(offset, starts.get((topic, partition), offset))
    with reading.reader(settings, AUDITOR) as consumer:
        for message in reading.read_on(consumer, starts) if left else ():
            place = (*reading.place_of(message), message.offset() or 0)
            if place in left:
                left.discard(place)
                yield place, _whole(decoder, place[0], _bytes(message.value()) or b"")
            if not left:
                return


def whole_corrections(settings: Settings, corrected: Corrected) -> dict[Place, dict[str, Any]]:
    """All fields of the corrected values; None where a value is unreadable."""
    decoder = Decoder({}, registry_from(settings))
    return {
        place: {service: _whole(decoder, place[0], value) for service, value in values.items()}
        for place, values in corrected.items()
    }


def seen(decoder: Decoder, message: Message, corrected: Corrected) -> Seen:
    """One record as the checks see it: what was applied in its place, if anything was."""
    topic = BY_NAME[str(message.topic())]
    partition, offset = message.partition() or 0, message.offset() or 0
    instead = corrected.get((topic.name, partition, offset), {})
    key, value = _bytes(message.key()), next(iter(instead.values()), _bytes(message.value()))
    fields: Fields = {}
    problem, identity = None, None
    if value is None and topic.tombstones and key:
        identity = cause_id("tombstone", topic.name, key)
    else:
        try:
            fields = decoder.decode(topic.name, value or b"")
            identity = cause_id(topic.name, *(fields[name] for name in topic.business_key))
            if key != _key_of(topic, fields):
                problem = "the record's key is not its value's"
        except Unreadable as error:
            problem = str(error)
    return Seen(
        topic=topic.name,
        partition=partition,
        offset=offset,
        at_ms=message.timestamp()[1],
        message_id=None if problem else identity,
        digest=blake2b(value or b"", digest_size=12).digest(),
        fields=fields,
        problem=problem,
        mended_by=tuple(instead),
    )


def _whole(decoder: Decoder, topic: str, value: bytes) -> Any:  # noqa: ANN401 -- fields by name
    try:
        return decoder.whole(topic, value)
    except Unreadable:
        return None


def _key_of(topic: Topic, fields: Fields) -> bytes:
    quoted = {
        name: quote(str(value), safe="") for name, value in fields.items() if name in topic.key
    }
    return topic.key.format(**quoted).encode()


def _bytes(raw: str | bytes | None) -> bytes | None:
    return raw.encode() if isinstance(raw, str) else raw
