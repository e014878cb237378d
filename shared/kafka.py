"""Client settings for Kafka, in one place: security from the settings, the rest as tried.

And what its clients have to say, which they would else write to standard error as it is.
"""

import re
import ssl
from collections.abc import Callable, Collection
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AdminClient, ClusterMetadata, TopicMetadata

from shared.clock import monotonic
from shared.errors import ConfigurationError, Unreachable
from shared.settings import PREFIX, Settings
from shared.topology import role_of

# The client names its own conditions with an underscore; they are public all the same.
PARTITION_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001 -- see above
OUT_OF_RANGE: Final = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001 -- see above
FENCED: Final = (
    KafkaError._FENCED,  # noqa: SLF001 -- see above
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
)
FATAL: Final = KafkaError._FATAL  # noqa: SLF001 -- see above
PURGED: Final = KafkaError._PURGE_QUEUE  # noqa: SLF001 -- see above
UNAUTHORIZED: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)
GRANT: Final = "colophon topics apply grants what the map says"
"""What to do about a right that is missing."""
READER_GROUP: Final = "colophon-reader"
"""Whoever reads outside a group names this one; Kafka asks for a right to see it."""

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
        """As the client calls it, from whichever thread polls.

        What its TLS library says (SSL) is summed up in the failure that follows it.
        """
        if facility != "SSL":
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
_PASSWORD: Final = (
    f"{PREFIX}KAFKA_SASL_USERNAME and {PREFIX}KAFKA_SASL_PASSWORD, or the file <role>_kafka in"
    f" {PREFIX}SECRETS_DIR"
)
_CERTIFICATE: Final = (
    f"{PREFIX}KAFKA_SSL_CERTIFICATE_LOCATION and {PREFIX}KAFKA_SSL_KEY_LOCATION, or the files"
    f" <role>_kafka.crt and .key in {PREFIX}SECRETS_DIR"
)
_AUTHORITY: Final = (
    f"{PREFIX}KAFKA_SSL_CA_LOCATION must hold the authority that signed the broker's certificate,"
    f" and that must name the host as {PREFIX}KAFKA_BOOTSTRAP_SERVERS does"
)
_PROTOCOL: Final = f"{PREFIX}KAFKA_SECURITY_PROTOCOL must be that of the listener at this port"
_ADVICE: Final = {
    "Unsupported SASL mechanism": f"{PREFIX}KAFKA_SASL_MECHANISM must be one of the broker's",
    "SASL": f"the broker does not take this user with this password: {_PASSWORD}",
    "certificate verify failed": _AUTHORITY,
    "alert .*certificate|alert unknown ca": f"the broker wants another certificate: {_CERTIFICATE}",
    "SSL handshake failed|in state (SSL_HANDSHAKE|APIVERSION_QUERY)": _PROTOCOL,
    "": "start it, or name one that runs",
}
"""What to do about a connection that fails, by what the client says of it; the first that fits."""


def advice(text: str) -> str:
    """Which setting to look at when a client cannot connect and says `text`."""
    return next(advised for pattern, advised in _ADVICE.items() if re.search(pattern, text))


def metadata(settings: Settings, client: AdminClient | Consumer | Producer) -> ClusterMetadata:
    """The brokers and topics, as `client` finds them; raises `Unreachable` after `ANSWER_S`.

    A topic that `client` has no right on looks as if it did not exist: see `present`.
    """
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
            f"{settings.kafka_bootstrap_servers} ({cause}); {advice(LOG.last_words)}",
        ) from error


def present(
    settings: Settings, admin: AdminClient, names: Collection[str]
) -> dict[str, TopicMetadata]:
    """Those of the topics `names` that exist; `Unreachable` where one may not be looked at.

    What is missing is asked for by description, because metadata by name may make the topic.
    """
    found = metadata(settings, admin).topics
    if missing := [name for name in names if name not in found]:
        answers = admin.describe_topics(TopicCollection(missing), request_timeout=ANSWER_S)
        for name, answer in answers.items():
            try:
                answer.result()
            except KafkaException as error:
                code, said = error.args[0].code(), error.args[0].str()
                if code in UNAUTHORIZED:
                    msg = f"{name} may not be looked at ({said}); {GRANT}"
                    raise Unreachable("kafka", msg) from error
                if code != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    msg = f"the broker does not say whether {name} exists ({said})"
                    raise Unreachable("kafka", msg) from error
    return {name: found[name] for name in names if name in found}


def client(settings: Settings, role: str) -> Config:
    """What every client needs: where, and how to prove that it is `role`.

    Raises `ConfigurationError` where the protocol wants a password and there is none.
    """
    protocol = settings.kafka_security_protocol
    config: Config = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": protocol,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        "logger": LOG,
    }
    if protocol.startswith("SASL"):
        config |= _password(settings, role)
    if protocol.endswith("SSL"):
        config |= _certificates(settings, role)
    return config


def _password(settings: Settings, role: str) -> Config:
    user = settings.kafka_user(role)
    if user is None:
        raise ConfigurationError(
            f"{PREFIX}KAFKA_SECURITY_PROTOCOL={settings.kafka_security_protocol} needs a password"
            f" for {role}: {_PASSWORD}"
        )
    names = ("sasl.username", "sasl.password")
    return {"sasl.mechanism": settings.kafka_sasl_mechanism, **dict(zip(names, user, strict=True))}


def _certificates(settings: Settings, role: str) -> Config:
    """The files, once read here: what the client says of a bad one names no setting."""
    config: Config = {}
    context, cause = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), _AUTHORITY
    try:
        if settings.kafka_ssl_ca_location is not None:
            config["ssl.ca.location"] = str(settings.kafka_ssl_ca_location)
            context.load_verify_locations(settings.kafka_ssl_ca_location)
        cause = f"they must be a certificate and its key: {_CERTIFICATE}"
        if (own := settings.kafka_certificate(role)) is not None:
            config["ssl.certificate.location"], config["ssl.key.location"] = map(str, own)
            context.load_cert_chain(*own)
    except OSError as error:
        raise ConfigurationError(f"{cause} ({error})") from error
    return config


def consumer(settings: Settings, group: str) -> Config:
    """A consumer of the runtime: offsets in the database, committed records only."""
    return client(settings, role_of(group)) | {
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


def reader(settings: Settings, role: str) -> Config:
    """A consumer outside any group, for tools: reads what is committed, from where it is told."""
    return client(settings, role) | {
        "group.id": READER_GROUP,
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
    }


def relay_producer(settings: Settings, service: str) -> Config:
    """The producer of a relay: transactional, one id per service, so that a successor fences."""
    return producer(settings, role_of(service)) | {
        "transactional.id": relay_id(service),
        "transaction.timeout.ms": 10_000,
        "linger.ms": 0,
    }


def relay_id(service: str) -> str:
    """The transactional id of a service's relay."""
    return f"colophon-{service}-relay"


def producer(settings: Settings, role: str) -> Config:
    """An idempotent producer that waits for all replicas."""
    return client(settings, role) | {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "message.max.bytes": 16 * 1024 * 1024,
        "queue.buffering.max.messages": 100_000,
    }
