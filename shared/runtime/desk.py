"""Workers: effects outside the database, each in a thread with a transaction per portion."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from shared import outbox
from shared.clock import Clock
from shared.codec.codec import Codec
from shared.errors import headline
from shared.events.base import Event
from shared.logging import logger
from shared.metrics import CONSUMER_RETRIES
from shared.retry import Backoff, transient_reason
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


class WorkerThread(threading.Thread):
    """Runs one worker until stopped; when the world is not ready, it rests and tries again."""

    def __init__(self, worker: Worker, desk: RuntimeDesk, service: str) -> None:
        super().__init__(name=f"{service}-{worker.name}", daemon=True)
        self._worker, self._desk, self._service = worker, desk, service
        self._stop_asked = threading.Event()
        self._log = logger(worker=worker.name)
        self.failure: Exception | None = None

    def stop(self) -> None:
        """End after the portion in hand."""
        self._stop_asked.set()

    def run(self) -> None:
        """Portion after portion; a bug is logged, counted and tried again, more and more slowly."""
        backoff = Backoff(longest_s=60.0)
        while not self._stop_asked.is_set():
            try:
                done = self._worker.run(self._desk)
            except Exception as error:  # noqa: BLE001 -- logged, counted, tried again
                reason = transient_reason(error)
                CONSUMER_RETRIES.labels(self._service, reason or "worker-bug").inc()
                if reason is None:
                    self._log.error("worker failed", exc_info=error)
                else:
                    self._log.warning("worker rests", reason=reason, error=headline(error))
                self.failure = error
                self._stop_asked.wait(backoff.next_s())
            else:
                self.failure = None
                backoff.reset()
                if not done:
                    self._stop_asked.wait(self._worker.rest_s)
