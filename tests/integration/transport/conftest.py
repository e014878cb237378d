"""One broker with the locks on, a secrets folder for all roles, the echo service beside it."""

import secrets
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from shared import kafka, rights, topics
from shared.db import OWNER
from shared.migrate import bring_up, migrate
from shared.rights import rights_of
from shared.settings import Settings, kafka_files
from shared.testing import scratch_database
from shared.topology import SERVICE
from tests.integration.runtime import bench
from tests.integration.runtime.echo import SPEC
from tests.integration.transport.broker import SecuredBroker
from tests.integration.transport.certificates import Authority

ALLOW = AclPermissionType.ALLOW
OWNERS = {
    (ResourceType.BROKER, "kafka-cluster"): (
        AclOperation.CREATE,
        AclOperation.ALTER,
        AclOperation.DESCRIBE,
        AclOperation.DESCRIBE_CONFIGS,
    ),
    (ResourceType.TOPIC, "*"): (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS),
}


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom broker and clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def broker(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[SecuredBroker]:
    """The broker, running; the owner is known to it."""
    made = SecuredBroker(tmp_path_factory.mktemp("secured"), authority)
    made.plain = made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def by_password(
    settings: Settings,
    broker: SecuredBroker,
    authority: Authority,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Whoever comes in by SASL_SSL; every role has a password, and a certificate too."""
    folder = tmp_path_factory.mktemp("secrets")
    assert settings.secrets_dir
    for file in settings.secrets_dir.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    for role in (OWNER, SERVICE[SPEC.name].role, *rights.roles()):
        password, *pair = (folder / name for name in kafka_files(role))
        password.write_text(secrets.token_urlsafe(16), "ascii")
        for own, made in zip(pair, authority.issue(role), strict=True):
            own.write_bytes(made.read_bytes())
    update = {
        "secrets_dir": folder,
        "kafka_bootstrap_servers": broker.sasl,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ssl_ca_location": authority.ca,
    }
    return settings.model_copy(update=update)


@pytest.fixture(scope="session")
def by_certificate(by_password: Settings, broker: SecuredBroker) -> Settings:
    """Whoever comes in by mutual TLS."""
    update = {"kafka_bootstrap_servers": broker.mtls, "kafka_security_protocol": "SSL"}
    return by_password.model_copy(update=update)


@pytest.fixture(scope="session")
def superuser(broker: SecuredBroker) -> AdminClient:
    """Who runs Kafka."""
    config: kafka.Config = {"bootstrap.servers": broker.plain, "logger": kafka.LOG}
    return AdminClient(config)


@pytest.fixture(scope="session")
def deployed(by_password: Settings, superuser: AdminClient) -> Settings:
    """Topics, rights and passwords as `colophon topics apply` makes them, as the owner."""
    make_owner(superuser, by_password)
    topics.apply(by_password, topics.plan(by_password))
    topics.set_passwords(by_password)
    return by_password


def make_owner(superuser: AdminClient, settings: Settings) -> None:
    """What whoever runs Kafka does once: the owner, with what deploy/README.md says it needs."""
    wanted = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{OWNER}", "*", operation, ALLOW)
        for (kind, name), operations in OWNERS.items()
        for operation in operations
    ]
    for done in superuser.create_acls(wanted).values():
        done.result()
    password = settings.secret(kafka_files(OWNER)[0])
    assert password
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    owner = UserScramCredentialUpsertion(OWNER, how, password.encode())
    for done in superuser.alter_user_scram_credentials([owner]).values():
        done.result()


@pytest.fixture(scope="session")
def pipeline(deployed: Settings) -> Iterator[Settings]:
    """A database with the tables of every service."""
    with scratch_database(deployed) as scratch:
        migrate(scratch)
        yield scratch


@pytest.fixture(scope="session")
def echo_database(deployed: Settings, by_certificate: Settings) -> Iterator[Settings]:
    """A database with the echo service's tables; it comes in by certificate."""
    with scratch_database(by_certificate) as scratch:
        bring_up(scratch, [SPEC])
        yield scratch


@pytest.fixture(scope="session")
def locked(echo_database: Settings, superuser: AdminClient) -> Settings:
    """The echo service's topics and rights; what a test looks with comes in as the superuser."""
    wanted = set(rights_of(SERVICE[SPEC.name]))
    letters = {right.name for right in wanted if right.name.endswith(".dlq")}
    present = superuser.list_topics(timeout=10).topics
    for made in superuser.create_topics(
        [NewTopic(n, 1, 1) for n in letters - present.keys()]
    ).values():
        made.result()
    rights.grant(superuser, wanted)
    plain: kafka.Config = {"bootstrap.servers": _address(superuser), "logger": kafka.LOG}
    servers = echo_database.kafka_bootstrap_servers
    bench._CLIENTS[servers, AdminClient] = superuser
    bench._CLIENTS[servers, Producer] = Producer(plain)
    return echo_database


def _address(superuser: AdminClient) -> str:
    (broker,) = superuser.list_topics(timeout=10).brokers.values()
    return f"{broker.host}:{broker.port}"
