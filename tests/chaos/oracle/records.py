"""The records of all topics, in the order in which they stand, decoded from the schemas alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from uuid import UUID

from confluent_kafka import Message
from pydantic import ValidationError

from services.auditor.gateway.avro import Decoder, Unreadable
from shared.events.base import Event
from shared.ids import cause_id, record_key
from shared.settings import Settings
from shared.testing import read_topic
from shared.topology import BY_NAME, TOPICS

ORDER = "chaos-no"
"""The header that tells the order of the input over all topics."""


@dataclass(frozen=True)
class Rec:
    """A record. `event` is None where the value is none of its topic; `no` tells its turn."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    event: Event | None
    no: int = 0

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition, offset."""
        return self.topic, self.partition, self.offset

    @property
    def identity(self) -> UUID:
        """What makes the fact unique: the topic and its business key."""
        names = BY_NAME[self.topic].business_key
        return cause_id(self.topic, *(getattr(self.event, name) for name in names))


Topics = Mapping[str, Sequence[Rec]]


def read_topics(settings: Settings) -> Topics:
    """Every committed record of every topic on the map."""
    decoder = Decoder({topic.name: {} for topic in TOPICS}, None)
    return {
        topic.name: [_record(decoder, message) for message in read_topic(settings, topic.name)]
        for topic in TOPICS
    }


def in_turn(topics: Topics, names: Iterable[str]) -> list[Rec]:
    """The records of these topics: the input by its turn, then the rest as it stands."""
    records = [rec for name in names for rec in topics[name]]
    return sorted(records, key=lambda rec: (rec.no == 0, rec.no))


def key_of(event: Event, template: str) -> bytes:
    """The key under which `event` must stand, as the map says."""
    names = [name for _, name, _, _ in Formatter().parse(template) if name]
    return template.format(**{name: record_key(getattr(event, name)) for name in names}).encode()


def _record(decoder: Decoder, message: Message) -> Rec:
    name, value = str(message.topic()), message.value()
    headers = dict(message.headers() or ())
    said = headers.get(ORDER)
    return Rec(
        topic=name,
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=message.key(),
        value=value,
        event=None if value is None else _event(decoder, name, value),
        no=int(said) if said else 0,
    )


def _event(decoder: Decoder, topic: str, value: bytes) -> Event | None:
    model = BY_NAME[topic].event
    try:
        return model.model_validate(decoder.whole(topic, value), strict=False)
    except (Unreadable, ValidationError):
        return None
