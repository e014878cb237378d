"""The workload as one would write it by hand, for one message at a time.

Inbox row and state in one transaction; the price is published before it commits, so that a crash
in between publishes it again, under the same id, and loses nothing.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.codec.codec import Codec
from shared.identity import key_of, message_id
from shared.outbox import event_headers
from shared.settings import Settings
from shared.topology import BY_NAME, SERVICE
from tests.benchmarks.runtime.workload import SOURCE, SPEC, TARGET, priced

INBOX: Final = (
    "INSERT INTO inbox (message_id, fingerprint, topic, partition, position)"
    " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
STATE: Final = (
    "INSERT INTO benchmark_job AS j (job_id, revision, lines, net_total) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (job_id) DO UPDATE SET revision = excluded.revision,"
    " lines = j.lines + excluded.lines, net_total = j.net_total + excluded.net_total"
)


@dataclass(frozen=True)
class Effect:
    """What one message does: the rows it writes and the record it publishes."""

    identity: UUID
    fingerprint: bytes
    state: tuple[Any, ...]
    key: bytes
    value: bytes
    headers: dict[str, str]


def effect_of(codec: Codec, value: bytes) -> Effect:
    """Decode, compute, encode: the same code for everybody."""
    event, fingerprint = codec.read(BY_NAME[SOURCE], value)
    price = priced(event)
    topic = BY_NAME[TARGET]
    key, identity = key_of(topic, price), message_id(topic, price)
    headers = event_headers(TARGET, key, identity, "benchmark", None)
    return Effect(
        identity=message_id(BY_NAME[SOURCE], event),
        fingerprint=fingerprint,
        state=(price.job_id, price.revision, len(price.lines), price.net_total),
        key=key.encode(),
        value=codec.encode(price),
        headers={name: (text or b"").decode() for name, text in headers},
    )


def database_url(settings: Settings) -> str:
    """Where the rows are, under the service's role."""
    return settings.role_url(SERVICE[SPEC.name].role)
