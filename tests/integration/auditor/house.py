"""Every service fed with what it consumes, as the runtime would, on one database."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, text

from services.auditor.gateway.offsets import read_ends
from services.simulator.main import logos
from shared import db, inbox
from shared.clock import OffsetClock
from shared.codec.codec import Codec, fingerprint
from shared.documents import DocumentStore
from shared.events.base import Event
from shared.identity import message_id, topic_of
from shared.inbox import Applied
from shared.producer import publish
from shared.runtime.service import ServiceSpec
from shared.settings import Settings
from shared.testing import ServiceHarness, read_topic
from shared.topology import consumed_by

PORTION = 40
OWNER = "colophon_owner"  # a role without a secret of its own: the owner of database_url


class House:
    """The services in the order of the pipeline. What goes in and comes out is on the topics."""

    def __init__(self, settings: Settings, specs: Sequence[ServiceSpec]) -> None:
        self.settings = settings
        self.clock = OffsetClock(settings.data_dir / "clock")
        self._specs = specs
        self._owners: dict[str, Engine] = {}
        self._stack = ExitStack()
        self._services: list[ServiceHarness] = []

    def __enter__(self) -> Self:
        store = DocumentStore(self.settings.documents_dir)
        for logo in logos():
            store.put(logo.content)
        for spec in self._specs:
            harness = ServiceHarness(spec, self.settings, self.clock)
            self._services.append(self._stack.enter_context(harness))
            owner = db.engine(self.settings, OWNER, search_path=spec.name)
            self._owners[spec.name] = owner
            self._stack.callback(owner.dispose)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def run(self, events: Iterable[Event]) -> None:
        """Publish `events` and work until nothing more comes of them."""
        fresh = list(events)
        while fresh:
            publish(self.settings, fresh, "test")
            fresh = [out for service in self._services for out in self._feed(service, fresh)]
            fresh = fresh or self._work()

    def advance(self, by: timedelta) -> None:
        """Let business time pass, and whatever falls due be done."""
        self.clock.advance(by)
        for service in self._services:
            for tick in service.spec.ticks:
                while emitted := service.tick(tick.name):
                    self.run(emitted)

    def settle(self) -> None:
        """Note for every service that it has read its topics to their ends."""
        for service in self._services:
            name = service.spec.name
            topics = {name: [topic.name for topic in consumed_by(name)]}
            for place, end in read_ends(self.settings, topics).end.items():
                self.execute(
                    "INSERT INTO consumer_offset VALUES (:topic, :number, :end, 1, 'test', 'id')"
                    " ON CONFLICT (topic, partition) DO UPDATE SET next_offset = :end",
                    service=name,
                    topic=place.topic,
                    number=place.partition,
                    end=end,
                )

    def mend(self, broken: Event, mended: Event) -> None:
        """Publish `broken`, which every service refuses, and replay it with `mended` instead."""
        publish(self.settings, [broken], "test")
        topic, value = topic_of(broken), Codec().encode(broken)
        records = read_topic(self.settings, topic.name)
        (place,) = [(r.partition(), r.offset()) for r in records if r.value() == value]
        for service in self._services:
            if type(mended) in service.spec.handlers:
                self.run(self._feed(service, [mended]))
                self.execute(
                    "INSERT INTO held_record (topic, lane, state, partition, position,"
                    " timestamp_ms, value, headers, message_id, code, mended_value)"
                    " VALUES (:topic, '', 'replayed', :partition, :position, 0, :value, '[]',"
                    " :message_id, 'currency-mismatch', :mended)",
                    service=service.spec.name,
                    topic=topic.name,
                    partition=place[0],
                    position=place[1],
                    value=value,
                    message_id=message_id(topic, broken),
                    mended=Codec().encode(mended),
                )

    def execute(self, sql: str, service: str = "ledger_writer", **values: object) -> int:
        """Change tables as nobody may: without triggers, without foreign keys, as the owner."""
        with self._owners[service].begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            return connection.execute(text(sql), values).rowcount

    def query(self, sql: str) -> Sequence[Any]:
        """Rows, as the owner."""
        with self._owners["ledger_writer"].connect() as connection:
            return connection.execute(text(sql)).all()

    def _feed(self, service: ServiceHarness, events: Sequence[Event]) -> list[Event]:
        """What `service` makes of those of `events` that it consumes: facts first."""
        spec = service.spec
        wanted = [event for event in events if type(event) in spec.handlers]
        wanted.sort(key=lambda event: type(event) not in spec.facts)
        emitted = []
        for start in range(0, len(wanted), PORTION):
            portion = wanted[start : start + PORTION]
            emitted += service.apply(*portion)
            self._remember(spec.name, portion)
        return emitted

    def _remember(self, service: str, events: Sequence[Event]) -> None:
        """The inbox, which the runtime would have written."""
        with self._owners[service].begin() as connection:
            rows = [
                Applied(message_id(topic_of(e), e), fingerprint(e), topic_of(e).name, 0, 0)
                for e in events
            ]
            inbox.remember(connection, rows)

    def _work(self) -> list[Event]:
        """Documents rendered, mails sent."""
        emitted: list[Event] = []
        for service in self._services:
            for worker in service.spec.workers:
                while service.work(worker.name):
                    emitted += service.emitted
        return emitted
