"""Kafka's view: where the topics end, and what the groups have committed.

A consumer per group asks for its commits, because the admin client's call for it crashes the
process while the group's coordinator is moving (librdkafka issue 5040).
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Final

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.auditor.domain.status import Ends, Place
from shared import kafka
from shared.clock import monotonic
from shared.db import AUDITOR
from shared.settings import Settings

_TIMEOUT_S: Final = 10.0
_COORDINATOR_S: Final = 3.0
"""So long a broker that has just started may take to know its groups."""


def read_ends(settings: Settings, topics: Mapping[str, Sequence[str]]) -> Ends:
    """The end of every partition of `topics`, by group, and the offsets that each has committed.

    A topic that does not exist has no partitions, a group that never committed no offsets. Raises
    `Unreachable` when the broker does not answer.
    """
    admin = AdminClient(kafka.client(settings, AUDITOR))
    wanted = {name for names in topics.values() for name in names}
    present = kafka.present(settings, admin, wanted)
    places = {
        group: [
            Place(name, n) for name in names if name in present for n in present[name].partitions
        ]
        for group, names in topics.items()
    }
    ends, unknown = _ends(admin, {place for each in places.values() for place in each})
    with ThreadPoolExecutor(len(places)) as pool:
        answers = pool.map(lambda group: _committed(settings, group, places[group]), places)
        committed = dict(zip(places, answers, strict=True))
    return Ends(ends, committed, unknown)


def _ends(admin: AdminClient, places: Iterable[Place]) -> tuple[dict[Place, int], frozenset[Place]]:
    """The ends, and the partitions that tell none at this moment (they are changing leaders)."""
    asked = [TopicPartition(*place) for place in places]
    if not asked:
        return {}, frozenset()
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    answers = admin.list_offsets(
        dict.fromkeys(asked, latest),
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


def _committed(settings: Settings, group: str, places: Sequence[Place]) -> dict[Place, int]:
    """What `group` has committed; nothing where its coordinator cannot be asked."""
    consumer = Consumer(
        kafka.client(settings, AUDITOR) | {"group.id": group, "enable.auto.commit": False}
    )
    asked = [TopicPartition(*place) for place in places]
    deadline, rest = monotonic() + _COORDINATOR_S, Event()
    try:
        while True:
            try:
                answers = consumer.committed(asked, timeout=_COORDINATOR_S) if asked else []
            except KafkaException:
                if monotonic() > deadline:
                    return {}
                rest.wait(0.2)
            else:
                return {Place(p.topic, p.partition): p.offset for p in answers if p.offset >= 0}
    finally:
        consumer.close()
