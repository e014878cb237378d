"""Real servers for the tests of this folder: one local stack for the whole run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.clock import Clock
from shared.local.environment import local_settings
from shared.migrate import migrate
from shared.runtime.service import ServiceSpec
from shared.settings import Settings
from shared.testing import ServiceHarness, scratch_database, service_harness
from tests.integration.servers import schema_registry, servers

Harness = Callable[..., ServiceHarness]


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings of a running stack."""
    folder: Path = tmp_path_factory.mktemp("stack")
    with servers(folder) as endpoints:
        yield local_settings(endpoints)


@pytest.fixture(scope="module")
def migrated(settings: Settings) -> Iterator[Settings]:
    """A database of its own as `colophon migrate` leaves it."""
    with scratch_database(settings) as scratch:
        migrate(scratch)
        yield scratch


@pytest.fixture(scope="session")
def registry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running schema registry, started when the first test asks for it."""
    with schema_registry(tmp_path_factory.mktemp("registry")) as url:
        yield url


@pytest.fixture(name="service_harness")
def make_service_harness(settings: Settings) -> Iterator[Harness]:
    """`service_harness(SPEC, clock)`: the service on a freshly migrated database of its own."""
    with ExitStack() as stack:

        def make(spec: ServiceSpec, clock: Clock | None = None) -> ServiceHarness:
            return stack.enter_context(service_harness(spec, settings, clock))

        yield make
