"""Entries and postings as they are stored, and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from shared.events.accounting import EntryPosted, Posting


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A journal entry; its postings stand in `posting`."""

    entry_id: str
    legal_entity_id: str
    sequence: int
    kind: str
    source_id: str
    posted_at: datetime
    posted_on: date
    currency: str
    description: str
    posting_count: int
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class PostingRow:
    """One side of an entry."""

    entry_id: str
    line_no: int
    account: str
    account_name: str
    debit: Decimal
    credit: Decimal
    text: str | None


def entry_row(entry: EntryPosted) -> EntryRow:
    """The entry as it is stored."""
    return EntryRow(
        entry_id=entry.entry_id,
        legal_entity_id=entry.legal_entity_id,
        sequence=entry.sequence,
        kind=entry.kind,
        source_id=entry.source_id,
        posted_at=entry.posted_at,
        posted_on=entry.posted_on,
        currency=entry.currency,
        description=entry.description,
        posting_count=len(entry.postings),
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


def posting_rows(entry: EntryPosted) -> Iterator[PostingRow]:
    """The sides of the entry as they are stored, numbered from 1 in their order."""
    for number, side in enumerate(entry.postings, 1):
        yield PostingRow(
            entry_id=entry.entry_id,
            line_no=number,
            account=side.account,
            account_name=side.account_name,
            debit=side.debit,
            credit=side.credit,
            text=side.text,
        )


def entry_of(sides: Sequence[Row[Any]]) -> EntryPosted:
    """The entry whose rows of TAILS these are."""
    first = sides[0]
    return EntryPosted(
        legal_entity_id=first.legal_entity_id,
        entry_id=first.entry_id,
        sequence=first.sequence,
        kind=first.kind,
        source_id=first.source_id,
        posted_at=first.posted_at,
        posted_on=first.posted_on,
        currency=first.currency,
        description=first.description,
        postings=tuple(
            Posting(
                account=side.account,
                account_name=side.account_name,
                debit=side.debit,
                credit=side.credit,
                text=side.text,
            )
            for side in sides
            if side.account is not None
        ),
        previous_hash=first.previous_hash,
        hash=first.hash,
    )
