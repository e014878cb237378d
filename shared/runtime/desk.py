"""Workers: effects outside the database, each in a thread with a transaction per portion."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from shared import outbox
from shared.clock import Clock
from shared.codec.codec import Codec
from shared.events.base import Event
from shared.runtime.patience import PatientThread
from shared.runtime.service import ServiceSpec, Worker
from shared.settings import Settings


class _Unit:
    def __init__(self, spec: ServiceSpec, connection: Connection, now: datetime) -> None:
        self.store: Any = spec.store(connection)
        self.now = now
        self.events: list[Event] = []

    def emit(self, *events: Event) -> None:
        self.events += events


class RuntimeDesk:
    """The desk of a running service: transactions that end in its outbox."""

    def __init__(
        self, spec: ServiceSpec, settings: Settings, clock: Clock, engine: Engine, codec: Codec
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._spec, self._engine, self._codec = spec, engine, codec

    @contextmanager
    def begin(self) -> Iterator[_Unit]:
        """A transaction; what it emits is published when it has committed."""
        with self._engine.begin() as connection:
            unit = _Unit(self._spec, connection, self.clock.now())
            yield unit
            unit.store.flush()
            name = self._spec.name
            records = [outbox.outgoing(self._codec, e, name, None) for e in unit.events]
            outbox.write(connection, records)


class WorkerThread(PatientThread):
    """Runs one worker until stopped, portion after portion."""

    def __init__(self, worker: Worker, desk: RuntimeDesk, service: str) -> None:
        super().__init__(service, worker.name)
        self._worker, self._desk = worker, desk

    def _turn(self) -> None:
        done = self._worker.run(self._desk)
        self._works()
        if not done:
            self._stop_asked.wait(self._worker.rest_s)
