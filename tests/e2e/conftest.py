"""The whole system on one machine: servers, six services, mail sink, simulated work."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from shared.documents import DocumentStore
from shared.local.system import LocalSystem
from shared.tools import tool
from shared.topology import consumers
from tests.e2e.pipeline import Pipeline

StartPipeline = Callable[..., Pipeline]


@pytest.fixture
def start_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPipeline]:
    """`start_pipeline(**settings)`: a running pipeline, nothing in it yet."""
    with ExitStack() as stack:

        def start(**settings: object) -> Pipeline:
            folder = tmp_path_factory.mktemp("system")
            system = stack.enter_context(LocalSystem(folder, settings=settings))
            for logo in tool("simulator").logos():
                DocumentStore(system.settings.documents_dir).put(logo.content)
            system.start_services(service.name for service in consumers())
            return Pipeline(system)

        yield start


@pytest.fixture
def pipeline(start_pipeline: StartPipeline) -> Pipeline:
    """A running pipeline, nothing in it yet."""
    return start_pipeline()
