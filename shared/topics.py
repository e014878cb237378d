"""Kafka against the map: create topics, grant rights, set passwords; report the rest, never delete.

Rights and passwords are managed where the broker has an authorizer and users with passwords, and
schemas are registered, at deploy time and by nobody else, where there is a registry.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from shared import kafka, rights
from shared.codec.registry import registry_from
from shared.db import OWNER
from shared.errors import ConfigurationError
from shared.rights import Right
from shared.schemas import Schema, schemas_of
from shared.settings import PREFIX, Settings, kafka_files
from shared.topology import TOPICS, dead_letter_topics

_TIMEOUT_S = 30.0
_DEAD_LETTER_EXTRA_BYTES = 64 * 1024
_SCRAM_ITERATIONS = 8192


@dataclass(frozen=True)
class Wanted:
    """A topic as it shall be."""

    name: str
    partitions: int
    config: dict[str, str]


@dataclass(frozen=True)
class Plan:
    """What is missing, and what stands otherwise than the map says, in words."""

    missing: tuple[Wanted, ...]
    drift: tuple[str, ...]
    rights: tuple[Right, ...] = ()
    unregistered: tuple[Schema, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether nothing is missing and nothing differs."""
        return not (self.missing or self.drift or self.rights or self.unregistered)


def wanted() -> Iterator[Wanted]:
    """Every topic of the map, then every dead-letter topic of the services that exist."""
    for topic in TOPICS:
        config = {
            "retention.ms": str(topic.retention_ms),
            "cleanup.policy": topic.cleanup_policy,
            "max.message.bytes": str(topic.max_message_bytes),
        }
        yield Wanted(topic.name, topic.partitions, config)
    for name, topic in dead_letter_topics().items():
        size = topic.max_message_bytes + _DEAD_LETTER_EXTRA_BYTES
        config = {
            "retention.ms": str(topic.retention_ms),
            "cleanup.policy": "delete",
            "max.message.bytes": str(size),
        }
        yield Wanted(name, 1, config)


def plan(settings: Settings) -> Plan:
    """Compare cluster and registry with the map; raises `Unreachable` when one does not answer."""
    admin = AdminClient(kafka.client(settings, OWNER))
    present = kafka.metadata(settings, admin).topics
    missing = tuple(topic for topic in wanted() if topic.name not in present)
    known = [topic for topic in wanted() if topic.name in present]
    drift = [
        f"{topic.name}: {len(present[topic.name].partitions)} partitions, the map says"
        f" {topic.partitions}"
        for topic in known
        if len(present[topic.name].partitions) != topic.partitions
    ]
    drift += _config_drift(admin, known)
    schemas = tuple(_unregistered(settings))
    granted = rights.granted(admin)
    if granted is None:
        return Plan(missing, tuple(drift), unregistered=schemas)
    due = rights.due()
    drift += [f"{right}: the map does not say so" for right in sorted(granted - due)]
    return Plan(missing, tuple(drift), tuple(sorted(due - granted)), schemas)


def apply(settings: Settings, plan: Plan) -> None:
    """Register, create and grant what `plan` misses.

    Raises `ConfigurationError` for what is refused. Schemas come first: a release whose schemas
    are incompatible leaves everything else as it was.
    """
    if registry := registry_from(settings):
        for schema in plan.unregistered:
            registry.register(schema)
    admin = AdminClient(kafka.client(settings, OWNER))
    replicas = settings.kafka_replication_factor
    topics = [
        NewTopic(t.name, t.partitions, replication_factor=replicas, config=t.config)
        for t in plan.missing
    ]
    if topics:
        for name, done in admin.create_topics(topics, operation_timeout=_TIMEOUT_S).items():
            try:
                done.result()
            except KafkaException as error:
                msg = f"{name} cannot be created: {error}"
                raise ConfigurationError(msg) from error
    if plan.rights:
        rights.grant(admin, plan.rights)


def set_passwords(settings: Settings) -> int:
    """Give each user in Kafka the password of its file in `secrets_dir`; returns how many.

    The owner's own is none of them: with it we have come in. Raises `ConfigurationError` where the
    broker does not take one, and where whoever listens on the way could take them: what SCRAM
    sends to set one is enough to come in with.
    """
    if not settings.kafka_sasl_mechanism.startswith("SCRAM"):
        return 0
    mechanism = ScramMechanism[settings.kafka_sasl_mechanism.replace("-", "_")]
    how = ScramCredentialInfo(mechanism, _SCRAM_ITERATIONS)
    found = {role: settings.secret(kafka_files(role)[0]) for role in rights.roles()}
    changes: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(role, how, password.encode())
        for role, password in found.items()
        if password
    ]
    if changes:
        if not settings.kafka_security_protocol.endswith("SSL"):
            msg = (
                f"passwords in Kafka are not set over a connection that is open to all: with"
                f" {PREFIX}KAFKA_SECURITY_PROTOCOL={settings.kafka_security_protocol} take the"
                f" files <role>_kafka out of {PREFIX}SECRETS_DIR, or name SASL_SSL or SSL"
            )
            raise ConfigurationError(msg)
        admin = AdminClient(kafka.client(settings, OWNER))
        for user, done in admin.alter_user_scram_credentials(changes).items():
            try:
                done.result()
            except KafkaException as error:
                msg = f"the password of {user} cannot be set in Kafka: {error}"
                raise ConfigurationError(msg) from error
    return len(changes)


def _config_drift(admin: AdminClient, topics: list[Wanted]) -> Iterator[str]:
    if not topics:
        return
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    found = admin.describe_configs(resources)
    for topic, resource in zip(topics, resources, strict=True):
        entries = found[resource].result()
        for key, value in topic.config.items():
            if entries[key].value != value:
                yield f"{topic.name}: {key} is {entries[key].value}, the map says {value}"


def _unregistered(settings: Settings) -> Iterator[Schema]:
    """The released schemas that the registry, where there is one, does not have."""
    if registry := registry_from(settings):
        schemas = (schema for topic in TOPICS for schema in schemas_of(topic.name).values())
        yield from (schema for schema in schemas if registry.find(schema) is None)
