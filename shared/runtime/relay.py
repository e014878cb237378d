"""The relay: publishes the outbox in order, one leader per service, in Kafka transactions.

Rows are read by id with no cursor (a cursor loses rows that commit late), published in one Kafka
transaction, then deleted. A crash in between publishes them again, in the same order; readers know
them by their message id. Leadership is an advisory lock on the connection that deletes.
"""

import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from confluent_kafka import KafkaError, KafkaException, Producer
from sqlalchemy.engine import make_url

from shared import kafka
from shared.clock import monotonic, system_now
from shared.db import RELAY_IDLE_SESSION_MS
from shared.logging import logger
from shared.metrics import (
    OUTBOX_PUBLISH_LATENCY,
    OUTBOX_RELAY_FENCED,
    OUTBOX_RELAY_IS_LEADER,
)
from shared.retry import Backoff
from shared.runtime.records import headers_from
from shared.settings import Settings
from shared.topology import SERVICE

_ROWS_MAX = 1000
_REST_S = 0.5
_KAFKA_TIMEOUT_S = 10.0
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})

_LEAD = "SELECT pg_try_advisory_lock(hashtextextended('relay/' || current_schema(), 0))"
_NEXT = (
    "SELECT id, topic, key, value, headers, created_at FROM outbox"
    " WHERE quarantined IS NULL ORDER BY id LIMIT %s"
)
_DELETE = "DELETE FROM outbox WHERE id = ANY(%s)"
_QUARANTINE = "UPDATE outbox SET quarantined = %s WHERE id = %s"


class _TooLarge(Exception):
    def __init__(self, row_id: int, reason: str) -> None:
        super().__init__(reason)
        self.row_id = row_id


class Relay(threading.Thread):
    """Publishes the outbox of one service while this instance leads."""

    def __init__(self, settings: Settings, service: str) -> None:
        super().__init__(name=f"relay-{service}", daemon=True)
        self._settings = settings
        self._service = service
        self._stop_asked = threading.Event()
        self._log = logger(part="relay")
        self.is_leader = False
        self.heartbeat_at = monotonic()

    def stop(self) -> None:
        """Publish what is there, then end."""
        self._stop_asked.set()

    def run(self) -> None:
        """Lead or stand by until stopped; whatever breaks is set up anew after a rest."""
        backoff = Backoff()
        while not self._stop_asked.is_set():
            try:
                self._session(backoff)
            except (psycopg.Error, KafkaException) as error:
                self._log.warning("relay rests", error=str(error)[:500])
                if isinstance(error, KafkaException) and _is_fenced(error):
                    OUTBOX_RELAY_FENCED.labels(self._service).inc()
                self._lead(leads=False)
                self._stop_asked.wait(backoff.next_s())

    def _session(self, backoff: Backoff) -> None:
        url = make_url(self._settings.role_url(SERVICE[self._service].role))
        with psycopg.connect(
            url.render_as_string(hide_password=False),
            autocommit=True,
            options=f"-c idle_session_timeout={RELAY_IDLE_SESSION_MS}",
            application_name=f"relay-{self._service}",
        ) as connection:
            self._stand_by(connection)
            if self._stop_asked.is_set():
                return
            producer = Producer(kafka.relay_producer(self._settings, self._service))
            producer.init_transactions(_KAFKA_TIMEOUT_S)
            connection.execute(f"LISTEN outbox_{self._service}")
            self._lead(leads=True)
            while self._publish(connection, producer) or not self._stop_asked.is_set():
                backoff.reset()
            self._lead(leads=False)

    def _stand_by(self, connection: "psycopg.Connection[Any]") -> None:
        while not self._stop_asked.is_set():
            self.heartbeat_at = monotonic()
            row = connection.execute(_LEAD).fetchone()
            if row is not None and row[0]:
                return
            self._stop_asked.wait(_REST_S)

    def _publish(self, connection: "psycopg.Connection[Any]", producer: Producer) -> bool:
        """Publish one portion; False after a rest in which nothing came."""
        self.heartbeat_at = monotonic()
        rows = connection.execute(_NEXT, (_ROWS_MAX,)).fetchall()
        if not rows:
            if not self._stop_asked.is_set():
                list(connection.notifies(timeout=_REST_S, stop_after=1))
            return False
        try:
            _send(producer, rows)
        except _TooLarge as refused:
            self._log.error("record too large", outbox_id=refused.row_id, reason=str(refused))
            connection.execute(_QUARANTINE, (str(refused), refused.row_id))
            return True
        connection.execute(_DELETE, ([row[0] for row in rows],))
        now = system_now()
        for row in rows:
            OUTBOX_PUBLISH_LATENCY.labels(self._service).observe((now - row[5]).total_seconds())
        return True

    def _lead(self, *, leads: bool) -> None:
        self.is_leader = leads
        OUTBOX_RELAY_IS_LEADER.labels(self._service).set(leads)


def _send(producer: Producer, rows: Sequence[Any]) -> None:
    """One Kafka transaction over `rows`, in order; `_TooLarge` names the row that is refused."""
    refused: list[tuple[int, KafkaError]] = []
    producer.begin_transaction()
    try:
        for row_id, topic, key, value, headers, _ in rows:
            _produce(producer, row_id, topic, key, value, headers, refused)
        producer.flush(_KAFKA_TIMEOUT_S)
        if refused:
            raise KafkaException(refused[0][1])
        producer.commit_transaction(_KAFKA_TIMEOUT_S)
    except KafkaException as error:
        producer.abort_transaction(_KAFKA_TIMEOUT_S)
        for row_id, cause in refused:
            if cause.code() in _TOO_LARGE:
                raise _TooLarge(row_id, cause.str()) from error
        raise


def _produce(  # noqa: PLR0917 - a record and where to note its refusal
    producer: Producer,
    row_id: int,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: str,
    refused: list[tuple[int, KafkaError]],
) -> None:
    def acknowledged(error: KafkaError | None, _: object) -> None:
        if error is not None:
            refused.append((row_id, error))

    while True:
        try:
            producer.produce(
                topic, value, key, headers=list(headers_from(headers)), on_delivery=acknowledged
            )
        except BufferError:
            producer.poll(0.1)
        except KafkaException as error:
            refused.append((row_id, error.args[0]))
            raise
        else:
            return


def _is_fenced(error: KafkaException) -> bool:
    cause = error.args[0]
    return isinstance(cause, KafkaError) and cause.code() in kafka.FENCED
