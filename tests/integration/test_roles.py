"""What each role may do in the database: what it is for, and nothing else."""

from collections.abc import Iterator

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from shared import db
from shared.db import AUDITOR, OPERATOR, OWNER
from shared.runtime.service import load_service
from shared.runtime.tables import METADATA as RUNTIME
from shared.settings import Settings
from shared.topology import Service, consumers

ROLES = (AUDITOR, OPERATOR, *(service.role for service in consumers()))
READ, APPEND = frozenset({"SELECT"}), frozenset({"SELECT", "INSERT"})
WRITE = APPEND | {"UPDATE", "DELETE"}

POSTED = {
    "ledger_writer": {"journal_entry", "posting", "posted_document", "application"},
    "invoicer": {"invoice", "invoice_line", "invoice_tax"},
}
"""What stands in the books is added to and never changed, not even by whoever wrote it."""

OPERATORS = {
    "held_record": {"SELECT"}
    | {
        f"UPDATE {name}"
        for name in ("decision", "decided_by", "decided_at", "decision_reason", "mended_value")
    },
    "held_key": {"SELECT", "UPDATE ready", "INSERT topic", "INSERT lane", "INSERT ready"},
    "inbox": {"SELECT"},
    "outbox": {"SELECT"},
}
"""Table by table, all that the operator may: a privilege, or one on a column."""

CHANGES = (
    "UPDATE {place} SET {column} = NULL",
    "DELETE FROM {place}",
    "TRUNCATE {place} CASCADE",
)
FORBIDDEN = (
    "INSERT INTO {other}.awaited VALUES ('', '', true)",
    "CREATE TABLE public.mine (id integer)",
    "CREATE TABLE {mine}.mine (id integer)",
    "CREATE TEMPORARY TABLE mine (id integer)",
    "CREATE SCHEMA mine",
)

ON_TABLES = text(
    "SELECT r.role, n.nspname AS schema, c.relname AS name, p.privilege"
    " FROM unnest(CAST(:roles AS text[])) r(role), pg_class c JOIN pg_namespace n"
    " ON n.oid = c.relnamespace, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',"
    " 'REFERENCES', 'TRIGGER']) p(privilege)"
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    " AND has_table_privilege(r.role, c.oid, p.privilege)"
)
ON_COLUMNS = text(
    "SELECT n.nspname AS schema, c.relname AS name, p.privilege || ' ' || a.attname AS privilege"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a"
    " ON a.attrelid = c.oid, unnest(ARRAY['INSERT', 'UPDATE', 'REFERENCES']) p(privilege)"
    " WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND n.nspname = ANY(:schemas)"
    " AND has_column_privilege(:role, c.oid, a.attnum, p.privilege)"
)
ON_SCHEMAS = text(
    "SELECT r.role, n.nspname AS schema, p.privilege FROM unnest(CAST(:roles AS text[])) r(role),"
    " pg_namespace n, unnest(ARRAY['USAGE', 'CREATE']) p(privilege)"
    " WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    " AND has_schema_privilege(r.role, n.oid, p.privilege)"
)
ON_DATABASE = text(
    "SELECT r.role, p.privilege FROM unnest(CAST(:roles AS text[])) r(role),"
    " unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) p(privilege)"
    " WHERE has_database_privilege(r.role, current_database(), p.privilege)"
)
ABOVE_RIGHTS = text(
    "SELECT rolname FROM pg_roles WHERE rolname = ANY(:roles) AND (rolsuper OR rolcreatedb"
    " OR rolcreaterole OR rolreplication OR rolbypassrls"
    " OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid)"
    " OR EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid))"
    " UNION ALL SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
    " WHERE prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
)


@pytest.fixture
def owner(migrated: Settings) -> Iterator[Connection]:
    """Who may ask the catalogue about everybody."""
    with db.transaction(migrated, OWNER) as connection:
        yield connection


Given = dict[tuple[str, str], frozenset[str]]


def given_to(owner: Connection, role: str) -> Given:
    """What `role` may do, by schema and table."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in owner.execute(ON_TABLES, {"roles": [role]}):
        found.setdefault((row.schema, row.name), set()).add(row.privilege)
    return {table: frozenset(privileges) for table, privileges in found.items()}


def own(service: Service) -> Given:
    """What the role of `service` is for: its tables as it declares them, and their version."""
    spec = load_service(service.name)
    tables = {**RUNTIME.tables, **spec.metadata.tables}
    rights = {
        name: frozenset(spec.grants[name].split(", ")) if name in spec.grants else WRITE
        for name in tables
    }
    rights |= {"runtime_version": READ, "service_version": READ}
    return {(service.name, name): privileges for name, privileges in rights.items()}


@pytest.mark.parametrize("service", consumers(), ids=lambda service: service.name)
def test_a_service_may_do_what_it_declares_on_its_own_tables_alone(
    owner: Connection, service: Service
) -> None:
    """If it failed: one service could read or write what is another's, truncate, or own a table."""
    assert given_to(owner, service.role) == own(service)
    asked = {"role": service.role, "schemas": [s.name for s in consumers() if s != service]}
    assert owner.execute(ON_COLUMNS, asked).all() == []


@pytest.mark.parametrize("name", POSTED)
def test_what_stands_in_the_books_is_only_added_to(owner: Connection, name: str) -> None:
    """If it failed: an invoice or a posting could change after it was told of."""
    everybody = [given_to(owner, role) for role in ROLES]
    for table in POSTED[name]:
        assert [given.get((name, table), frozenset()) - APPEND for given in everybody] == [
            frozenset()
        ] * len(ROLES)
        assert sum("INSERT" in given.get((name, table), ()) for given in everybody) == 1


def test_the_auditor_reads_everything_and_writes_nothing(owner: Connection) -> None:
    tables = {table for service in consumers() for table in own(service)}
    tables = {table for table in tables if not table[1].endswith("_version")}
    assert given_to(owner, AUDITOR) == dict.fromkeys(tables, READ)


def test_the_operator_decides_about_dead_letters_and_nothing_else(owner: Connection) -> None:
    names = [service.name for service in consumers()]
    found: dict[tuple[str, str], set[str]] = {
        table: set(privileges) for table, privileges in given_to(owner, OPERATOR).items()
    }
    for row in owner.execute(ON_COLUMNS, {"role": OPERATOR, "schemas": names}):
        found.setdefault((row.schema, row.name), set()).add(row.privilege)
    assert found == {(name, table): rights for name in names for table, rights in OPERATORS.items()}


def test_nobody_makes_anything_or_stands_above_rights(owner: Connection) -> None:
    """Given schemas and the database itself, then each role enters its own, and creates nowhere."""
    roles = {"roles": list(ROLES)}
    found = {(row.role, row.schema, row.privilege) for row in owner.execute(ON_SCHEMAS, roles)}
    entered = {(service.role, service.name) for service in consumers()}
    entered |= {(role, service.name) for role in (AUDITOR, OPERATOR) for service in consumers()}
    entered |= {(role, "public") for role in ROLES}
    assert found == {(role, schema, "USAGE") for role, schema in entered}
    assert set(owner.execute(ON_DATABASE, roles)) == {(role, "CONNECT") for role in ROLES}
    assert owner.execute(ABOVE_RIGHTS, roles).all() == []


@pytest.mark.parametrize("role", ROLES)
def test_what_the_catalogue_denies_is_refused(migrated: Settings, role: str) -> None:
    """The catalogue's word is the server's deed: a statement of each kind, under the role's own."""
    mine = {service.role: service.name for service in consumers()}.get(role, "")
    other = next(name for name in POSTED if name != mine)
    forbidden = [
        statement.format(place=f"{name}.{table}", column=_columns(name, table)[0])
        for name in sorted({mine, other} & POSTED.keys())
        for table in sorted(POSTED[name])
        for statement in CHANGES
    ]
    forbidden += [statement.format(mine=mine or other, other=other) for statement in FORBIDDEN]
    if role != AUDITOR:
        forbidden.append(f"TABLE {other}.awaited")
    engine = db.engine(migrated, role)
    for statement in forbidden:
        with pytest.raises(DBAPIError) as refused, engine.begin() as connection:
            connection.execute(text(statement))
        assert isinstance(refused.value.orig, InsufficientPrivilege), statement
    engine.dispose()


def _columns(service: str, table: str) -> list[str]:
    return load_service(service).metadata.tables[table].columns.keys()
