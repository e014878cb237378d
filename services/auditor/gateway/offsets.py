"""Kafka's view: where the topics end, and what the groups have committed."""

from collections.abc import Iterable

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.auditor.domain.status import Ends, Place
from shared import kafka
from shared.errors import Transient
from shared.settings import Settings

_TIMEOUT_S = 10.0


def read_ends(settings: Settings, groups: Iterable[str], topics: Iterable[str]) -> Ends:
    """The committed end of every partition of `topics`, and the offsets committed by `groups`.

    A topic that does not exist has no partitions, a group that never committed no offsets. Raises
    `Transient` when the broker does not answer.
    """
    admin = AdminClient(kafka.client(settings))
    names = tuple(groups)
    asked = {
        name: admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(name)], request_timeout=_TIMEOUT_S
        )[name]
        for name in names
    }
    try:
        present = admin.list_topics(timeout=_TIMEOUT_S).topics
    except KafkaException as error:
        raise Transient("kafka", f"the broker does not answer: {error}") from error
    places = [
        TopicPartition(topic, number)
        for topic in topics
        if topic in present
        for number in present[topic].partitions
    ]
    ends, unknown = _ends(admin, places)
    committed = {}
    for name, answer in asked.items():
        try:
            offsets = answer.result().topic_partitions
        except KafkaException:
            offsets = []  # the group is not known yet
        committed[name] = {Place(p.topic, p.partition): p.offset for p in offsets if p.offset >= 0}
    return Ends(ends, committed, unknown)


def _ends(
    admin: AdminClient, places: list[TopicPartition]
) -> tuple[dict[Place, int], frozenset[Place]]:
    """The ends, and the partitions that tell none at this moment (they are changing leaders)."""
    if not places:
        return {}, frozenset()
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    answers = admin.list_offsets(
        dict.fromkeys(places, latest),
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=_TIMEOUT_S,
    )
    found: dict[Place, int] = {}
    unknown: set[Place] = set()
    for answered, answer in answers.items():
        place = Place(answered.topic, answered.partition)
        try:
            found[place] = answer.result().offset
        except KafkaException:
            unknown.add(place)
    return found, frozenset(unknown)
