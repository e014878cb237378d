"""The service on a database of its own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from services.metrics_extractor.main import SERVICE
from services.metrics_extractor.store.tables import METADATA
from shared import db
from shared.clock import FixedClock
from shared.db import OWNER
from shared.settings import Settings
from shared.testing import ServiceHarness, service_harness
from tests.unit.metrics_extractor.builders import LATER, cost_rate, entity


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[ServiceHarness]:
    """The service on a database of its own; each test empties it first."""
    with service_harness(SERVICE, settings, FixedClock(LATER)) as harness:
        yield harness


@pytest.fixture
def empty(database: ServiceHarness) -> ServiceHarness:
    """The service as it is when it has never heard of anything."""
    owner = db.engine(database.settings, OWNER, search_path=SERVICE.name)
    with owner.begin() as connection:
        names = ", ".join(table.name for table in METADATA.sorted_tables)
        connection.execute(text(f"TRUNCATE {names}"))
    owner.dispose()
    return database


@pytest.fixture
def shop(empty: ServiceHarness) -> ServiceHarness:
    """The service, knowing a legal entity and its cost rates."""
    empty.apply(entity(), cost_rate())
    return empty
