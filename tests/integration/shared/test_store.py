"""Rows of a table by key: read once, changed in memory, written at once, never lost or crossed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from threading import Barrier

import pytest
from pydantic import BaseModel
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, event, text

from shared import db
from shared.db import OWNER
from shared.errors import ConcurrentWrite
from shared.retry import transient_reason
from shared.settings import Settings
from shared.store import Json, Rows, Store
from shared.testing import scratch_database

METADATA = MetaData()


class Note(BaseModel, frozen=True):
    """What a jsonb column holds."""

    words: str = ""
    weight: int = 0


STOCK = Table(
    "stock",
    METADATA,
    Column("shop", Text, primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("pieces", Integer, nullable=False),
    Column("note", Json(Note)),
)
SHELF = Table(
    "shelf", METADATA, Column("shop", Text, primary_key=True), Column("name", Text, nullable=False)
)


@dataclass(frozen=True)
class StockRow:
    """The fields stand in another order than the columns."""

    pieces: int
    item: int
    shop: str
    note: Note | None = None


@dataclass(frozen=True)
class ShelfRow:
    shop: str
    name: str


class ShopStore(Store):
    """Two tables, written in the order in which they are declared."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.shelves = self.rows(SHELF, ShelfRow)
        self.stock = self.rows(STOCK, StockRow)


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Engine]:
    """A database with the tables."""
    with scratch_database(settings) as scratch:
        engine = db.engine(scratch, OWNER, pool_size=8)
        METADATA.create_all(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def engine(database: Engine) -> Engine:
    """The database, its tables empty."""
    with database.begin() as connection:
        connection.execute(text("TRUNCATE stock, shelf"))
    return database


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Every statement of `engine`."""
    seen: list[str] = []

    def note(*args: object) -> None:
        seen.append(str(args[2]))

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def stock() -> Rows[StockRow]:
    return Rows(STOCK, StockRow)


def fill(engine: Engine, *rows: StockRow) -> None:
    """Commit `rows`."""
    with engine.begin() as connection:
        filled = stock()
        filled.load(connection, map(filled.key, rows))
        for row in rows:
            filled.put(row)
        filled.flush(connection)


def stored(engine: Engine) -> dict[tuple[str, int], int]:
    """Pieces by key."""
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT shop, item, pieces FROM stock"))
        return {(row.shop, row.item): row.pieces for row in rows}


# ---------------------------------------------------------------- one batch


def test_what_is_put_is_read_back(engine: Engine) -> None:
    """Given rows of every kind of column, then they come back as they were."""
    rows = [
        StockRow(pieces=1, item=1, shop="a", note=Note(words='"quoted" \\ ü', weight=3)),
        StockRow(pieces=2, item=2, shop="a"),
        StockRow(pieces=-3, item=1, shop="b, {}'", note=Note()),
    ]
    fill(engine, *rows)
    with engine.begin() as connection:
        found = stock()
        found.load(connection, [("a", 1), ("a", 2), ("b, {}'", 1), ("c", 1)])
        assert found.all() == rows
        assert found.get("c", 1) is None


def test_a_key_that_nobody_asked_for_is_a_bug(engine: Engine) -> None:
    """Given a key that was never loaded, then reading it raises, naming table and key."""
    with engine.begin() as connection:
        rows = stock()
        rows.load(connection, [("a", 1)])
        with pytest.raises(KeyError, match=r"stock \('a', 2\) was not prefetched"):
            rows.get("a", 2)
        rows.absent([("a", 2)])
        assert rows.get("a", 2) is None


@pytest.mark.parametrize("size", [1, 500])
def test_any_number_of_rows_takes_one_select_one_insert_one_update(
    engine: Engine, size: int
) -> None:
    """Given rows known and new, then three statements; none for what is known or unchanged."""
    fill(engine, *(StockRow(pieces=1, item=n, shop="known") for n in range(size)))
    keys = [(shop, n) for shop in ("known", "new") for n in range(size)]
    with engine.begin() as connection, statements(engine) as seen:
        rows = stock()
        rows.load(connection, keys)
        rows.load(connection, keys)
        rows.flush(connection)
        assert [sql.split()[0] for sql in seen] == ["SELECT"]
        for shop, item in keys:
            rows.put(StockRow(pieces=2, item=item, shop=shop))
        rows.flush(connection)
        rows.flush(connection)
        assert [sql.split()[0] for sql in seen] == ["SELECT", "INSERT", "UPDATE"]
        for shop, item in keys:
            rows.put(StockRow(pieces=3, item=item, shop=shop))
        rows.flush(connection)
        assert [sql.split()[0] for sql in seen[3:]] == ["UPDATE"]
    assert stored(engine) == dict.fromkeys(keys, 3)


def test_undo_forgets_one_record_and_no_more(engine: Engine) -> None:
    """Given two records of a batch that change the same and other rows, then the second leaves."""
    fill(engine, StockRow(pieces=1, item=1, shop="a"), StockRow(pieces=1, item=2, shop="a"))
    with engine.begin() as connection:
        store = ShopStore(connection)
        store.stock.load(connection, [("a", n) for n in range(1, 6)])
        store.shelves.load(connection, [("a",)])
        store.begin()
        store.stock.put(StockRow(pieces=10, item=1, shop="a"))
        store.stock.put(StockRow(pieces=10, item=3, shop="a"))
        store.begin()
        for pieces in (20, 30):
            for item in (1, 2, 3, 4):
                store.stock.put(StockRow(pieces=pieces, item=item, shop="a"))
        store.shelves.put(ShelfRow("a", "top"))
        store.undo()
        pieces_now = [row.pieces if (row := store.stock.get("a", n)) else None for n in range(1, 6)]
        assert pieces_now == [10, 1, 10, None, None]
        assert store.shelves.get("a") is None
        store.begin()
        store.stock.put(StockRow(pieces=40, item=4, shop="a"))
        with statements(engine) as seen:
            store.flush()
        assert [sql.split()[:3] for sql in seen] == [
            ["INSERT", "INTO", "stock"],
            ["UPDATE", "stock", "t"],
        ]
    assert stored(engine) == {("a", 1): 10, ("a", 2): 1, ("a", 3): 10, ("a", 4): 40}


# ---------------------------------------------------------------- two batches


def test_a_row_that_another_inserted_first_makes_the_batch_run_again(engine: Engine) -> None:
    """Given two batches that both found no row, then the later one is refused, the first holds."""
    with engine.connect() as early, engine.connect() as late:
        first, second = stock(), stock()
        for connection, rows, pieces in ((early, first, 1), (late, second, 2)):
            rows.load(connection, [("a", 1)])
            rows.put(StockRow(pieces=pieces, item=1, shop="a"))
        first.flush(early)
        early.commit()
        with pytest.raises(ConcurrentWrite, match="stock"):
            second.flush(late)
    assert stored(engine) == {("a", 1): 1}


def test_a_row_that_is_gone_makes_the_batch_run_again(engine: Engine) -> None:
    """Given a row read without a lock and deleted since, then its change is refused."""
    fill(engine, StockRow(pieces=1, item=1, shop="a"))
    with engine.connect() as connection:
        rows = Rows(STOCK, StockRow, lock=False)
        rows.load(connection, [("a", 1)])
        with engine.begin() as other:
            other.execute(text("DELETE FROM stock"))
        rows.put(StockRow(pieces=2, item=1, shop="a"))
        with pytest.raises(ConcurrentWrite):
            rows.flush(connection)


def at_once(engine: Engine, *works: Callable[[Connection], None]) -> list[Exception | None]:
    """Run `works`, each in a transaction of its own, all begun; what each raised."""
    barrier = Barrier(len(works))

    def run(work: Callable[[Connection], None]) -> Exception | None:
        try:
            with engine.begin() as connection:
                connection.execute(text("SELECT 1"))
                barrier.wait(30)
                work(connection)
        except Exception as error:  # noqa: BLE001 -- handed back, to be looked at
            return error
        return None

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_batches_that_share_rows_neither_deadlock_nor_lose_a_change(engine: Engine) -> None:
    """Given four batches at once that ask for the same rows in any order, then every one counts."""
    keys = [("a", n) for n in range(20)]
    fill(engine, *(StockRow(pieces=0, item=n, shop="a") for _, n in keys))

    def add(seed: int) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            dice, rows = Random(seed), stock()
            rows.load(connection, dice.sample(keys, len(keys)))
            for key in dice.sample(keys, len(keys)):
                row = rows.get(*key)
                assert row is not None
                rows.put(replace(row, pieces=row.pieces + 1))
            rows.flush(connection)

        return work

    for turn in range(25):
        assert at_once(engine, *(add(4 * turn + n) for n in range(4))) == [None] * 4
    assert stored(engine) == dict.fromkeys(keys, 100)


def test_batches_that_insert_the_same_rows_do_not_deadlock(engine: Engine) -> None:
    """Given two batches that put the same new rows in opposite order, then one wins, one waits."""

    def insert(items: range) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            rows = stock()
            rows.load(connection, [("a", n) for n in items])
            for n in items:
                rows.put(StockRow(pieces=1, item=n, shop="a"))
            rows.flush(connection)

        return work

    for _ in range(5):
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE stock"))
        outcomes = at_once(engine, insert(range(3000)), insert(range(2999, -1, -1)))
        reasons = [error and transient_reason(error) for error in outcomes]
        assert sorted(reasons, key=str) == [None, "concurrent-write"]
        assert len(stored(engine)) == 3000
