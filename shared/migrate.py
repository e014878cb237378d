"""Schemas, tables, roles and rights of every service, brought up to date by numbered migrations.

The runtime's tables come first in each schema, then the service's own. Each service has a role
that may use its own schema and nothing else; the auditor may read everything, the operator may
decide about dead letters.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, inspect, text
from sqlalchemy.dialects.postgresql import JSONB

from shared import db
from shared.db import AUDITOR, OPERATOR, OWNER
from shared.errors import ConfigurationError
from shared.runtime.service import ServiceSpec, load_service
from shared.runtime.tables import METADATA as RUNTIME
from shared.settings import Settings
from shared.store import Json
from shared.topology import SERVICE, consumers

ROOT: Final = Path(__file__).resolve().parent.parent
RUNTIME_VERSIONS: Final = ROOT / "shared" / "migrations"
_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"
_OPERATOR_RIGHTS: Final = {
    "held_record": "SELECT, UPDATE"
    " (decision, decided_by, decided_at, decision_reason, mended_value)",
    "held_key": "SELECT, INSERT (topic, lane, ready), UPDATE (ready)",
    "inbox": "SELECT",
    "outbox": "SELECT",
}


def migrate(
    settings: Settings, names: Iterable[str] = (), report: Callable[[str], None] = lambda _: None
) -> None:
    """Bring the schemas of `names` (all, if none) up to date; safe to repeat, and concurrently.

    `settings.database_url` must be of a role that may create schemas and roles. Raises
    `ConfigurationError` on an unknown service or a role without password, `Unreachable` on an
    outage.
    """
    specs = [load_service(n) for n in names or [s.name for s in consumers()]]
    with db.answering(settings):
        bring_up(settings, specs, report)


def bring_up(
    settings: Settings,
    specs: Sequence[ServiceSpec],
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Roles, schemas, tables, rights of `specs`; one without migrations gets its tables plain."""
    admin = db.engine(settings, OWNER, statement_timeout_ms=60_000)
    with admin.begin() as connection:
        _serialise(connection)
        database = connection.engine.url.database
        connection.execute(text(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC'))
        for role in (AUDITOR, OPERATOR, *(SERVICE[spec.name].role for spec in specs)):
            _role(connection, role, settings.secret(role))
        for spec in specs:
            _schema(connection, spec.name)
    admin.dispose()
    for spec in specs:
        own = db.engine(settings, OWNER, search_path=spec.name, statement_timeout_ms=60_000)
        with own.begin() as connection:
            _serialise(connection)
            _upgrade(connection, RUNTIME_VERSIONS, "runtime_version", RUNTIME)
            _own_tables(connection, spec)
            _grant(connection, spec)
        own.dispose()
        report(f"{spec.name}: schema and rights up to date")


def _own_tables(connection: Connection, spec: ServiceSpec) -> None:
    if (ROOT / "services" / spec.name).is_dir():
        _upgrade(connection, versions_of(spec.name), "service_version", spec.metadata)
    else:
        spec.metadata.create_all(connection)
        _version_table(connection, "service_version")


def differences(settings: Settings, name: str) -> list[Any]:
    """What a migrated schema has otherwise than `store.py` and the runtime say; [] when equal."""
    spec = load_service(name)
    with inspecting(settings, name) as connection:
        found: list[Any] = compare_metadata(
            comparing(connection, "service_version"), _together(spec)
        )
        return found


def _serialise(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('colophon migrate'))"))


def _role(connection: Connection, role: str, password: str | None) -> None:
    known = connection.execute(
        text("SELECT rolcanlogin FROM pg_roles WHERE rolname = :role"), {"role": role}
    ).scalar()
    if known is None:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    if password is not None:
        literal = connection.execute(
            text("SELECT quote_literal(:password)"), {"password": password}
        ).scalar_one()
        connection.exec_driver_sql(f"ALTER ROLE {role} PASSWORD {literal}".replace("%", "%%"))
    elif known is None:
        msg = f"the new role {role} needs a password: put it into the file {role} of secrets_dir"
        raise ConfigurationError(msg)


def _schema(connection: Connection, name: str) -> None:
    role = SERVICE[name].role
    database = connection.engine.url.database
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA {name} TO {role}, {AUDITOR}, {OPERATOR}"))
    connection.execute(text(f'ALTER ROLE {role} IN DATABASE "{database}" SET search_path = {name}'))


def _grant(connection: Connection, spec: ServiceSpec) -> None:
    role = SERVICE[spec.name].role
    present = set(inspect(connection).get_table_names())
    for table in present & set(_together(spec).tables):
        rights = spec.grants.get(table, _ALL)
        connection.execute(text(f"REVOKE ALL ON {table} FROM {role}"))
        connection.execute(text(f"GRANT {rights} ON {table} TO {role}"))
        connection.execute(text(f"GRANT SELECT ON {table} TO {AUDITOR}"))
        if table in _OPERATOR_RIGHTS:
            connection.execute(text(f"GRANT {_OPERATOR_RIGHTS[table]} ON {table} TO {OPERATOR}"))
    connection.execute(text(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {spec.name} TO {role}"))
    connection.execute(text(f"GRANT SELECT ON runtime_version, service_version TO {role}"))


def versions_of(name: str) -> Path:
    """The folder of a service's migrations."""
    return ROOT / "services" / name / "migrations"


def _upgrade(connection: Connection, folder: Path, table: str, metadata: MetaData) -> None:
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    script = ScriptDirectory(str(folder), version_locations=[str(folder / "versions")])

    def steps(revision: Any, context: MigrationContext) -> Any:  # noqa: ANN401 - alembic's types
        del context
        return script._upgrade_revs("head", revision)  # noqa: SLF001 - what its own command does

    environment = EnvironmentContext(Config(), script, fn=steps)
    environment.configure(
        connection=connection, version_table=table, target_metadata=metadata, fn=steps
    )
    environment.run_migrations()
    _version_table(connection, table)


def _version_table(connection: Connection, name: str) -> None:
    context = MigrationContext.configure(connection, opts={"version_table": name})
    context._ensure_version_table()  # noqa: SLF001 - also where there is no migration yet


def comparing(
    connection: Connection, version_table: str, only: MetaData | None = None
) -> MigrationContext:
    """A context that compares tables (those of `only`) with the database."""

    def wanted(name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:
        del parents
        if kind != "table":
            return True
        if only is not None:
            return name in only.tables
        return name not in ("runtime_version", "service_version")

    return MigrationContext.configure(
        connection,
        opts={
            "version_table": version_table,
            "include_name": wanted,
            "compare_type": _differs,
            "compare_server_default": False,
        },
    )


def _differs(context: Any, inspected: Any, column: Any, found: Any, wanted: Any) -> bool | None:  # noqa: ANN401 -- alembic's types
    del context, inspected, column
    return False if isinstance(wanted, Json) and isinstance(found, JSONB) else None


def _together(spec: ServiceSpec) -> MetaData:
    both = MetaData()
    for table in (*RUNTIME.tables.values(), *spec.metadata.tables.values()):
        table.to_metadata(both)
    return both


@contextmanager
def inspecting(settings: Settings, schema: str) -> Iterator[Connection]:
    """A connection of the owner that looks at `schema`."""
    own: Engine = db.engine(settings, OWNER, search_path=schema)
    with own.connect() as connection:
        yield connection
    own.dispose()
