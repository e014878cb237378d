"""The books in a real database: posted once, bound in a chain, and only ever growing."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from services.ledger_writer.domain import chain
from services.ledger_writer.main import SERVICE
from shared.errors import Rejected, WaitFor
from shared.events.accounting import EntryPosted, InvoicePosted
from shared.events.base import Event
from shared.events.billing import InvoiceIssued, LineKind
from shared.ids import record_key
from shared.testing import ServiceHarness
from tests.integration.ledger_writer.reading import balance, count, read_chain
from tests.invoices import ISSUED, SELLER, credit_note, numbered
from tests.unit.ledger_writer.cases import issued, line, payment


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
