"""The outbox: records to publish, written with the state they belong to, by binary COPY."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from shared import tracing
from shared.clock import system_now
from shared.codec.codec import Codec
from shared.events.base import Event
from shared.identity import key_of, message_id, topic_of
from shared.runtime.records import Headers, headers_json
from shared.trace import traceparent

_COPY = "COPY outbox (topic, key, value, headers) FROM STDIN (FORMAT BINARY)"
_BACKLOG = text(
    "SELECT count(*) FROM outbox o WHERE quarantined IS NULL AND NOT EXISTS (SELECT FROM outbox q"
    " WHERE q.quarantined IS NOT NULL AND q.topic = o.topic AND q.key = o.key)"
)
_NOTIFY = text("SELECT pg_notify('outbox_' || current_schema(), '')")


class Outgoing(NamedTuple):
    """A record on its way out, byte for byte."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: str


def outgoing(codec: Codec, event: Event, source: str, cause: str | None) -> Outgoing:
    """The record of `event`: key and message id from its value, CloudEvents headers.

    `cause` is the traceparent of the record that brought it about.
    """
    topic = topic_of(event)
    key = key_of(topic, event)
    headers = _template(topic.name, source) % _facts(key, message_id(topic, event), cause)
    if tracing.export is not None and (state := tracing.export.state(cause)):
        headers = f'{headers[:-1]}, ["tracestate", "{state}"]]'
    return Outgoing(topic.name, key.encode(), codec.encode(event), headers)


def event_headers(topic: str, key: str, identity: UUID, source: str, cause: str | None) -> Headers:
    """The headers of the CloudEvents Kafka binding in binary mode; they inform, never decide."""
    facts = _facts(key, identity, cause)
    return tuple((name, (value % facts).encode()) for name, value in _fields(topic, source))


def _fields(topic: str, source: str) -> Sequence[tuple[str, str]]:
    """The headers by name, each a format for `_facts`."""
    return (
        ("ce_specversion", "1.0"),
        ("ce_id", "%(id)s"),
        ("ce_source", f"/colophon/{source}"),
        ("ce_type", topic),
        ("ce_time", "%(time)s"),
        ("ce_subject", "%(key)s"),
        ("content-type", "application/avro"),
        ("idempotency-key", "%(id)s"),
        ("traceparent", "%(trace)s"),
    )


def _facts(key: str, identity: UUID, cause: str | None) -> dict[str, str]:
    """What differs from record to record: plain ASCII without quotes, as JSON has it too."""
    return {
        "id": str(identity),
        "time": system_now().isoformat(),
        "key": key,
        "trace": traceparent(identity, cause),
    }


@cache
def _template(topic: str, source: str) -> str:
    """The format of the JSON text of the headers."""
    return headers_json([(name, value.encode()) for name, value in _fields(topic, source)])


def write(connection: Connection, records: Sequence[Outgoing]) -> None:
    """Append `records` in order and wake the relay when the transaction commits."""
    if not records:
        return
    driver = connection.connection.driver_connection
    if driver is None:
        msg = "the connection is closed"
        raise RuntimeError(msg)
    with driver.cursor().copy(_COPY) as copy:
        copy.set_types(["text", "bytea", "bytea", "text"])
        for record in records:
            copy.write_row((record.topic, record.key, record.value, record.headers))
    connection.execute(_NOTIFY)


def backlog(connection: Connection) -> int:
    """How many records the relay has before it; keys that are set apart wait for people."""
    return int(connection.execute(_BACKLOG).scalar_one())
