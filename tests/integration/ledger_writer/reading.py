"""What the ledger's tests read from its tables."""

from decimal import Decimal

from shared.events.accounting import EntryPosted, Posting
from shared.testing import ServiceHarness


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
