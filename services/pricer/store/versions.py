"""Versions of dated master data: when each of them holds, and the whole of those that may."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection

from services.pricer.store.tables import Head
from shared.store import Key, Rows
from shared.validity import covers, in_force


class VersionRow(Protocol):
    """A row that holds one version."""

    @property
    def head(self) -> Head:
        """When it holds."""
        ...


V = TypeVar("V", bound=VersionRow)


class Versions(Generic[V]):
    """The versions of one kind of thing, by the key of the thing: the row's key less the version.

    Heads must have been added for every version of a thing before it is asked for, so that a
    version which replaces another is never overlooked.
    """

    def __init__(self, rows: Rows[V]) -> None:
        self.rows = rows
        self._heads: dict[Key, dict[Key, Head]] = defaultdict(dict)

    def add_heads(self, heads: Iterable[Head]) -> None:
        """Learn when stored versions hold."""
        for head in heads:
            self._heads[head.key[:-1]][head.key] = head

    def load(self, connection: Connection, days: set[date], keys: Iterable[Key]) -> None:
        """Read the versions that may hold on one of `days`, and those under `keys`."""
        may_hold = {
            head.key
            for heads in self._heads.values()
            for head in heads.values()
            if any(covers(head, day, day) for day in days)
        }
        self.rows.load(connection, may_hold.union(keys))

    def put(self, row: V) -> None:
        """A new version."""
        self.rows.put(row)
        self.add_heads([row.head])

    def holding(self, thing: Key, on: date) -> tuple[V, ...] | None:
        """The version of `thing` in force on `on`, () where none is, None where none was seen."""
        heads = self._heads.get(thing)
        if not heads:
            return None
        head = in_force(heads.values(), on)
        row = self.rows.get(*head.key) if head else None
        return (row,) if row else ()
