"""The ledger writer on real PostgreSQL: one that stands for the module, one per test."""

from collections.abc import Iterator

import pytest

from services.ledger_writer.main import SERVICE
from shared.clock import FixedClock
from shared.settings import Settings
from shared.testing import ServiceHarness, service_harness
from tests.invoices import ISSUED
from tests.unit.ledger_writer.cases import NOW, payment


@pytest.fixture(scope="module")
def standing(settings: Settings) -> Iterator[ServiceHarness]:
    """The ledger writer with an invoice and a payment posted, for tests that change nothing."""
    with service_harness(SERVICE, settings, FixedClock(NOW)) as harness:
        harness.apply(ISSUED, payment("1.00", ISSUED))
        yield harness


@pytest.fixture
def books(settings: Settings) -> Iterator[ServiceHarness]:
    """The ledger writer on an empty database."""
    with service_harness(SERVICE, settings, FixedClock(NOW)) as harness:
        yield harness
