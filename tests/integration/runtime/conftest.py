"""The echo service on real servers: in this process, step by step, or as processes to kill."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import structlog
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from sqlalchemy import text

from shared import db
from shared.clock import Clock, monotonic
from shared.db import OWNER
from shared.local.environment import local_settings
from shared.migrate import bring_up
from shared.runtime.relay import Relay
from shared.runtime.tables import METADATA as RUNTIME
from shared.settings import Settings
from shared.testing import scratch_database
from shared.topology import BY_NAME
from tests.integration.runtime.bench import LIMIT_S, Echo, admin
from tests.integration.runtime.echo import DECIDED, METADATA, POLICIES, REQUESTED, SPEC
from tests.integration.runtime.instances import Instances
from tests.integration.runtime.nursery import Nursery
from tests.integration.runtime.proxy import Lines, lines_to
from tests.integration.servers import servers

DEAD_LETTERS = tuple(BY_NAME[name].dead_letters(SPEC.name) for name in (REQUESTED, POLICIES))
PARTITIONS = 3

MakeEcho = Callable[..., Echo]


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> Iterator[None]:
    """Show no locals in tracebacks: of a batch of hundreds, that takes seconds each."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", name="settings")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Servers of their own: these tests empty topics that others have made, and compact."""
    with servers(tmp_path_factory.mktemp("runtime")) as endpoints:
        yield local_settings(endpoints)


@pytest.fixture(scope="session")
def echo_database(settings: Settings) -> Iterator[Settings]:
    """A database with the echo service's tables, and its topics."""
    make_topics(settings)
    with scratch_database(settings) as scratch:
        bring_up(scratch, [SPEC])
        yield scratch


@pytest.fixture
def echo_settings(echo_database: Settings) -> Settings:
    """The echo service's database and topics, empty."""
    empty_topics(echo_database)
    empty_tables(echo_database)
    return echo_database


@pytest.fixture
def make_echo(echo_settings: Settings) -> Iterator[MakeEcho]:
    """`make_echo(clock, **settings)`: an instance of the echo service, nothing consumed yet."""
    with ExitStack() as stack:

        def make(clock: Clock | None = None, **changes: object) -> Echo:
            made = Echo(echo_settings.model_copy(update=changes), clock)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def echo(make_echo: MakeEcho) -> Echo:
    """The echo service, nothing consumed yet."""
    return make_echo()


@pytest.fixture
def start_relay(echo: Echo) -> Iterator[Callable[[], Relay]]:
    """`start_relay()`: one more relay of the service; all are stopped at the end."""
    started: list[Relay] = []

    def start() -> Relay:
        started.append(Relay(echo.settings, SPEC.name))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()
    for each in started:
        each.join(30)
        assert not each.is_alive()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """What forks processes of the echo service."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def instances(echo_settings: Settings, nursery: Nursery) -> Iterator[Instances]:
    """The echo service as processes; whatever still runs at the end is killed."""
    started = Instances(echo_settings, nursery)
    yield started
    started.end()


@pytest.fixture
def lines(echo_settings: Settings) -> Iterator[Lines]:
    """Ways to the servers that a test can cut."""
    with lines_to(echo_settings) as made:
        yield made


def make_topics(settings: Settings) -> None:
    """Create the topics, and let the broker miss a dead member of the group after 3 s."""
    kafka = admin(settings)
    wanted = [new_topic(name) for name in (REQUESTED, DECIDED, POLICIES, *DEAD_LETTERS)]
    for made in kafka.create_topics(wanted).values():
        with suppress(KafkaException):
            made.result()
    limits = {"consumer.session.timeout.ms": "3000", "consumer.heartbeat.interval.ms": "500"}
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in limits.items()
    ]
    group = ConfigResource(ResourceType.GROUP, SPEC.name, incremental_configs=entries)
    for done in kafka.incremental_alter_configs([group]).values():
        done.result()


def new_topic(name: str) -> NewTopic:
    """One of the topics, to be created."""
    return NewTopic(name, PARTITIONS, 1, config={"max.message.bytes": "1114112"})


def empty_topics(settings: Settings) -> None:
    """Delete what earlier tests left in the topics."""
    kafka = admin(settings)
    names = (REQUESTED, DECIDED, POLICIES, *DEAD_LETTERS)
    ends = [
        TopicPartition(name, partition, -1) for name in names for partition in range(PARTITIONS)
    ]
    deadline = monotonic() + LIMIT_S
    while ends and monotonic() < deadline:
        answers: dict[Any, Any] = kafka.delete_records(ends)
        ends = [place for place, deleted in answers.items() if deleted.exception(10)]
    assert not ends, f"no leader for {ends}"


def empty_tables(settings: Settings) -> None:
    """Delete every row of the runtime and of the echo service."""
    owner = db.engine(settings, OWNER, search_path=SPEC.name)
    names: Iterable[str] = (*RUNTIME.tables, *METADATA.tables)
    with owner.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(names)}"))
    owner.dispose()
