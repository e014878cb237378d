"""The chain of hashes that binds the entries of one legal entity: nothing changes unseen."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.ledger_writer.domain.entries import Draft
from shared.events.accounting import EntryPosted


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a legal entity's chain: the last sequence number and its hash."""

    legal_entity_id: str
    sequence: int
    hash: str


GENESIS: Final = "0" * 64
"""The previous hash of the first entry of every chain."""


def first_head(legal_entity_id: str) -> Head:
    """The head of a chain that has no entry yet."""
    return Head(legal_entity_id, 0, GENESIS)


def post(draft: Draft, head: Head, at: datetime) -> EntryPosted:
    """The draft as the next entry after `head`, posted at the business time `at` (UTC)."""
    entry = EntryPosted(
        legal_entity_id=draft.legal_entity_id,
        entry_id=draft.entry_id,
        sequence=head.sequence + 1,
        kind=draft.kind,
        source_id=draft.source_id,
        posted_at=at,
        posted_on=draft.posted_on,
        currency=draft.currency,
        description=draft.description,
        postings=draft.postings,
        previous_hash=head.hash,
        hash=GENESIS,
    )
    return entry.model_copy(update={"hash": digest(entry)})


def head_after(entry: EntryPosted) -> Head:
    """The head of the chain once `entry` stands in it."""
    return Head(entry.legal_entity_id, entry.sequence, entry.hash)


def digest(entry: EntryPosted) -> str:
    """SHA-256, hex, over the canonical JSON of the entry with `previous_hash` and without `hash`.

    Canonical: UTF-8, keys sorted, no white space; amounts with four decimals; dates ISO 8601;
    `posted_at` in UTC with microseconds and Z; an absent text is null.
    """
    document = {
        "legal_entity_id": entry.legal_entity_id,
        "entry_id": entry.entry_id,
        "sequence": entry.sequence,
        "kind": entry.kind,
        "source_id": entry.source_id,
        "posted_at": entry.posted_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "posted_on": entry.posted_on.isoformat(),
        "currency": entry.currency,
        "description": entry.description,
        "postings": [
            {
                "account": posting.account,
                "account_name": posting.account_name,
                "debit": f"{posting.debit:.4f}",
                "credit": f"{posting.credit:.4f}",
                "text": posting.text,
            }
            for posting in entry.postings
        ],
        "previous_hash": entry.previous_hash,
    }
    canonical = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def broken_at(entries: Iterable[EntryPosted], head: Head) -> int | None:
    """The sequence of the first entry that does not follow from what stands before it, or None.

    `entries` in order, of one legal entity, from the one after `head` on.
    """
    for entry in entries:
        follows = (
            entry.legal_entity_id == head.legal_entity_id
            and entry.sequence == head.sequence + 1
            and entry.previous_hash == head.hash
            and entry.hash == digest(entry)
        )
        if not follows:
            return entry.sequence
        head = head_after(entry)
    return None


def fault(head: Head, tail: Sequence[EntryPosted]) -> str | None:
    """What is wrong with the last entries of a chain and its stored head, in words, or None.

    `tail` is in order and holds at least the last entry, if the chain has any.
    """
    if not tail:
        return f"the head says {head.sequence} entries and there are none"
    before = Head(head.legal_entity_id, tail[0].sequence - 1, tail[0].previous_hash)
    broken = broken_at(tail, before)
    if broken is not None:
        return f"entry {broken} does not follow from what stands before it"
    if head_after(tail[-1]) != head:
        return f"the head is at entry {head.sequence}, the last entry is {tail[-1].sequence}"
    return None
