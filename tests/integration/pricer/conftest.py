"""The pricer on a database of its own, on a fixed day."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import pytest

from services.pricer.main import SERVICE
from shared.clock import FixedClock
from shared.testing import ServiceHarness

NOW: Final = datetime(2026, 3, 3, 9, tzinfo=UTC)


@pytest.fixture
def harness(service_harness: Callable[..., ServiceHarness]) -> ServiceHarness:
    return service_harness(SERVICE, FixedClock(NOW))
