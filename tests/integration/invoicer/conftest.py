"""The invoicer on a database of its own, alone and with the master data to bill with."""

from collections.abc import Callable, Iterator

import pytest

from services.invoicer.main import SERVICE
from shared.settings import read_settings
from shared.testing import ServiceHarness
from tests.integration.invoicer.made import MovableClock
from tests.unit.invoicer.factory import (
    NOW,
    customer,
    entity,
    tax_rule,
)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOW)


@pytest.fixture(autouse=True)
def _link_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLOPHON_PAYMENT_LINK_KEY", "a key for tests")
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


@pytest.fixture
def harness(service_harness: Callable[..., ServiceHarness], clock: MovableClock) -> ServiceHarness:
    return service_harness(SERVICE, clock)


@pytest.fixture
def ready(harness: ServiceHarness) -> ServiceHarness:
    """The harness, with a seller, a buyer and a tax rule."""
    harness.apply(entity(), customer(), tax_rule())
    return harness
