"""Which servers the integration tests run on: the embedded ones, or containers when asked for.

`COLOPHON_TEST_SERVERS=containers` takes Docker through testcontainers. It is not the default where
an engine answers, because that branch has not been run by us yet (no engine was at hand).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from shared.local.ports import free_port
from shared.local.registry import Registry
from shared.local.stack import Endpoints, LocalStack

KAFKA = "apache/kafka:4.1.0"
POSTGRES = "postgres:18"
REGISTRY = "apicurio/apicurio-registry:3.3.3"


@contextmanager
def servers(folder: Path) -> Iterator[Endpoints]:
    """Kafka and PostgreSQL for one test run."""
    if not _in_containers():
        with LocalStack(folder) as endpoints:
            yield endpoints
        return
    port = free_port()
    with _kafka(port), PostgresContainer(POSTGRES, driver=None) as postgres:
        yield Endpoints(f"127.0.0.1:{port}", postgres.get_connection_url(), folder)


@contextmanager
def schema_registry(folder: Path) -> Iterator[str]:
    """The address of a schema registry for one test run."""
    if not _in_containers():
        registry = Registry(folder)
        try:
            yield registry.start()
        finally:
            registry.stop()
        return
    port = free_port()
    ready = LogMessageWaitStrategy("Listening on")
    with DockerContainer(REGISTRY).with_bind_ports(8080, port).waiting_for(ready):
        yield f"http://127.0.0.1:{port}/apis/ccompat/v7"


def _in_containers() -> bool:
    return os.environ.get("COLOPHON_TEST_SERVERS") == "containers"


def _kafka(port: int) -> DockerContainer:
    """A single KRaft node that tells its clients to come back to `port` on this machine."""
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    container = DockerContainer(KAFKA).with_bind_ports(9092, port)
    for name, value in settings.items():
        container = container.with_env(f"KAFKA_{name}", value)
    return container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))
