"""The relay: publishes the outbox in order, one leader per service, in Kafka transactions.

Rows are read by id with no cursor (a cursor loses rows that commit late), published in one Kafka
transaction, then deleted. A crash in between publishes them again, in the same order; readers know
them by their message id. Leadership is an advisory lock on the connection that deletes. A record
that the broker refuses for its size is set apart with its key; other keys go on, and it is tried
again now and then: the topic's limit may have been raised.
"""

from collections.abc import Container, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg
from confluent_kafka import KafkaError, KafkaException, Producer
from sqlalchemy.engine import make_url

from shared import kafka, tracing
from shared.clock import monotonic, system_now
from shared.db import CONNECT, RELAY_IDLE_SESSION_MS
from shared.errors import headline
from shared.metrics import (
    OUTBOX_PUBLISH_LATENCY,
    OUTBOX_RELAY_FENCED,
    OUTBOX_RELAY_IS_LEADER,
)
from shared.runtime import faults
from shared.runtime.faults import Point
from shared.runtime.patience import PatientThread
from shared.runtime.records import headers_from
from shared.settings import Settings
from shared.topology import SERVICE

ROWS_MAX: Final = 1000
BYTES_MAX: Final = 16 * 1024 * 1024
_REST_S = 0.5
_TRY_AGAIN_S = 60.0
_KAFKA_TIMEOUT_S = 10.0
_FLUSH_S = 0.05
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})

# Idle, or in the middle of an answer that nobody takes: either way the lock is let go.
_OPTIONS: Final = (
    f"-c idle_session_timeout={RELAY_IDLE_SESSION_MS} -c tcp_user_timeout={RELAY_IDLE_SESSION_MS}"
)
_LEAD = "SELECT pg_try_advisory_lock(hashtextextended('relay/' || current_schema(), 0))"
_NEXT = (
    "SELECT id, topic, key, value, headers, created_at FROM (SELECT *,"
    " sum(octet_length(value)) OVER (ORDER BY id"
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before"
    " FROM (SELECT * FROM outbox o WHERE quarantined IS NULL"
    " AND NOT EXISTS (SELECT FROM unnest(%s::text[], %s::bytea[]) AS q(topic, key)"
    " WHERE q.topic = o.topic AND q.key = o.key) ORDER BY id LIMIT %s) AS n) AS m"
    " WHERE coalesce(bytes_before, 0) < %s ORDER BY id"
)
_SET_APART = "SELECT id FROM outbox WHERE quarantined IS NOT NULL ORDER BY id"
_ONE = "SELECT id, topic, key, value, headers, created_at FROM outbox WHERE id = %s"
_QUARANTINED = "SELECT DISTINCT topic, key FROM outbox WHERE quarantined IS NOT NULL"
_DELETE = "DELETE FROM outbox WHERE id = ANY(%s)"
_QUARANTINE = "UPDATE outbox SET quarantined = %s WHERE id = %s"


class _Refused(Exception):
    """The broker refuses some of the rows, `cause` says why; those with them were purged."""

    def __init__(self, cause: KafkaError) -> None:
        super().__init__(cause.str())
        self.cause = cause


class Relay(PatientThread):
    """Publishes the outbox of one service while this instance leads.

    Told to stop, it publishes what is there before it ends.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        super().__init__(service, "relay")
        self._settings = settings
        self._limit = ROWS_MAX
        self._held: list[tuple[str, bytes | None]] = []
        self._tried_at = 0.0
        self.is_leader = False

    @property
    def is_refused(self) -> bool:
        """Whether Kafka does not let us publish."""
        return _is_one_of(self.failure, kafka.UNAUTHORIZED)

    def _turn(self) -> None:
        """Lead or stand by until stopped; connection and producer are made anew in each turn."""
        try:
            self._session()
        finally:
            self._lead(leads=False)

    def _reason(self, error: Exception) -> str | None:
        return "kafka" if isinstance(error, KafkaException) else super()._reason(error)

    def _note(self, error: Exception, reason: str | None) -> None:
        super()._note(error, reason)
        if self.is_refused:
            self._log.error("not authorized", error=headline(error), advice=kafka.GRANT)
        if _is_one_of(error, kafka.FENCED):
            OUTBOX_RELAY_FENCED.labels(self._service).inc()

    def _session(self) -> None:
        url = make_url(self._settings.role_url(SERVICE[self._service].role))
        with psycopg.connect(
            url.render_as_string(hide_password=False),
            autocommit=True,
            options=_OPTIONS,
            application_name=f"relay-{self._service}",
            **CONNECT,
        ) as connection:
            self._stand_by(connection)
            if self._stop_asked.is_set():
                return
            producer = Producer(kafka.relay_producer(self._settings, self._service))
            producer.init_transactions(_KAFKA_TIMEOUT_S)
            connection.execute(f"LISTEN outbox_{self._service}")
            self._try_again(connection, producer)
            self._lead(leads=True)
            is_last = False  # what was committed before the stop is seen by a look after it
            while self._publish(connection, producer) or not is_last:
                is_last = self._stop_asked.is_set()
                self._works()

    def _stand_by(self, connection: "psycopg.Connection[Any]") -> None:
        while not self._stop_asked.is_set():
            row = connection.execute(_LEAD).fetchone()
            if row is not None and row[0]:
                return
            self.failure = None  # another leads
            self._stop_asked.wait(_REST_S)

    def _publish(self, connection: "psycopg.Connection[Any]", producer: Producer) -> bool:
        """Publish one portion; False after a rest in which nothing came."""
        if self._held and monotonic() - self._tried_at > _TRY_AGAIN_S:
            self._try_again(connection, producer)
        topics, keys = [topic for topic, _ in self._held], [key for _, key in self._held]
        rows = connection.execute(_NEXT, (topics, keys, self._limit, BYTES_MAX)).fetchall()
        if not rows:
            if not self._stop_asked.is_set():
                list(connection.notifies(timeout=_REST_S, stop_after=1))
            return False
        faults.reach(Point.SELECTED)
        try:
            _send(producer, rows)
        except _Refused as refused:
            self._narrow(connection, rows, refused.cause)
            return True
        self._limit = min(ROWS_MAX, self._limit * 2)
        faults.reach(Point.PUBLISHED)
        connection.execute(_DELETE, ([row[0] for row in rows],))
        faults.reach(Point.DELETED)
        now, latency = system_now(), OUTBOX_PUBLISH_LATENCY.labels(self._service)
        for row in rows:
            latency.observe((now - row[5]).total_seconds())
        if tracing.export is not None:
            tracing.export.published([(row[1], row[4], row[5]) for row in rows])
        return True

    def _narrow(
        self, connection: "psycopg.Connection[Any]", rows: Sequence[Any], cause: KafkaError
    ) -> None:
        """Halve down to the record that is refused: its neighbours are refused with it."""
        if len(rows) > 1:
            self._limit = len(rows) // 2
            return
        number, topic = rows[0][:2]
        if cause.code() not in _TOO_LARGE:
            self._log.error("refused", outbox_id=number, topic=topic, reason=cause.str())
            raise KafkaException(cause)
        self._log.error("record too large", outbox_id=number, topic=topic, reason=cause.str())
        connection.execute(_QUARANTINE, (cause.str(), number))
        self._look(connection)

    def _try_again(self, connection: "psycopg.Connection[Any]", producer: Producer) -> None:
        """Publish what was set apart, one by one, where it is too large no more."""
        for (number,) in connection.execute(_SET_APART).fetchall():
            with suppress(_Refused):
                _send(producer, connection.execute(_ONE, (number,)).fetchall())
                connection.execute(_DELETE, ([number],))
        self._look(connection)
        self._tried_at = monotonic()

    def _look(self, connection: "psycopg.Connection[Any]") -> None:
        """Which keys are held by a record set apart: their later records keep their order."""
        self._held = connection.execute(_QUARANTINED).fetchall()

    def _lead(self, *, leads: bool) -> None:
        self.is_leader = leads
        OUTBOX_RELAY_IS_LEADER.labels(self._service).set(leads)


def _send(producer: Producer, rows: Sequence[Any]) -> None:
    """One Kafka transaction over `rows`, in order; `_Refused` where one of them cannot be."""
    refused: list[KafkaError] = []
    producer.begin_transaction()
    try:
        for _, topic, key, value, headers, _ in rows:
            _produce(producer, topic, key, value, headers, refused)
        _await(producer, refused)
        if refused and refused[0].code() != kafka.PURGED:
            raise KafkaException(refused[0])
        faults.reach(Point.PRODUCED)
        producer.commit_transaction(_KAFKA_TIMEOUT_S)
    except KafkaException as error:
        _abort(producer, error)
        if refused and not _is_one_of(error, kafka.UNAUTHORIZED):
            large = (cause for cause in refused if cause.code() in _TOO_LARGE)
            raise _Refused(next(large, refused[0])) from error
        raise


def _await(producer: Producer, refused: Sequence[KafkaError]) -> None:
    """Until all is acknowledged or one refused: what follows that one is never acknowledged."""
    until = monotonic() + _KAFKA_TIMEOUT_S
    while producer.flush(_FLUSH_S) and not refused and monotonic() < until:
        pass


def _produce(
    producer: Producer,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: str,
    refused: list[KafkaError],
) -> None:
    def acknowledged(error: KafkaError | None, _: object) -> None:
        if error is not None:
            refused.append(error)

    while True:
        try:
            producer.produce(
                topic, value, key, headers=list(headers_from(headers)), on_delivery=acknowledged
            )
        except BufferError:
            producer.poll(0.1)
        except KafkaException as error:
            refused.append(error.args[0])
            raise
        else:
            return


def _abort(producer: Producer, cause: KafkaException) -> None:
    """Abort; where that fails too for want of a right, raises `cause`, which says of what."""
    try:
        producer.abort_transaction(_KAFKA_TIMEOUT_S)
    except KafkaException:
        if _is_one_of(cause, kafka.UNAUTHORIZED):
            raise cause from None
        raise


def _is_one_of(error: Exception | None, codes: Container[int]) -> bool:
    """Whether Kafka's code for `error` is one of these."""
    cause = error.args[0] if isinstance(error, KafkaException) else None
    return isinstance(cause, KafkaError) and cause.code() in codes
