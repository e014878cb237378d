"""What the database itself refuses, and what the service refuses to start on."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from psycopg.errors import (
    CheckViolation,
    ForeignKeyViolation,
    InsufficientPrivilege,
    UniqueViolation,
)
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.ledger_writer import handler
from services.ledger_writer.main import SERVICE
from services.ledger_writer.store import LedgerStore
from services.ledger_writer.store.rows import EntryRow, PostingRow
from shared import db
from shared.db import OWNER
from shared.errors import ConfigurationError, Rejected
from shared.events.billing import LineKind
from shared.metrics import REGISTRY
from shared.testing import ServiceHarness
from tests.integration.ledger_writer.reading import count, read_chain
from tests.invoices import ISSUED, numbered
from tests.unit.ledger_writer.cases import NOW, issued, line, payment

NAMES = EntryRow.__slots__
INSERT_ENTRY = text(
    f"INSERT INTO journal_entry ({', '.join(NAMES)}) VALUES ({', '.join(f':{n}' for n in NAMES)})"  # noqa: S608 - the names are the row's own
)
APPEND_ONLY = ("journal_entry", "posting", "posted_document", "application")


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET entry_id = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_the_service_itself_may_not_change_what_is_posted(
    standing: ServiceHarness, table: str, statement: str
) -> None:
    with pytest.raises(DBAPIError) as caught, standing.engine.begin() as connection:
        connection.execute(text(statement.format(table)))

    assert isinstance(caught.value.orig, InsufficientPrivilege)


def _forged(books: ServiceHarness, **changes: object) -> EntryRow:
    """An entry that follows the last one."""
    last = read_chain(books)[-1]
    values: dict[str, object] = {
        "entry_id": "forged",
        "legal_entity_id": "DE01",
        "sequence": last.sequence + 1,
        "kind": "payment",
        "source_id": "PAY-9",
        "posted_at": NOW,
        "posted_on": NOW.date(),
        "currency": "EUR",
        "description": "forged",
        "posting_count": 2,
        "previous_hash": last.hash,
        "hash": "a" * 64,
    }
    return EntryRow(**(values | changes))  # type: ignore[arg-type]


def _side(number: int, debit: str, credit: str, entry_id: str = "forged") -> PostingRow:
    return PostingRow(
        entry_id, number, "Assets:Bank", "Bank", Decimal(debit), Decimal(credit), None
    )


def _write(books: ServiceHarness, entry: EntryRow | None, sides: Sequence[PostingRow]) -> None:
    """Flush these rows as the service would; nothing is left to the commit."""
    with books.engine.connect() as connection:
        store = LedgerStore(connection)
        if entry:
            store.entries.put(entry)
        for side in sides:
            store.postings.put(side)
        store.flush()
        connection.commit()


def test_the_database_takes_a_whole_entry(books: ServiceHarness) -> None:
    # the positive control of the refusals below
    books.apply(ISSUED)
    entry = _forged(books)

    _write(books, entry, [_side(1, "1", "0"), _side(2, "0", "1")])

    assert count(books, "journal_entry") == 2


@pytest.mark.parametrize(
    "sides",
    [
        [_side(1, "1", "0"), _side(2, "0", "0.9999")],
        [_side(1, "1", "0")],
        [],
        [_side(1, "1", "0"), _side(2, "0", "0.5"), _side(3, "0", "0.5")],
        [_side(1, "1", "1"), _side(2, "1", "1")],
        [_side(1, "-1", "0"), _side(2, "0", "-1")],
    ],
    ids=["unbalanced", "one side", "no sides", "one too many", "both sides", "negative"],
)
def test_the_database_refuses_an_entry_that_is_not_whole(
    standing: ServiceHarness, sides: list[PostingRow]
) -> None:
    with pytest.raises(DBAPIError) as caught:
        _write(standing, _forged(standing), sides)

    assert isinstance(caught.value.orig, CheckViolation)
    assert count(standing, "journal_entry") == 2


def test_the_database_refuses_a_further_posting_to_an_old_entry(standing: ServiceHarness) -> None:
    # given a posted entry, and a balanced pair somebody wants to add to it
    entry = read_chain(standing)[0]
    pair = [_side(8, "5", "0", entry.entry_id), _side(9, "0", "5", entry.entry_id)]

    with pytest.raises(DBAPIError) as caught:
        _write(standing, None, pair)

    assert isinstance(caught.value.orig, CheckViolation)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"previous_hash": "b" * 64}, ForeignKeyViolation),
        ({"sequence": 4}, ForeignKeyViolation),
        ({"sequence": 2}, UniqueViolation),
        ({"sequence": 0}, CheckViolation),
        ({"legal_entity_id": "GB01", "sequence": 1}, CheckViolation),
        ({"hash": "no hash"}, CheckViolation),
        ({"kind": "other"}, CheckViolation),
    ],
    ids=["other hash", "gap", "fork", "before the first", "no genesis", "not a hash", "kind"],
)
def test_the_database_refuses_an_entry_that_does_not_follow(
    standing: ServiceHarness, changes: dict[str, object], refusal: type[Exception]
) -> None:
    entry = _forged(standing, **changes)

    with pytest.raises(DBAPIError) as caught, standing.engine.begin() as connection:
        connection.execute(INSERT_ENTRY, {name: getattr(entry, name) for name in NAMES})

    assert isinstance(caught.value.orig, refusal)


def test_an_invoice_number_is_posted_once(books: ServiceHarness) -> None:
    # given another document under a number that stands in the books, or comes in the same batch
    twins = [numbered(n).model_copy(update={"invoice_number": "R-2026-000001"}) for n in (2, 3)]

    with pytest.raises(Rejected) as in_one_batch:
        books.apply(*twins)
    books.apply(twins[0])
    with pytest.raises(Rejected) as later:
        books.apply(twins[1])

    assert {in_one_batch.value.code, later.value.code} == {"number-posted-before"}
    assert count(books, "posted_document") == 1


def test_the_service_starts_on_sound_books(books: ServiceHarness) -> None:
    # given empty books, and then a hundred and twenty entries
    handler.check_books(books)
    books.apply(*(numbered(number) for number in range(1, 121)))

    # then it starts on both, with a fixed number of statements
    books.statements = 0
    handler.check_books(books)
    assert books.statements < 10


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE posting SET debit = debit + 1 WHERE debit > 0", "entry 1 does not follow"),
        ("UPDATE chain_head SET sequence = 9", "the head is at entry 9, the last entry is 1"),
        ("DELETE FROM posting", "entry 1 does not follow"),
    ],
    ids=["changed amount", "head ahead", "postings gone"],
)
def test_the_service_refuses_to_start_on_changed_books(
    books: ServiceHarness, damage: str, words: str
) -> None:
    # given a database administrator who changes what is posted, triggers switched off
    books.apply(issued([line(1, LineKind.PRODUCT, "100.00")]))
    owner = db.engine(books.settings, OWNER, search_path=SERVICE.name)
    with owner.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(damage))
    owner.dispose()

    with pytest.raises(ConfigurationError, match=words):
        handler.check_books(books)


def test_what_customers_owe_is_a_metric(books: ServiceHarness) -> None:
    # given three invoices, one of them overdue and paid in part, one settled
    books.apply(
        *(numbered(number) for number in (1, 2)),
        numbered(3, due_on=NOW.date() - timedelta(days=1)),
        payment("1223.08", numbered(1)),
        payment("1000.00", numbered(3)),
    )

    emitted = books.tick("figures")

    assert emitted == []
    assert value_of("colophon_open_amount") == 1446.16
    assert value_of("colophon_overdue_amount") == 223.08
    assert value_of("colophon_ledger_imbalance") == 0


def value_of(metric: str) -> float | None:
    labels = {"service": SERVICE.name, "currency": "EUR"}
    return REGISTRY.get_sample_value(metric, labels)
