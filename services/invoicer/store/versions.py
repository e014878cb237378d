"""Versions of master data by whom they belong to: one look instead of a search per job."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, TypeVar

from sqlalchemy import RowMapping

from shared.store import Key, Rows

R = TypeVar("R")


class Versions(Generic[R]):
    """The rows of a table of versions that a batch has read or may yet put, by their owner."""

    def __init__(self, rows: Rows[R]) -> None:
        self._rows = rows
        self._keys: defaultdict[str, set[Key]] = defaultdict(set)

    def adopt(self, found: Iterable[RowMapping], owner: str) -> None:
        """Take in rows that a query has read; the column `owner` says whose they are."""
        mappings = list(found)
        self._rows.adopt(mappings)
        for one in mappings:
            key = tuple(one[column.name] for column in self._rows.key_columns)
            self._keys[one[owner]].add(key)

    def expect(self, owner: str, key: Key) -> None:
        """A version of `owner` arrives with this batch under `key`; its row has been loaded."""
        self._keys[owner].add(key)

    def of(self, owner: str) -> list[R]:
        """The versions of `owner`, in key order: those stored, and those put by now."""
        found = (self._rows.get(*key) for key in sorted(self._keys.get(owner, ())))
        return [row for row in found if row is not None]
