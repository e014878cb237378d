"""Migrations against the tables that the stores declare."""

from shared.migrate import differences, migrate
from shared.settings import Settings
from shared.testing import scratch_database
from shared.topology import consumers


def test_migrations_make_what_the_stores_declare(settings: Settings) -> None:
    """Given an empty database, when migrated twice, then the tables are as declared."""
    with scratch_database(settings) as scratch:
        migrate(scratch)
        migrate(scratch)
        for service in consumers():
            assert differences(scratch, service.name) == [], service.name
