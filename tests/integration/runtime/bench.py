"""One instance of the echo service in this process, driven step by step, and a look around it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import pytest
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from sqlalchemy import text

from shared import db, kafka
from shared.clock import Clock, SystemClock, monotonic
from shared.codec.codec import Codec
from shared.codec.registry import registry_from
from shared.db import OWNER
from shared.dead_letters import DeadLetter, Filter, find_in
from shared.events.base import Event
from shared.identity import key_of, topic_of
from shared.metrics import REGISTRY
from shared.runtime.fence import Partition
from shared.runtime.loop import ConsumerLoop
from shared.runtime.relay import Relay
from shared.settings import Settings
from shared.testing import read_topic
from shared.topology import consumed_by
from tests.integration.runtime.echo import SPEC

LIMIT_S = 60.0


class Echo:
    """The echo service's database and topics, and one instance of it in this process."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.engine = db.engine(settings, "colophon_approver")
        self._owner = db.engine(settings, OWNER, search_path=SPEC.name)
        self.codec = Codec(registry_from(settings))
        self._loop: ConsumerLoop | None = None
        self._relay: Relay | None = None

    @property
    def loop(self) -> ConsumerLoop:
        """The instance in this process, made when first asked for."""
        if self._loop is None:
            self._loop = ConsumerLoop(SPEC, self.settings, self.clock, self.engine, self.codec)
            self.start_relay()
        return self._loop

    def start_relay(self) -> None:
        """Publish what the instance writes; it does so unless told to stop."""
        self._relay = Relay(self.settings, SPEC.name)
        self._relay.start()

    def stop_relay(self) -> None:
        """Publish no more."""
        if self._relay is not None:
            self._relay.stop()
            self._relay.join(LIMIT_S)
            assert not self._relay.is_alive(), f"the relay has not ended in {LIMIT_S} s"

    def until(self, holds: Callable[[], object], *others: "Echo") -> None:
        """Step this instance (and others) until `holds`; fails with what the tables say."""
        deadline = monotonic() + LIMIT_S
        while not holds():
            if monotonic() > deadline:
                pytest.fail(f"not in {LIMIT_S} s: {self.state()}")
            for instance in (self, *others):
                instance.loop.step()

    def hurry(self) -> None:
        """Let every chore be due now."""
        for chore in self.loop.chores._chores:
            chore.due_at = 0.0

    def joined(self) -> "Echo":
        """This instance once it has every partition that Kafka gives it."""
        self.until(lambda: self.loop.assignment.is_claimed)
        return self

    def gather(self, count: int) -> None:
        """Have the next step find `count` records in hand: one batch."""
        intake, deadline = self.joined().loop._intake, monotonic() + LIMIT_S
        while sum(message.error() is None for message in intake._stash) < count:
            assert monotonic() < deadline, f"{len(intake._stash)} messages of {count}"
            intake.poll(0.1)

    def publish(self, *events: Event) -> None:
        """Publish events, all acknowledged."""
        self.raws((topic_of(event).name, *self.value(event)) for event in events)

    def raw(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Publish bytes."""
        self.raws([(topic, key, value)])

    def raws(
        self, records: Iterable[tuple[str, bytes | None, bytes | None]], partition: int = -1
    ) -> None:
        """Publish bytes, at once; where the keys belong, or all to one partition."""
        producer = _client(self.settings, Producer)
        for topic, key, value in records:
            producer.produce(topic, value, key, partition=partition)
        assert producer.flush(10) == 0

    def query(self, sql: str, **parameters: object) -> Sequence[Any]:
        """Rows, under the owner's role."""
        with self._owner.begin() as connection:
            result = connection.execute(text(sql), parameters)
            return result.all() if result.returns_rows else []

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.query(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 -- of a test

    def terminate(self, *pids: int) -> None:
        """Cut the connections of these backends."""
        self.query("SELECT pg_terminate_backend(p) FROM unnest(CAST(:p AS int[])) p", p=list(pids))

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
        return self.subjects(), self.held(), self.count("outbox")

    def value(self, event: Event) -> tuple[bytes, bytes]:
        """Key and value of an event as they travel."""
        return key_of(topic_of(event), event).encode(), self.codec.encode(event)

    def published(self, topic: str) -> list[Any]:
        """Every committed record of `topic`; one whose commit is under way is waited for.

        The coordinator answers a commit before it has told the partitions.
        """
        deadline = monotonic() + LIMIT_S
        while self._ends([topic]) != self._ends([topic], IsolationLevel.READ_COMMITTED):
            assert monotonic() < deadline, f"a transaction stays open in {topic}"
        return read_topic(self.settings, topic)

    def ends(self) -> dict[Partition, int]:
        """The end of every partition that the service consumes."""
        return self._ends([topic.name for topic in consumed_by(SPEC.name)])

    def _ends(
        self, names: Sequence[str], isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[Partition, int]:
        client = admin(self.settings)
        topics = client.describe_topics(TopicCollection(list(names)))
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {
            TopicPartition(name, partition.id): latest
            for name, topic in topics.items()
            for partition in topic.result().partitions
        }
        answers = client.list_offsets(asked, isolation_level=isolation).items()
        return {(place.topic, place.partition): end.result().offset for place, end in answers}

    def reached(self) -> dict[Partition, int]:
        """Where the service goes on, says the database."""
        rows = self.query("SELECT topic, partition, next_offset FROM consumer_offset")
        return {(row.topic, row.partition): row.next_offset for row in rows}

    def owners(self) -> set[int]:
        """The processes that have claimed partitions, each by its id."""
        rows = self.query("SELECT DISTINCT owner FROM consumer_offset")
        return {int(row.owner.rpartition(":")[2]) for row in rows}

    def committed(self) -> dict[Partition, int]:
        """Where it goes on, says Kafka."""
        asked = [ConsumerGroupTopicPartitions(SPEC.name)]
        (answer,) = admin(self.settings).list_consumer_group_offsets(asked).values()
        return {(p.topic, p.partition): p.offset for p in answer.result().topic_partitions}

    def members(self) -> int:
        """How many members the group has, says Kafka."""
        (answer,) = admin(self.settings).describe_consumer_groups([SPEC.name]).values()
        return len(answer.result().members)

    def is_drained(self) -> bool:
        """Whether every record has met its fate; what follows from it may still be published."""
        return self.reached() == self.ends() and not self.query("SELECT FROM held_key WHERE ready")

    def close(self) -> None:
        """Stop the instance."""
        if self._loop is not None:
            self._loop.assignment.close()
            self.stop_relay()
        self.engine.dispose()
        self._owner.dispose()


def hurried(echo: Echo, holds: Callable[[], object]) -> Callable[[], object]:
    """`holds`, with every chore due before each step."""

    def look() -> object:
        echo.hurry()
        return holds()

    return look


def admin(settings: Settings) -> AdminClient:
    """An admin client of the owner."""
    return _client(settings, AdminClient)


Client = TypeVar("Client", AdminClient, Producer)
_CLIENTS: dict[tuple[str, type], Any] = {}


def _client(settings: Settings, kind: type[Client]) -> Client:
    """One of the owner's for all tests: a new one takes half a second to introduce itself."""
    which = settings.kafka_bootstrap_servers, kind
    if which not in _CLIENTS:
        _CLIENTS[which] = kind(kafka.client(settings, OWNER))
    found: Client = _CLIENTS[which]
    return found


def metric(name: str, **labels: str) -> float:
    """The value of one sample of this process, 0 where there is none."""
    return REGISTRY.get_sample_value(f"colophon_{name}", {"service": SPEC.name, **labels}) or 0.0
