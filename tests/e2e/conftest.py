"""The whole system on one machine: servers, six services, mail sink, simulated work."""

from collections.abc import Iterator

import pytest

from shared.documents import DocumentStore
from shared.local.system import LocalSystem
from shared.tools import tool
from shared.topology import consumers
from tests.e2e.pipeline import Pipeline


@pytest.fixture
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A running pipeline, nothing in it yet."""
    with LocalSystem(tmp_path_factory.mktemp("system")) as system:
        for logo in tool("simulator").logos():
            DocumentStore(system.settings.documents_dir).put(logo.content)
        system.start_services(service.name for service in consumers())
        yield Pipeline(system)
