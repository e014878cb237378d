"""Who may do what in Kafka: each user what the map makes it do; a broker refuses all else.

A user has the name of its role in the database. The owner, who creates topics and grants these
rights, is made by whoever runs Kafka.
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, cast

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    TopicDescription,
)

from shared import kafka
from shared.db import AUDITOR, OPERATOR, OWNER
from shared.errors import ConfigurationError
from shared.topology import (
    TOPICS,
    Service,
    built,
    consumed_by,
    consumers,
    produced_by,
)

_USER: Final = "User:"
_ANY_HOST: Final = "*"


@dataclass(frozen=True, order=True)
class Right:
    """`role` may read, write or describe a topic, group or transactional id of this name.

    Whoever may read or write may describe. A name that ends in * stands for all that begin so. The
    map knows no right of one `host` and denies nothing; a broker may.
    """

    role: str
    operation: str
    kind: str
    name: str
    host: str = _ANY_HOST
    permission: str = "allow"

    def __str__(self) -> str:
        """As a sentence."""
        may = "may" if self.permission == "allow" else "may not"
        where = "" if self.host == _ANY_HOST else f" from {self.host}"
        return f"{self.role} {may} {self.operation} {self.kind} {self.name}{where}"


def due() -> set[Right]:
    """Every right of every role, as the map says."""
    return {right for service in built() for right in rights_of(service)} | set(_peoples())


def roles() -> list[str]:
    """Every role that has a right."""
    return sorted({right.role for right in due()})


def rights_of(service: Service) -> Iterator[Right]:
    """What `service` may do: read what it consumes, write what it produces, be its group."""
    role, taken = service.role, consumed_by(service.name)
    letters = [topic.dead_letters(service.name) for topic in taken]
    yield from _on_topics(role, "write", (topic.name for topic in produced_by(service.name)))
    if service.port:
        yield from _on_topics(role, "read", (topic.name for topic in taken))
        yield from _on_topics(role, "write", letters)
        yield Right(role, "read", "group", service.name)
        yield Right(role, "write", "transactional id", kafka.relay_id(service.name))
    if service.rereads:
        yield from _on_topics(role, "read", service.rereads)
        yield _reader(role)


def _peoples() -> Iterator[Right]:
    """The auditor reads all facts and sees how far groups are; the operator compares records."""
    yield from _on_topics(AUDITOR, "read", (topic.name for topic in TOPICS))
    yield from (Right(AUDITOR, "describe", "group", service.name) for service in consumers())
    decided = {topic.name for service in consumers() for topic in consumed_by(service.name)}
    yield from _on_topics(OPERATOR, "read", decided)
    yield from (_reader(AUDITOR), _reader(OPERATOR))


def _on_topics(role: str, operation: str, names: Iterable[str]) -> Iterator[Right]:
    return (Right(role, operation, "topic", name) for name in names)


def _reader(role: str) -> Right:
    return Right(role, "describe", "group", kafka.READER_GROUP)


def granted(admin: AdminClient) -> set[Right] | None:
    """What the broker allows our roles and denies them; None where it lets all do all.

    Raises `ConfigurationError` where we may not ask.
    """
    names: Any = None  # any: its types do not say that it may be
    every = AclBindingFilter(
        ResourceType.ANY,
        names,
        ResourcePatternType.ANY,
        names,
        names,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    try:
        if not _has_authorizer(admin):
            return None
        found = admin.describe_acls(every).result()
    except KafkaException as error:
        msg = f"the rights in Kafka cannot be read ({error.args[0].str()}); do it as {OWNER}"
        raise ConfigurationError(msg) from error
    ours = {_USER + role for role in roles()}
    return {_right(binding) for binding in found if binding.principal in ours}


def _has_authorizer(admin: AdminClient) -> bool:
    """Asked by itself, because the client tells no rights and no right to know them alike."""
    controller = admin.describe_cluster().result().controller
    broker = ConfigResource(ResourceType.BROKER, str(controller.id))
    config = admin.describe_configs([broker])[broker].result()
    return bool(config["authorizer.class.name"].value)


def refused(admin: AdminClient, wanted: Iterable[Right], *, timeout_s: float) -> list[Right]:
    """Those of the rights `wanted` on topics that the broker does not give whoever asks.

    On a topic that does not exist nothing is refused. Raises `KafkaException` when the broker does
    not answer.
    """
    on_topics = sorted(right for right in wanted if right.kind == "topic")
    answers = admin.describe_topics(
        TopicCollection(sorted({right.name for right in on_topics})),
        include_authorized_operations=True,
        request_timeout=timeout_s,
    )
    given = {name: _given(answer) for name, answer in answers.items()}
    return [right for right in on_topics if right.operation not in given[right.name]]


def _given(answer: "Future[TopicDescription]") -> Collection[str]:
    """The operations that a topic's description says are ours."""
    try:
        found = answer.result().authorized_operations
    except KafkaException as error:
        match error.args[0].code():
            case KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return ()
            case KafkaError.UNKNOWN_TOPIC_OR_PART:
                return ("read", "write")
            case _:
                raise
    return {_word(operation) for operation in found or ()}


def grant(admin: AdminClient, wanted: Iterable[Right]) -> None:
    """Grant these; raises `ConfigurationError` where the broker refuses one."""
    bindings = {_binding(right): right for right in wanted}
    for binding, done in admin.create_acls(list(bindings)).items():
        try:
            done.result()
        except KafkaException as error:
            msg = f"it cannot be granted that {bindings[binding]} ({error.args[0].str()})"
            raise ConfigurationError(msg) from error


def _right(found: AclBinding) -> Right:
    is_prefix = found.resource_pattern_type is ResourcePatternType.PREFIXED
    return Right(
        found.principal.removeprefix(_USER),
        _word(cast("Enum", found.operation)),
        _word(cast("Enum", found.restype)),
        found.name + "*" * is_prefix,
        found.host,
        _word(cast("Enum", found.permission_type)),
    )


def _word(member: Enum) -> str:
    return member.name.lower().replace("_", " ")


def _binding(right: Right) -> AclBinding:
    return AclBinding(
        ResourceType[right.kind.upper().replace(" ", "_")],
        right.name,
        ResourcePatternType.LITERAL,
        _USER + right.role,
        right.host,
        AclOperation[right.operation.upper()],
        AclPermissionType[right.permission.upper()],
    )
