"""What a batch knows and changes: rows read by key in one statement, written in one or two.

A service's store declares its tables as `Rows`. `prefetch` loads what the whole batch needs,
handlers read and put frozen rows in memory, `flush` writes what changed. The number of statements
depends on the number of tables, never on the number of records. Nothing here commits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import BindParameter, Column, Connection, RowMapping, Table, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

from shared.errors import ConcurrentWrite
from shared.events.base import Event

R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)
Key = tuple[Any, ...]

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


class Json(UserDefinedType[M], Generic[M]):
    """A jsonb column that holds one frozen pydantic model, without fields at their default."""

    cache_ok = True

    def __init__(self, model: type[M]) -> None:
        self.model = model

    def get_col_spec(self, **_: object) -> str:
        """The column's type in DDL."""
        return "JSONB"

    def bind_processor(self, dialect: object) -> Callable[[M | None], str | None]:
        """Model to JSON text."""
        del dialect
        return lambda value: None if value is None else value.model_dump_json(exclude_defaults=True)

    def result_processor(self, dialect: object, coltype: object) -> Callable[[Any], M | None]:
        """JSON text (see `shared.db`) to model."""
        del dialect, coltype
        return lambda value: None if value is None else parsed(self.model, value)


@lru_cache(maxsize=128)
def parsed(model: type[M], content: str) -> M:
    """The frozen model in a JSON column; master data comes back with every batch, parsed once."""
    return model.model_validate_json(content)


class Rows(Generic[R]):
    """The rows of one table that a batch reads or writes, by primary key.

    `row` is a frozen dataclass with one field per column, in any order. Rows that were loaded
    with `lock` are held until the end of the transaction, in key order, so that two batches
    cannot deadlock on them. A row put under a key that was not there is inserted; when another
    transaction was faster, `ConcurrentWrite` makes the batch run again. What breaks any other
    constraint is refused by the database, whoever was faster.
    """

    def __init__(self, table: Table, row: type[R], *, lock: bool = True) -> None:
        self.table = table
        self.row = row
        self.key_columns = tuple(table.primary_key.columns)
        self._names = tuple(field.name for field in fields(row))  # type: ignore[arg-type]
        self._models = _models(table, self._names)
        self._key = attrgetter(*(column.name for column in self.key_columns))
        self._select = _select(table, self._names, self.key_columns, lock=lock)
        self._known: dict[Key, R] = {}
        self._missing: set[Key] = set()
        self._stored: set[Key] = set()
        self._dirty: dict[Key, None] = {}
        self._undo: list[tuple[Key, R | None, bool]] = []

    def load(self, connection: Connection, keys: Iterable[Key]) -> None:
        """Read the rows under `keys` that were not read yet, in one statement."""
        wanted = sorted(set(keys) - self._stored - self._missing)
        if not wanted:
            return
        columns = list(zip(*wanted, strict=True))
        parameters = {f"k{i}": list(values) for i, values in enumerate(columns)}
        self.adopt(connection.execute(self._select, parameters).mappings())
        self._missing.update(key for key in wanted if key not in self._stored)

    def adopt(self, found: Iterable[RowMapping]) -> None:
        """Take in rows that a query of the service's own has read (and locked, if it writes)."""
        for mapping in found:
            values = {name: mapping[name] for name in self._names}
            for name, model in self._models:
                if isinstance(content := values[name], str):
                    values[name] = parsed(model, content)
            row = self.row(**values)
            key = self.key(row)
            self._known.setdefault(key, row)
            self._stored.add(key)

    def absent(self, keys: Iterable[Key]) -> None:
        """Take in, without asking, that no row stands under `keys`: their parent is not there."""
        self._missing.update(key for key in keys if key not in self._stored)

    def get(self, *key: object) -> R | None:
        """The row under `key`, or None; a key never loaded is a bug and raises."""
        if key in self._known:
            return self._known[key]
        if key in self._missing:
            return None
        msg = f"{self.table.name} {key} was not prefetched"
        raise KeyError(msg)

    def all(self) -> list[R]:
        """Every row known to this batch, in key order."""
        return [self._known[key] for key in sorted(self._known)]

    def put(self, row: R) -> R:
        """Insert or replace `row` under its own key when the batch is flushed."""
        key = self.key(row)
        self._undo.append((key, self._known.get(key), key in self._dirty))
        self._known[key] = row
        self._dirty[key] = None
        return row

    def key(self, row: R) -> Key:
        """The primary key of `row`."""
        key = self._key(row)
        return key if len(self.key_columns) > 1 else (key,)

    def begin(self) -> None:
        """A new record starts: what follows can be undone."""
        self._undo.clear()

    def undo(self) -> None:
        """Forget what was put since `begin`."""
        for key, before, was_dirty in reversed(self._undo):
            if before is None:
                del self._known[key]
            else:
                self._known[key] = before
            if not was_dirty:
                self._dirty.pop(key, None)
        self._undo.clear()

    def flush(self, connection: Connection) -> None:
        """Write what was put: one INSERT for the new, one UPDATE for the changed."""
        dirty = sorted(self._dirty)  # whoever inserts the same rows waits instead of deadlocking
        fresh = [self._known[key] for key in dirty if key not in self._stored]
        changed = [self._known[key] for key in dirty if key in self._stored]
        if fresh:
            self._write(connection, _insert_missing(self.table, self._names), fresh)
        if changed:
            self._write(connection, _update(self.table, self._names, self.key_columns), changed)
        self._stored.update(self._dirty)
        self._dirty.clear()

    def _write(self, connection: Connection, statement: TextClause, rows: Sequence[R]) -> None:
        done = connection.execute(statement, column_arrays(self.table, self._names, rows))
        if done.rowcount != len(rows):
            raise ConcurrentWrite(self.table.name)


class Store:
    """Base of a service's store: owns its `Rows` and the order in which they are written."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._tables: list[Rows[Any]] = []

    def rows(self, table: Table, row: type[R], *, lock: bool = True) -> Rows[R]:
        """Declare a table of this store; tables are flushed in the order of declaration."""
        declared = Rows(table, row, lock=lock)
        self._tables.append(declared)
        return declared

    def prefetch(self, events: Sequence[Event]) -> None:
        """Read all that the handlers of `events` will ask for, in a fixed number of statements."""

    def begin(self) -> None:
        """A new record starts."""
        for rows in self._tables:
            rows.begin()

    def undo(self) -> None:
        """The record failed: forget what its handler put."""
        for rows in self._tables:
            rows.undo()

    def flush(self) -> None:
        """Write what the handlers put, in a fixed number of statements."""
        for rows in self._tables:
            rows.flush(self.connection)


@cache
def _models(table: Table, names: tuple[str, ...]) -> tuple[tuple[str, type[BaseModel]], ...]:
    """The JSON columns among `names`, each with its model."""
    kinds = ((name, table.c[name].type) for name in names)
    return tuple((name, kind.model) for name, kind in kinds if isinstance(kind, Json))


def column_arrays(table: Table, names: Sequence[str], rows: Sequence[object]) -> dict[str, Any]:
    """One list per column, ready for `unnest`."""
    arrays: dict[str, Any] = {}
    for name in names:
        values = [getattr(row, name) for row in rows]
        kind = table.c[name].type
        if isinstance(kind, Json):
            dump = kind.bind_processor(None)
            values = [dump(value) for value in values]
        arrays[name] = values
    return arrays


def insert_statement(table: Table, names: Sequence[str]) -> TextClause:
    """INSERT ... SELECT unnest ...: one statement for any number of rows."""
    return text(_insert(table, names))


@cache
def _insert_missing(table: Table, names: tuple[str, ...]) -> TextClause:
    key = ", ".join(column.name for column in table.primary_key)
    return text(f"{_insert(table, names)} ON CONFLICT ({key}) DO NOTHING")


def _insert(table: Table, names: Sequence[str]) -> str:
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {_cast_back(table, names)}"  # noqa: S608 -- names of our own tables
        f" FROM {_unnest(table, names)}"
    )


@cache
def _update(table: Table, names: tuple[str, ...], key: tuple[Column[Any], ...]) -> TextClause:
    keys = [column.name for column in key]
    rest = [name for name in names if name not in keys]
    assign = ", ".join(f"{n} = {_cast_one(table, n)}" for n in rest)
    match = " AND ".join(f"t.{name} = u.{name}" for name in keys)
    return text(
        f"UPDATE {table.name} t SET {assign} FROM {_unnest(table, names)} WHERE {match}"  # noqa: S608 -- names of our own tables
    )


@cache
def _select(
    table: Table, names: tuple[str, ...], key: tuple[Column[Any], ...], *, lock: bool
) -> TextClause:
    arrays = ", ".join(f"CAST(:k{i} AS {_array_type(c)}[])" for i, c in enumerate(key))
    keys = ", ".join(f"t.{column.name}" for column in key)
    inner = ", ".join(f"c{i}" for i in range(len(key)))
    match = " AND ".join(f"t.{column.name} = u.c{i}" for i, column in enumerate(key))
    columns = ", ".join(f"t.{name}" for name in names)
    suffix = " FOR UPDATE OF t" if lock else ""
    return text(
        f"SELECT {columns} FROM {table.name} t JOIN unnest({arrays}) AS u({inner}) ON {match}"  # noqa: S608 -- names of our own tables
        f" ORDER BY {keys}{suffix}"
    )


def _unnest(table: Table, names: Sequence[str]) -> str:
    arrays = ", ".join(f"CAST(:{name} AS {_array_type(table.c[name])}[])" for name in names)
    return f"unnest({arrays}) AS u({', '.join(names)})"


def _cast_back(table: Table, names: Sequence[str]) -> str:
    return ", ".join(_cast_one(table, name) for name in names)


def _cast_one(table: Table, name: str) -> str:
    return f"u.{name}::jsonb" if isinstance(table.c[name].type, Json) else f"u.{name}"


def _array_type(column: Column[Any] | BindParameter[Any]) -> str:
    if isinstance(column.type, Json):
        return "text"
    compiled: str = column.type.compile(_DIALECT)
    return "text" if compiled.startswith("VARCHAR") else compiled


def as_dict(row: object) -> dict[str, Any]:
    """The fields of a row (a dataclass instance) by name."""
    return asdict(row)  # type: ignore[call-overload,no-any-return]
