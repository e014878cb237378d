"""The books in a real database: posted once, bound in a chain, and only ever growing."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from services.ledger_writer.domain import chain
from services.ledger_writer.main import SERVICE
from services.ledger_writer.store import LedgerStore
from services.ledger_writer.store.rows import EntryRow, PostingRow
from shared import db
from shared.clock import FixedClock
from shared.errors import ConfigurationError, Rejected, WaitFor
from shared.events.accounting import EntryPosted, InvoicePosted, Posting
from shared.events.base import Event
from shared.events.billing import InvoiceIssued, LineKind
from shared.ids import record_key
from shared.metrics import REGISTRY
from shared.migrate import OWNER
from shared.settings import Settings
from shared.testing import ServiceHarness, service_harness
from tests.invoices import ISSUED, SELLER, credit_note, numbered
from tests.unit.ledger_writer.cases import NOW, issued, line, payment

NAMES = EntryRow.__slots__
INSERT_ENTRY = text(
    f"INSERT INTO journal_entry ({', '.join(NAMES)}) VALUES ({', '.join(f':{n}' for n in NAMES)})"  # noqa: S608 - the names are the row's own
)
APPEND_ONLY = ("journal_entry", "posting", "posted_document", "application")


@pytest.fixture(scope="module")
def standing(settings: Settings) -> Iterator[ServiceHarness]:
    """The ledger writer with an invoice and a payment posted, for tests that change nothing."""
    with service_harness(SERVICE, settings, FixedClock(NOW)) as harness:
        harness.apply(ISSUED, payment("1.00", ISSUED))
        yield harness


@pytest.fixture
def books(settings: Settings) -> Iterator[ServiceHarness]:
    """The ledger writer on an empty database."""
    with service_harness(SERVICE, settings, FixedClock(NOW)) as harness:
        yield harness


def read_chain(books: ServiceHarness, legal_entity_id: str = "DE01") -> list[EntryPosted]:
    """The journal of a legal entity, read back by another role than the one that wrote it."""
    sides: dict[str, list[Posting]] = {}
    for row in books.query("SELECT * FROM posting ORDER BY entry_id, line_no"):
        values = {name: getattr(row, name) for name in Posting.model_fields}
        sides.setdefault(row.entry_id, []).append(Posting(**values))
    rows = books.query(
        "SELECT * FROM journal_entry WHERE legal_entity_id = :le ORDER BY sequence",
        le=legal_entity_id,
    )
    names = set(EntryPosted.model_fields) - {"postings"}
    return [
        EntryPosted(
            **{name: getattr(row, name) for name in names},
            postings=tuple(sides.get(row.entry_id, ())),
        )
        for row in rows
    ]


def balance(books: ServiceHarness, account: str) -> Decimal:
    rows = books.query(
        "SELECT COALESCE(sum(debit - credit), 0) AS n FROM posting WHERE account = :account",
        account=account,
    )
    total: Decimal = rows[0].n
    return total


def count(books: ServiceHarness, table: str) -> int:
    found: int = books.query(f"SELECT count(*) AS n FROM {table}")[0].n  # noqa: S608 - a constant
    return found


def test_an_issued_invoice_stands_in_the_books_and_accounting_is_told(
    books: ServiceHarness,
) -> None:
    # when an invoice is issued
    entry, posted = books.apply(ISSUED)

    # then its entry, its postings, the document and the open item are stored
    assert isinstance(entry, EntryPosted)
    assert isinstance(posted, InvoicePosted)
    assert read_chain(books) == [entry]
    assert balance(books, "Assets:Receivable") == Decimal("1223.08")
    assert balance(books, "Income:Print:Products") == Decimal("-1027.80")
    assert balance(books, "Liabilities:OutputTax:S-19") == Decimal("-195.28")
    row = books.query("SELECT * FROM posted_document")[0]
    assert (row.document_number, row.gross_total, row.job_id) == (
        "R-2026-000001",
        Decimal("1223.08"),
        "J-1",
    )
    assert books.query("SELECT open_amount FROM receivable")[0].open_amount == Decimal("1223.08")
    # and the published figures are the stored ones
    assert (posted.entry_id, posted.gross_total) == (entry.entry_id, row.gross_total)


def test_what_the_inbox_has_forgotten_is_still_posted_once(books: ServiceHarness) -> None:
    # given an invoice, a payment and a credit note in the books
    story = [ISSUED, payment("23.08", ISSUED), credit_note()]
    books.apply(*story)
    before = read_chain(books)

    # when all of it comes again, after the inbox has been trimmed
    again = books.apply(*story)

    # then nothing is posted or published, and the open item has not moved
    assert again == []
    assert read_chain(books) == before
    assert books.query("SELECT open_amount FROM receivable")[0].open_amount == Decimal("-23.08")


def test_the_same_invoice_with_other_figures_is_rejected(books: ServiceHarness) -> None:
    books.apply(ISSUED)
    other = issued([line(1, LineKind.PRODUCT, "1.00")])

    with pytest.raises(Rejected) as caught:
        books.apply(other)

    assert caught.value.code == "posted-otherwise"
    assert count(books, "journal_entry") == 1


@pytest.mark.parametrize("early", [payment("1.00", ISSUED), credit_note()], ids=["payment", "note"])
def test_what_refers_to_an_invoice_waits_for_it(books: ServiceHarness, early: Event) -> None:
    # given the payment (or credit note) before its invoice, from another topic
    with pytest.raises(WaitFor) as caught:
        books.apply(early)

    # then it waits for exactly the fact that the invoice brings
    facts = SERVICE.facts[InvoiceIssued](ISSUED)
    assert [(fact.kind, fact.key) for fact in facts] == [(caught.value.kind, caught.value.key)]
    assert caught.value.key == record_key("DE01", ISSUED.invoice_id)
    assert count(books, "journal_entry") == 0


def test_one_batch_may_hold_the_whole_story_of_an_invoice(books: ServiceHarness) -> None:
    # given invoice, two part payments, one of them returned, and a credit note over the rest
    rest = issued([line(1, LineKind.PRODUCT, "1027.80")])
    emitted = books.apply(
        ISSUED,
        payment("1000.00", ISSUED),
        payment("223.08", ISSUED, payment_id="PAY-2"),
        payment("-223.08", ISSUED, payment_id="PAY-2", application_no=2),
        credit_note(rest, net_total=Decimal("187.46"), **_part()),
    )

    # then every step is an entry of its own and the chain holds
    book = read_chain(books)
    assert [entry.kind for entry in book] == [
        "invoice",
        "payment",
        "payment",
        "payment-reversal",
        "credit-note",
    ]
    assert chain.broken_at(book, chain.first_head("DE01")) is None
    assert [event for event in emitted if isinstance(event, EntryPosted)] == book
    # and the customer owes nothing, in the journal as in the open item
    assert balance(books, "Assets:Receivable") == 0
    assert books.query("SELECT open_amount FROM receivable")[0].open_amount == 0


def _part() -> dict[str, object]:
    part = issued([line(1, LineKind.PRODUCT, "187.46")])
    return {
        "lines": part.lines,
        "taxes": part.taxes,
        "tax_total": part.tax_total,
        "gross_total": part.gross_total,
    }


def test_receivables_account_equals_the_sum_of_open_items(books: ServiceHarness) -> None:
    # given forty invoices, some paid in part, some credited, some overpaid
    invoices = [numbered(number) for number in range(1, 41)]
    books.apply(
        *invoices,
        *(payment(f"{number}.50", invoices[number]) for number in range(0, 40, 2)),
        *(credit_note(invoices[number]) for number in range(0, 40, 5)),
    )

    open_items = books.query("SELECT sum(open_amount) AS n FROM receivable")[0].n
    assert balance(books, "Assets:Receivable") == open_items
    assert open_items == 32 * Decimal("1223.08") - sum(
        (Decimal(f"{number}.50") for number in range(0, 40, 2)), Decimal(0)
    )


def test_two_legal_entities_have_two_chains(books: ServiceHarness) -> None:
    other = SELLER.model_copy(update={"legal_entity_id": "GB01"})
    books.apply(
        ISSUED,
        numbered(1, legal_entity_id="GB01", seller=other),
        numbered(2),
    )

    for legal_entity_id, length in (("DE01", 2), ("GB01", 1)):
        book = read_chain(books, legal_entity_id)
        assert [entry.sequence for entry in book] == list(range(1, length + 1))
        assert chain.broken_at(book, chain.first_head(legal_entity_id)) is None


def test_the_number_of_statements_does_not_grow_with_the_batch(books: ServiceHarness) -> None:
    # given a book that has begun
    books.apply(numbered(1), payment("1.00", numbered(1)), credit_note(numbered(1)))

    def statements(numbers: Sequence[int]) -> int:
        invoices = [numbered(number) for number in numbers]
        books.apply(
            *invoices,
            *(payment("1.00", invoice) for invoice in invoices),
            *(credit_note(invoice) for invoice in invoices),
        )
        return books.statements

    # then a batch of three takes as many statements as one of a hundred and fifty
    assert statements([2]) == statements(range(3, 53))


def test_two_processes_at_once_make_one_chain(books: ServiceHarness) -> None:
    # given a chain that has begun, and two writers with many small batches each
    books.apply(numbered(1))

    def write(first: int) -> None:
        for number in range(first, first + 20):
            books.apply(numbered(number))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (100, 200)))

    # then their entries follow each other without a gap or a fork
    book = read_chain(books)
    assert [entry.sequence for entry in book] == list(range(1, 42))
    assert chain.broken_at(book, chain.first_head("DE01")) is None


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
