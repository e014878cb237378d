"""What tests use to run services against real servers, in databases of their own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from confluent_kafka import OFFSET_BEGINNING, Message
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, event, text

from shared import db, reading
from shared.clock import Clock, SystemClock
from shared.db import AUDITOR, OWNER
from shared.events.base import Event
from shared.ids import cause_id
from shared.migrate import bring_up
from shared.runtime.service import ServiceSpec
from shared.settings import Settings
from shared.store import Store
from shared.topology import SERVICE


@contextmanager
def scratch_database(settings: Settings) -> Iterator[Settings]:
    """A new, empty database on the same server; dropped at the end."""
    admin = db.engine(settings, OWNER)
    server = admin.execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        stamp = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        name = f"scratch_{cause_id('scratch', stamp, id(settings)).hex[:16]}"
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = urlsplit(settings.database_url.get_secret_value())
    moved = urlunsplit(url._replace(path=f"/{name}"))
    try:
        yield settings.model_copy(update={"database_url": SecretStr(moved)})
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


@dataclass
class _Unit:
    """A unit of work that keeps what it emits."""

    store: Any
    now: datetime
    events: list[Event] = field(default_factory=list)

    def emit(self, *events: Event) -> None:
        """Keep `events`."""
        self.events += events


class ServiceHarness:
    """One service on a migrated database, under its own role, without Kafka.

    `apply` does what the runtime does with a batch in which nothing fails: prefetch, handlers in
    order, flush, commit; it raises the first `Rejected` or `WaitFor` with nothing written.
    """

    def __init__(self, spec: ServiceSpec, settings: Settings, clock: Clock | None = None) -> None:
        self.spec = spec.bound(settings)
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.statements = 0
        self.emitted: list[Event] = []
        self._engine = db.engine(settings, SERVICE[spec.name].role)
        self._auditor = db.engine(settings, AUDITOR, search_path=spec.name)
        event.listen(self._engine, "before_cursor_execute", self._count)

    def apply(self, *events: Event) -> list[Event]:
        """Handle `events` as one batch; `statements` then holds how many statements it took."""
        self.statements = 0
        with self._engine.begin() as connection:
            store = self.spec.store(connection)
            store.prefetch(events)
            now = self.clock.now()
            emitted = [out for each in events for out in self._handle(each, store, now)]
            store.flush()
        return emitted

    def tick(self, name: str) -> list[Event]:
        """Run the tick `name` once, in its own transaction, and return what it emits."""
        self.statements = 0
        tick = next(tick for tick in self.spec.ticks if tick.name == name)
        with self._engine.begin() as connection:
            store = self.spec.store(connection)
            emitted = list(tick.run(store, self.clock.now()))
            store.flush()
        return emitted

    def work(self, name: str) -> int:
        """Run one portion of the worker `name`; `emitted` then holds what it emitted."""
        self.statements = 0
        self.emitted = []
        worker = next(worker for worker in self.spec.workers if worker.name == name)
        return worker.run(self)

    @contextmanager
    def begin(self) -> Iterator[_Unit]:
        """A unit of work, as a worker sees it."""
        with self._engine.begin() as connection:
            store = self.spec.store(connection)
            unit = _Unit(store, self.clock.now())
            yield unit
            store.flush()
        self.emitted += unit.events

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection of the auditor, to look at the tables."""
        with self._auditor.connect() as connection:
            yield connection

    def query(self, sql: str, **parameters: object) -> Sequence[Any]:
        """The rows of a query under the auditor's role."""
        with self.connection() as connection:
            return connection.execute(text(sql), parameters).all()

    @property
    def engine(self) -> Engine:
        """The engine of the service's role, for tests of rights and of concurrency."""
        return self._engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine.dispose()
        self._auditor.dispose()

    def _handle(self, each: Event, store: Store, now: datetime) -> list[Event]:
        store.begin()
        return list(self.spec.handlers[type(each)](each, store, now))

    def _count(self, *_: object) -> None:
        self.statements += 1


@contextmanager
def service_harness(
    spec: ServiceSpec, settings: Settings, clock: Clock | None = None
) -> Iterator[ServiceHarness]:
    """A harness on a database of its own, migrated by the service's real migrations."""
    with scratch_database(settings) as scratch:
        bring_up(scratch, [spec])
        with ServiceHarness(spec, scratch, clock) as harness:
            yield harness


def read_topic(settings: Settings, topic: str) -> list[Message]:
    """Every committed record that `topic` holds now, partition by partition, each in order."""
    with reading.reader(settings, AUDITOR) as consumer:
        starts = dict.fromkeys(reading.partitions(settings, AUDITOR, [topic]), OFFSET_BEGINNING)
        found = list(reading.read_on(consumer, starts))
    return sorted(found, key=lambda message: (message.partition() or 0, message.offset() or 0))
