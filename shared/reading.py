"""Topics read from given offsets to their ends, outside any group: for checks, tools and tests."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from shared import kafka
from shared.errors import Transient
from shared.settings import Settings

Place = tuple[str, int]
"""A topic's partition."""

_SILENCE_MAX: Final = 150
"""So many empty polls of 0.2 s in a row mean that the broker has stopped answering."""


@contextmanager
def reader(settings: Settings, role: str) -> Iterator[Consumer]:
    """A consumer of `role` that reads what is committed, and leaves no trace."""
    consumer = Consumer(kafka.reader(settings, role))
    try:
        yield consumer
    finally:
        consumer.close()


def partitions(settings: Settings, role: str, topics: Collection[str]) -> list[Place]:
    """The partitions of `topics`; a topic that does not exist has none. Raises `Unreachable`."""
    present = kafka.present(settings, AdminClient(kafka.client(settings, role)), topics)
    return [(name, n) for name, topic in present.items() for n in topic.partitions]


def read_on(consumer: Consumer, starts: Mapping[Place, int]) -> Iterator[Message]:
    """The records from `starts` on, each partition in order, until each has told its end.

    Where the first of them are no longer there, from the first that is. Raises `Transient` when
    the broker stops answering.
    """
    consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
    to_read, silence = set(starts), 0
    while to_read:
        batch = consumer.consume(2000, 0.2)
        silence = 0 if batch else silence + 1
        if silence > _SILENCE_MAX:
            raise Transient("kafka", "the broker stopped answering before the topics were read")
        for message in batch:
            error = message.error()
            if error is None:
                yield message
            elif error.code() == kafka.PARTITION_EOF:
                to_read.discard(place_of(message))
            elif not error.retriable():
                raise Transient("kafka", f"the topics cannot be read: {error}")


def place_of(message: Message) -> Place:
    """The partition in which `message` stands."""
    return str(message.topic()), message.partition() or 0
