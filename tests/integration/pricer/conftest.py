"""The pricer on a database of its own, on a fixed day; emptied before each test."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest
from sqlalchemy import text

from services.pricer.main import SERVICE
from services.pricer.store.tables import METADATA
from shared import db
from shared.clock import FixedClock
from shared.db import OWNER
from shared.settings import Settings
from shared.testing import ServiceHarness, service_harness

NOW: Final = datetime(2026, 3, 3, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def migrated(settings: Settings) -> Iterator[ServiceHarness]:
    with service_harness(SERVICE, settings, FixedClock(NOW)) as harness:
        yield harness


@pytest.fixture
def harness(migrated: ServiceHarness) -> ServiceHarness:
    with db.transaction(migrated.settings, OWNER, search_path=SERVICE.name) as connection:
        connection.execute(text(f"TRUNCATE {', '.join(METADATA.tables)}"))
    migrated.emitted.clear()
    return migrated
