"""Client settings for Kafka, in one place: security from the settings, the rest as tried.

And what its clients have to say, which they would else write to standard error as it is.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, ClusterMetadata

from shared.clock import monotonic
from shared.errors import Unreachable
from shared.settings import PREFIX, Settings

# The client names its own conditions with an underscore; they are public all the same.
PARTITION_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001 -- see above
OUT_OF_RANGE: Final = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001 -- see above
FENCED: Final = (
    KafkaError._FENCED,  # noqa: SLF001 -- see above
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
)

ANSWER_S: Final = 10.0
"""So long a command waits for the broker's first answer."""

Config = dict[str, Any]
Sink = Callable[[str, str, int], None]
"""Takes the facility (FAIL, say), the text, and how many of that facility were left out before."""


class ClientLog:
    """The clients' log: the last words are kept for an error message, `sink` gets a few of them.

    A client without its broker says so several times a second: of each facility one a minute.
    """

    every_s = 60.0

    def __init__(self) -> None:
        self.last_words = ""
        self.sink: Sink | None = None
        self._said_at: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def log(self, _level: int, _form: str, facility: str, _client: str, text: str) -> None:
        """As the client calls it, from whichever thread polls."""
        self.last_words = text
        now = monotonic()
        if self.sink is None:
            return
        if now - self._said_at.get(facility, -self.every_s) < self.every_s:
            self._left_out[facility] = self._left_out.get(facility, 0) + 1
            return
        self._said_at[facility] = now
        self.sink(facility, text, self._left_out.pop(facility, 0))


LOG: Final = ClientLog()
_CAUSE: Final = re.compile(r"^(?:\[thrd:.*?\]: )?(.*?)(?: \(after \d+ms.*\))?$", re.DOTALL)


def metadata(settings: Settings, client: AdminClient | Consumer | Producer) -> ClusterMetadata:
    """The brokers and topics, as `client` finds them; raises `Unreachable` after `ANSWER_S`."""
    LOG.last_words = ""
    try:
        return client.list_topics(timeout=ANSWER_S)
    except KafkaException as error:
        client.poll(0)  # hands over the log
        found = _CAUSE.match(LOG.last_words)
        cause = found[1] if found and found[1] else error.args[0].str()
        raise Unreachable(
            "kafka",
            f"the broker does not answer: {PREFIX}KAFKA_BOOTSTRAP_SERVERS="
            f"{settings.kafka_bootstrap_servers} ({cause}); start it, or name one that runs",
        ) from error


def client(settings: Settings) -> Config:
    """What every client needs: where, and how to prove who it is."""
    config: Config = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        "logger": LOG,
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
