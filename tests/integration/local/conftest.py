"""A running stack for the tests that only look at one."""

from collections.abc import Iterator

import pytest

from shared.local.stack import Endpoints, LocalStack


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """One stack for the tests of a module that only look at it."""
    with LocalStack(tmp_path_factory.mktemp("shared") / "data") as endpoints:
        yield endpoints
