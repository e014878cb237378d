"""The echo service on real servers: in this process, step by step, or as processes to kill."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from sqlalchemy import text

from shared import db, kafka
from shared.clock import Clock, SystemClock, monotonic
from shared.codec.codec import Codec
from shared.db import OWNER
from shared.dead_letters import DeadLetter, Filter, find_in
from shared.events.base import Event
from shared.identity import key_of, topic_of
from shared.local.environment import local_settings
from shared.migrate import bring_up
from shared.producer import publish
from shared.runtime.loop import ConsumerLoop
from shared.runtime.relay import Relay
from shared.settings import Settings
from shared.testing import read_topic, scratch_database
from shared.topology import BY_NAME
from tests.integration.runtime.echo import DECIDED, POLICIES, REQUESTED, SPEC
from tests.integration.servers import servers

DEAD_LETTERS = tuple(BY_NAME[name].dead_letters(SPEC.name) for name in (REQUESTED, POLICIES))
LIMIT_S = 30.0


class Echo:
    """The echo service's database and topics, and one instance of it in this process."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.engine = db.engine(settings, "colophon_approver")
        self._owner = db.engine(settings, OWNER, search_path=SPEC.name)
        self._loop: ConsumerLoop | None = None
        self._relay: Relay | None = None

    @property
    def loop(self) -> ConsumerLoop:
        """The instance in this process, made when first asked for."""
        if self._loop is None:
            codec = Codec()
            self._loop = ConsumerLoop(SPEC, self.settings, self.clock, self.engine, codec)
            self._relay = Relay(self.settings, SPEC.name)
            self._relay.start()
        return self._loop

    def until(self, holds: Callable[[], object], steps: Callable[[], None] | None = None) -> None:
        """Step the instance until `holds`; fails after 30 s with what the tables say."""
        step = steps or self.loop.step
        deadline = monotonic() + LIMIT_S
        while not holds():
            if monotonic() > deadline:
                pytest.fail(f"not in {LIMIT_S} s: {self.state()}")
            step()

    def publish(self, *events: Event) -> None:
        """Publish events, all acknowledged."""
        publish(self.settings, events, "test")

    def raw(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Publish bytes."""
        self.raws([(topic, key, value)])

    def raws(self, records: Iterable[tuple[str, bytes | None, bytes | None]]) -> None:
        """Publish bytes, at once."""
        producer = Producer(kafka.producer(self.settings))
        for topic, key, value in records:
            producer.produce(topic, value, key)
        assert producer.flush(10) == 0

    def query(self, sql: str, **parameters: object) -> Sequence[Any]:
        """Rows, under the owner's role."""
        with self._owner.begin() as connection:
            result = connection.execute(text(sql), parameters)
            return result.all() if result.returns_rows else []

    def subjects(self) -> dict[str, str]:
        """Versions by subject, in the order of their effect."""
        return {row.subject_id: row.versions for row in self.query("SELECT * FROM subject")}

    def letters(self, wanted: Filter) -> list[DeadLetter]:
        """Dead letters, as the operator sees them."""
        return find_in(self.settings, SPEC.name, wanted)

    def held(self) -> list[tuple[str, str | None]]:
        """State and reason of every held record, in order."""
        rows = self.query("SELECT state, code FROM held_record ORDER BY id")
        return [(row.state, row.code) for row in rows]

    def state(self) -> object:
        """What the tables hold, for a failure's message."""
        return self.subjects(), self.held(), self.query("SELECT count(*) FROM outbox")

    def value(self, event: Event) -> tuple[bytes, bytes]:
        """Key and value of an event as they travel."""
        return key_of(topic_of(event), event).encode(), Codec().encode(event)

    def published(self, topic: str) -> list[Any]:
        """Every committed record of `topic` in this test."""
        return read_topic(self.settings, topic)

    def close(self) -> None:
        """Stop the instance."""
        if self._loop is not None and self._relay is not None:
            self._loop.assignment.close()
            self._relay.stop()
            self._relay.join(10)
        self.engine.dispose()
        self._owner.dispose()


@pytest.fixture(scope="session", name="settings")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Servers of their own: these tests empty topics that others have made, and compact."""
    with servers(tmp_path_factory.mktemp("runtime")) as endpoints:
        yield local_settings(endpoints)


@pytest.fixture
def echo_settings(settings: Settings) -> Iterator[Settings]:
    """A database of its own with the echo service's tables, and empty topics."""
    _empty_topics(settings)
    with scratch_database(settings) as scratch:
        bring_up(scratch, [SPEC])
        yield scratch


@pytest.fixture
def echo(echo_settings: Settings) -> Iterator[Echo]:
    """The echo service, nothing consumed yet."""
    made = Echo(echo_settings)
    yield made
    made.close()


def _empty_topics(settings: Settings) -> None:
    """Create the topics, or delete what earlier tests left in them."""
    admin = AdminClient(kafka.client(settings))
    names = (REQUESTED, DECIDED, POLICIES, *DEAD_LETTERS)
    for made in admin.create_topics(
        [NewTopic(name, 3, 1, config={"max.message.bytes": "1114112"}) for name in names]
    ).values():
        with suppress(KafkaException):
            made.result()
    ends = [TopicPartition(name, partition, -1) for name in names for partition in range(3)]
    deadline = monotonic() + LIMIT_S
    while ends and monotonic() < deadline:
        answers = admin.delete_records(ends)
        ends = [place for place, deleted in answers.items() if deleted.exception(10)]
    assert not ends, f"no leader for {ends}"
