"""The chain of hashes: it verifies as posted, and any change of anything in it is found."""

import hashlib
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger_writer.domain import chain, entries
from shared.events.accounting import EntryPosted, Posting
from shared.events.billing import InvoiceIssued
from tests.invoices import ISSUED, numbered
from tests.unit.ledger_writer.cases import NOW, invoices, payment

START = chain.first_head("DE01")


def posted(count: int) -> list[EntryPosted]:
    """A chain of `count` entries."""
    head, book = START, []
    for number in range(1, count + 1):
        entry = chain.post(entries.draft_invoice(numbered(number)), head, NOW)
        head = chain.head_after(entry)
        book.append(entry)
    return book


def test_entries_follow_each_other_from_the_zero_hash_on() -> None:
    first, second = posted(2)

    assert (first.sequence, first.previous_hash) == (1, "0" * 64)
    assert (second.sequence, second.previous_hash) == (2, first.hash)
    assert chain.head_after(second) == chain.Head("DE01", 2, second.hash)


def test_the_hash_is_what_the_readme_says_it_is() -> None:
    # given an entry, and its canonical JSON written down by hand
    entry = chain.post(entries.draft_payment(payment("100.00", ISSUED)), START, NOW)
    canonical = (
        '{"currency":"EUR","description":"Payment PAY-1",'
        f'"entry_id":"{entry.entry_id}","kind":"payment","legal_entity_id":"DE01",'
        '"posted_at":"2026-03-02T10:30:15.123456Z","posted_on":"2026-03-02","postings":['
        '{"account":"Assets:Bank","account_name":"Bank","credit":"0.0000","debit":"100.0000",'
        '"text":"8c3c1a52-3a5e-5d0e-9b3c-000000000001"},'
        '{"account":"Assets:Receivable","account_name":"Trade receivables","credit":"100.0000",'
        '"debit":"0.0000","text":"8c3c1a52-3a5e-5d0e-9b3c-000000000001"}],'
        f'"previous_hash":"{"0" * 64}","sequence":1,"source_id":"PAY-1"}}'
    )

    # then its SHA-256 is the entry's hash, so that anybody can check the books without this code
    assert entry.hash == hashlib.sha256(canonical.encode()).hexdigest()
    assert json.loads(canonical)["sequence"] == 1


def test_letters_beyond_latin_are_hashed_as_utf_8() -> None:
    greek = ISSUED.model_copy(update={"invoice_number": "Ω-1"})

    one = chain.post(entries.draft_invoice(greek), START, NOW)

    assert chain.broken_at([one], START) is None


@settings(max_examples=30)
@given(st.lists(invoices(), min_size=1, max_size=3))
def test_any_chain_verifies_as_posted(issued: list[InvoiceIssued]) -> None:
    head, book = START, []
    for invoice in issued:
        book.append(chain.post(entries.draft_invoice(invoice), head, NOW))
        head = chain.head_after(book[-1])

    assert chain.broken_at(book, START) is None
    # amounts that come back from the database with four decimals have the same hash
    assert chain.broken_at([_stored(entry) for entry in book], START) is None


def _stored(entry: EntryPosted) -> EntryPosted:
    return entry.model_copy(
        update={
            "postings": tuple(
                posting.model_copy(
                    update={
                        "debit": posting.debit.quantize(Decimal("0.0001")),
                        "credit": posting.credit.quantize(Decimal("0.0001")),
                    }
                )
                for posting in entry.postings
            )
        }
    )


def _other_posting(entry: EntryPosted, change: dict[str, Any]) -> tuple[Posting, ...]:
    first, *rest = entry.postings
    return (first.model_copy(update=change), *rest)


TAMPERED: dict[str, Any] = {
    "legal_entity_id": "DE02",
    "entry_id": "other",
    "sequence": 7,
    "kind": "payment",
    "source_id": "other",
    "posted_at": NOW + timedelta(microseconds=1),
    "posted_on": date(2026, 1, 1),
    "currency": "USD",
    "description": "other",
    "previous_hash": "1" * 64,
    "hash": "1" * 64,
    "postings": (),
}


def test_every_field_of_an_entry_is_tampered_with_below() -> None:
    assert set(TAMPERED) == set(EntryPosted.model_fields)


@pytest.mark.parametrize("field", sorted(TAMPERED))
def test_changing_any_field_breaks_the_chain_there(field: str) -> None:
    book = posted(3)
    book[1] = book[1].model_copy(update={field: TAMPERED[field]})

    assert chain.broken_at(book, START) == book[1].sequence


@pytest.mark.parametrize(
    "change",
    [
        {"account": "Assets:Bank"},
        {"account_name": "Other"},
        {"debit": Decimal("0.01")},
        {"credit": Decimal("0.01")},
        {"text": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changing_any_part_of_a_posting_breaks_the_chain_there(change: dict[str, Any]) -> None:
    book = posted(3)
    book[1] = book[1].model_copy(update={"postings": _other_posting(book[1], change)})

    assert chain.broken_at(book, START) == 2


def test_an_entry_taken_out_put_twice_or_moved_breaks_the_chain() -> None:
    one, two, three = posted(3)

    assert chain.broken_at([one, three], START) == 3
    assert chain.broken_at([one, one, two], START) == 1
    assert chain.broken_at([two, one, three], START) == 2


def test_an_entry_hashed_anew_after_a_change_breaks_the_one_after_it() -> None:
    # given somebody who changes an entry and also its hash
    book = posted(3)
    changed = book[1].model_copy(update={"description": "other"})
    book[1] = changed.model_copy(update={"hash": chain.digest(changed)})

    assert chain.broken_at(book, START) == 3


def test_a_chain_goes_on_from_any_head() -> None:
    book = posted(3)

    assert chain.broken_at(book[1:], chain.head_after(book[0])) is None


def test_a_chain_that_ends_where_its_head_says_has_no_fault() -> None:
    book = posted(3)

    assert chain.fault(chain.head_after(book[-1]), book[1:]) is None


def test_what_is_wrong_with_the_end_of_a_chain_is_said_in_words() -> None:
    book = posted(3)
    head = chain.head_after(book[-1])
    changed = book[2].model_copy(update={"description": "other"})

    assert chain.fault(head, []) == "the head says 3 entries and there are none"
    assert chain.fault(head, [book[1], changed]) == (
        "entry 3 does not follow from what stands before it"
    )
    assert chain.fault(head, book[:2]) == "the head is at entry 3, the last entry is 2"
