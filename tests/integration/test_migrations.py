"""Migrations against the tables that the stores declare, and what each role may do."""

import pytest
from sqlalchemy import text

from shared import db
from shared.db import AUDITOR, OPERATOR
from shared.errors import Unreachable
from shared.migrate import differences, migrate
from shared.settings import Settings
from shared.testing import scratch_database
from shared.topology import consumers


def test_migrations_make_what_the_stores_declare_and_roles_keep_apart(settings: Settings) -> None:
    """Given an empty database, when migrated twice, then tables are as declared, roles confined."""
    with scratch_database(settings) as scratch:
        migrate(scratch)
        migrate(scratch)
        for service in consumers():
            assert differences(scratch, service.name) == [], service.name
            _is_confined(scratch, service.name, service.role)
        _may_only_read(scratch, AUDITOR)
        _may_only_decide(scratch)


def _refuses(settings: Settings, role: str, sql: str) -> None:
    with (
        pytest.raises(Unreachable, match="permission denied"),
        db.transaction(settings, role) as connection,
    ):
        connection.execute(text(sql))


def _is_confined(settings: Settings, name: str, role: str) -> None:
    with db.transaction(settings, role) as connection:
        assert connection.execute(text("SELECT current_schema()")).scalar_one() == name
        connection.execute(text("SELECT count(*) FROM inbox"))
    other = next(s.name for s in consumers() if s.name != name)
    _refuses(settings, role, f"SELECT count(*) FROM {other}.inbox")  # noqa: S608 -- of the map
    _refuses(settings, role, "CREATE TABLE mine (id integer)")


def _may_only_read(settings: Settings, role: str) -> None:
    for service in consumers():
        with db.transaction(settings, role, search_path=service.name) as connection:
            connection.execute(text("SELECT count(*) FROM inbox"))
        _refuses(settings, role, f"DELETE FROM {service.name}.inbox")  # noqa: S608 -- of the map


def _may_only_decide(settings: Settings) -> None:
    with db.transaction(settings, OPERATOR, search_path="pricer") as connection:
        connection.execute(text("UPDATE held_record SET decision = 'replay' WHERE false"))
    _refuses(settings, OPERATOR, "UPDATE pricer.held_record SET value = ''")
    _refuses(settings, OPERATOR, "SELECT count(*) FROM pricer.job")
