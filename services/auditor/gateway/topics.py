"""Every record of every topic, once, as a stream: decoded and identified, nothing kept."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import quote

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from services.auditor.domain.facts import Fields, Seen
from services.auditor.gateway.avro import Decoder, Unreadable
from shared import kafka
from shared.codec.registry import registry_from
from shared.errors import Transient
from shared.ids import cause_id
from shared.settings import Settings
from shared.topology import BY_NAME, Topic

_TIMEOUT_S: Final = 10.0
_SILENCE_MAX: Final = 150
"""So many empty polls of 0.2 s in a row mean that the broker has stopped answering."""


def read_topics(settings: Settings, wanted: Mapping[str, Fields]) -> Iterator[Seen]:
    """Every committed record that the topics of `wanted` hold now; each partition in order.

    A topic that does not exist has none. Raises `Transient` when the broker does not answer.
    """
    decoder = Decoder(wanted, registry_from(settings))
    consumer = Consumer(kafka.reader(settings) | {"fetch.wait.max.ms": 10})
    try:
        places = _partitions(consumer, wanted)
        consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in places])
        for message in _messages(consumer, set(places)):
            yield seen(decoder, message)
    finally:
        consumer.close()


def whole_values(
    settings: Settings, places: Iterable[tuple[str, int, int]]
) -> Iterator[tuple[tuple[str, int, int], Any]]:
    """All fields of the records at `places` (topic, partition, offset); None where unreadable."""
    decoder = Decoder({}, registry_from(settings))
    consumer = Consumer(kafka.reader(settings))
    try:
        for place in places:
            consumer.assign([TopicPartition(*place)])
            message = next(_messages(consumer, {place[:2]}))
            try:
                yield place, decoder.whole(place[0], _bytes(message.value()) or b"")
            except Unreadable:
                yield place, None
    finally:
        consumer.close()


def seen(decoder: Decoder, message: Message) -> Seen:
    """One record as the checks see it."""
    topic = BY_NAME[str(message.topic())]
    key, value = _bytes(message.key()), _bytes(message.value())
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
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        at_ms=message.timestamp()[1],
        message_id=None if problem else identity,
        digest=blake2b(value or b"", digest_size=12).digest(),
        fields=fields,
        problem=problem,
    )


def _key_of(topic: Topic, fields: Fields) -> bytes:
    quoted = {
        name: quote(str(value), safe="") for name, value in fields.items() if name in topic.key
    }
    return topic.key.format(**quoted).encode()


def _partitions(consumer: Consumer, topics: Iterable[str]) -> list[tuple[str, int]]:
    try:
        present = consumer.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as error:
        raise Transient("kafka", f"the broker does not answer: {error}") from error
    return [
        (topic, number)
        for topic in topics
        if topic in present
        for number in present[topic].partitions
    ]


def _messages(consumer: Consumer, to_read: set[tuple[str, int]]) -> Iterator[Message]:
    """What the assigned partitions hold, until each partition of `to_read` has told its end."""
    silence = 0
    while to_read:
        batch = consumer.consume(2000, 0.2)
        silence = 0 if batch else silence + 1
        if silence > _SILENCE_MAX:
            raise Transient("kafka", "the broker stopped answering before the topics were read")
        for message in batch:
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                to_read.discard((str(message.topic()), message.partition() or 0))
            elif not error.retriable():
                raise Transient("kafka", f"the topics cannot be read: {error}")


def _bytes(raw: str | bytes | None) -> bytes | None:
    return raw.encode() if isinstance(raw, str) else raw
