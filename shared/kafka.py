"""Client settings for Kafka, in one place: security from the settings, the rest as tried."""

from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError

from shared.clock import monotonic
from shared.logging import logger
from shared.settings import Settings

# The client names its own conditions with an underscore; they are public all the same.
PARTITION_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001 -- see above
OUT_OF_RANGE: Final = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001 -- see above
FENCED: Final = (
    KafkaError._FENCED,  # noqa: SLF001 -- see above
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
)

SAY_EVERY_S: Final = 10.0

Config = dict[str, Any]


def client(settings: Settings) -> Config:
    """What every client needs: where, and how to prove who it is."""
    config: Config = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        "log_level": 2,  # it writes past our log, twenty lines a second while a broker is away
        "error_cb": _now_and_then(),
    }
    optional = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "ssl.ca.location": settings.kafka_ssl_ca_location,
        "ssl.certificate.location": settings.kafka_ssl_certificate_location,
        "ssl.key.location": settings.kafka_ssl_key_location,
    }
    config |= {name: str(value) for name, value in optional.items() if value is not None}
    if settings.kafka_sasl_password:
        config["sasl.password"] = settings.kafka_sasl_password.get_secret_value()
    return config


def _now_and_then() -> Callable[[KafkaError], None]:
    """Logs what a client says of its connections: of each kind, a line every few seconds."""
    said_at: dict[int, float] = {}

    def say(error: KafkaError) -> None:
        now = monotonic()
        if now - said_at.get(error.code(), -SAY_EVERY_S) >= SAY_EVERY_S:
            said_at[error.code()] = now
            logger().warning("kafka", error=error.str())

    return say


def consumer(settings: Settings, group: str) -> Config:
    """A consumer of the runtime: offsets in the database, committed records only."""
    return client(settings) | {
        "group.id": group,
        "client.id": group,
        "group.protocol": "consumer",
        "auto.offset.reset": "error",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 100,
        "queued.min.messages": 2 * settings.batch_size,
        "queued.max.messages.kbytes": 16 * 1024,
        "fetch.message.max.bytes": 4 * 1024 * 1024,
        "max.poll.interval.ms": 60_000,
    }


def reader(settings: Settings) -> Config:
    """A consumer outside any group, for tools: reads what is committed, from where it is told."""
    return client(settings) | {
        "group.id": "colophon-reader",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
    }


def relay_producer(settings: Settings, service: str) -> Config:
    """The producer of a relay: transactional, one id per service, so that a successor fences."""
    return producer(settings) | {
        "transactional.id": f"colophon-{service}-relay",
        "transaction.timeout.ms": 10_000,
        "linger.ms": 0,
    }


def producer(settings: Settings) -> Config:
    """An idempotent producer that waits for all replicas."""
    return client(settings) | {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "message.max.bytes": 16 * 1024 * 1024,
        "queue.buffering.max.messages": 100_000,
    }
