"""The journal as rows, and the hash over an entry, held against the ledger's own."""

from decimal import Decimal

from services.auditor.domain.books import COLUMNS, Books, Entry, Moved, digest, entries_of, moved_by
from services.ledger_writer.domain import chain, entries
from shared.events.billing import InvoiceIssued
from tests.invoices import credit_note
from tests.unit.auditor.world import NOW, entry_of, issued, payment, sound


def row(entry: Entry, place: int | None) -> tuple[object, ...]:
    head = tuple(getattr(entry, name) for name in COLUMNS)
    side = (None,) * 5 if place is None else tuple(entry.sides[place])
    return (*head, *side)


def test_rows_become_entries_with_their_postings_in_order() -> None:
    one, two = sound().journal
    rows = [*(row(one, n) for n in range(len(one.sides))), row(two, 0), row(two, 1)]
    assert list(entries_of(rows)) == [one, two]
    assert list(entries_of([])) == []


def test_an_entry_without_postings_is_still_an_entry() -> None:
    (entry,) = entries_of([row(sound().journal[0], None)])
    assert entry.sides == ()


def test_the_hash_is_the_ledgers_for_every_kind_of_entry() -> None:
    # Given the three kinds of entry, an account's text absent in none, names beyond ASCII
    invoice: InvoiceIssued = issued()
    drafts = (
        entries.draft_invoice(invoice),
        entries.draft_credit_note(credit_note(invoice)),
        entries.draft_payment(payment(invoice, "-5.00")),
    )
    for draft in drafts:
        posted = chain.post(draft, chain.first_head("DE01"), NOW)
        assert digest(entry_of(posted)) == posted.hash
    named = entry_of(chain.post(drafts[0], chain.first_head("DE01"), NOW))
    books = Books()
    books.take(named)
    assert [one.findings for one in books.checked()] == [(), ()]


def test_what_an_entry_moves_is_told_by_account() -> None:
    entry, paid = sound().journal
    assert moved_by(entry) == Moved(
        Decimal("1223.08"), Decimal(0), Decimal("-1027.80"), Decimal("-195.28")
    )
    assert moved_by(paid) == Moved(Decimal(-200), Decimal(200), Decimal(0), Decimal(0))
    assert str(entry) == "entry 1 (DE01)"
