"""Topics in Kafka against the map: create what is missing, report what differs, never delete."""

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from shared import kafka
from shared.codec.registry import registry_from
from shared.errors import ConfigurationError
from shared.schemas import schemas_of
from shared.settings import Settings
from shared.topology import TOPICS, dead_letter_topics

_TIMEOUT_S = 30.0
_DEAD_LETTER_EXTRA_BYTES = 64 * 1024


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
    """Compare the cluster with the map; raises `Unreachable` when it does not answer."""
    admin = AdminClient(kafka.client(settings))
    present = kafka.metadata(settings, admin).topics
    missing = tuple(topic for topic in wanted() if topic.name not in present)
    known = [topic for topic in wanted() if topic.name in present]
    drift = [
        f"{topic.name}: {len(present[topic.name].partitions)} partitions, the map says"
        f" {topic.partitions}"
        for topic in known
        if len(present[topic.name].partitions) != topic.partitions
    ]
    return Plan(missing, (*drift, *_config_drift(admin, known)))


def apply(settings: Settings, plan: Plan) -> None:
    """Create what `plan` misses."""
    admin = AdminClient(kafka.client(settings))
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


def register_schemas(settings: Settings) -> Iterator[tuple[str, int]]:
    """Register every released schema where a registry is configured; the only place that does."""
    registry = registry_from(settings)
    if registry is None:
        return
    for topic in TOPICS:
        for schema in schemas_of(topic.name).values():
            yield f"{topic.name} v{schema.version}", registry.register(schema)
