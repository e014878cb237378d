"""The ledger: balanced, whole, unchanged, and nothing but what was issued and paid."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from services.auditor.domain.arithmetic import plain
from services.auditor.domain.findings import Checked, Finding, checked

GENESIS: Final = "0" * 64
RECEIVABLE: Final = "Assets:Receivable"
BANK: Final = "Assets:Bank"
INCOME: Final = "Income:"
OUTPUT_TAX: Final = "Liabilities:OutputTax:"


COLUMNS: Final = (
    *("legal_entity_id", "entry_id", "sequence", "kind", "source_id", "posted_at", "posted_on"),
    *("currency", "description", "previous_hash", "hash"),
)
"""The columns of an entry, as `entries_of` takes them."""


class Side(NamedTuple):
    """A posting."""

    account: str
    account_name: str
    debit: Decimal
    credit: Decimal
    text: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry, from the table or from the topic."""

    legal_entity_id: str
    entry_id: str
    sequence: int
    kind: str
    source_id: str
    posted_at: datetime
    posted_on: date
    currency: str
    description: str
    sides: tuple[Side, ...]
    previous_hash: str
    hash: str

    def __str__(self) -> str:
        return f"entry {self.sequence} ({self.legal_entity_id})"


class Moved(NamedTuple):
    """What an entry does to the accounts that other books know about: debits less credits."""

    receivable: Decimal
    bank: Decimal
    income: Decimal
    tax: Decimal


@dataclass(slots=True)
class Chain:
    """The walk along one legal entity's entries: how far it has come, and what it saw."""

    sequence: int = 0
    hash: str = GENESIS


@dataclass(slots=True)
class Books:
    """What must be remembered of the journal while it passes by, in the order of each chain."""

    chains: defaultdict[str, Chain] = field(default_factory=lambda: defaultdict(Chain))
    entries: int = 0
    by_source: defaultdict[tuple[str, str, str], list[tuple[str, str, Moved]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    hashes: dict[tuple[str, str], str] = field(default_factory=dict)
    receivables: defaultdict[tuple[str, str], Decimal] = field(
        default_factory=lambda: defaultdict(Decimal)
    )
    unbalanced: list[Finding] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Note the next entry."""
        self.entries += 1
        self.unbalanced += entries_balance(entry)
        self.broken += chains_are_whole(entry, self.chains[entry.legal_entity_id])
        self.chains[entry.legal_entity_id] = Chain(entry.sequence, entry.hash)
        moved = moved_by(entry)
        source = entry.legal_entity_id, entry.kind, entry.source_id
        self.by_source[source].append((entry.entry_id, entry.currency, moved))
        self.hashes[entry.legal_entity_id, entry.entry_id] = entry.hash
        self.receivables[entry.legal_entity_id, entry.currency] += moved.receivable

    def checked(self) -> Iterator[Checked]:
        """The rules that every entry was held against when it passed by."""
        yield checked(entries_balance, self.entries, self.unbalanced)
        yield checked(chains_are_whole, self.entries, self.broken)


def entries_balance(entry: Entry) -> Iterator[Finding]:
    """Debits equal credits in every entry."""
    debit = sum((side.debit for side in entry.sides), Decimal(0))
    credit = sum((side.credit for side in entry.sides), Decimal(0))
    look = f"ledger_writer.posting where entry_id = '{entry.entry_id}'"
    if debit != credit:
        yield Finding(str(entry), f"credits of {plain(debit)}", plain(credit), look)
    if not entry.sides:
        yield Finding(str(entry), "postings", "none", look)


def chains_are_whole(entry: Entry, before: Chain) -> Iterator[Finding]:
    """Each entry stands on the one before it, and its hash is that of its content."""
    look = f"ledger_writer.journal_entry where entry_id = '{entry.entry_id}'"
    if entry.sequence != before.sequence + 1:
        yield Finding(str(entry), f"sequence {before.sequence + 1}", str(entry.sequence), look)
    if entry.previous_hash != before.hash:
        expected = f"previous hash {before.hash[:16]}..."
        yield Finding(str(entry), expected, f"{entry.previous_hash[:16]}...", look)
    computed = digest(entry)
    if entry.hash != computed:
        yield Finding(str(entry), f"hash {computed[:16]}...", f"{entry.hash[:16]}...", look)


def heads_end_the_chains(
    chains: Mapping[str, Chain], heads: Mapping[str, tuple[int, str]]
) -> Iterator[Finding]:
    """The stored end of every chain is its last entry."""
    for entity in sorted({*chains, *heads}):
        last = chains.get(entity, Chain())
        stored = heads.get(entity, (0, GENESIS))
        if stored != (last.sequence, last.hash):
            expected = f"entry {last.sequence}, {last.hash[:16]}..."
            found = f"entry {stored[0]}, {stored[1][:16]}..."
            look = "ledger_writer.chain_head"
            yield Finding(f"chain of {entity}", expected, found, look)


def entries_are_published_as_posted(
    posted: Mapping[tuple[str, str], str],
    published: Mapping[tuple[str, str], tuple[str, int]],
    outbox_ms: int | None = None,
) -> Iterator[Finding]:
    """Journal and topic hold the same entries; the hash over each is that of its own content.

    `posted`: (legal entity, entry id) -> the table's hash; `published`: -> the hash computed over
    the record, and when it was written.
    """
    for key in sorted({*posted, *published}):
        subject = f"entry {key[1]} ({key[0]})"
        if key not in published:
            look = "ledger_writer.outbox"
            yield Finding(subject, "a record on the topic", "none", look, cause_ms=outbox_ms)
        elif key not in posted:
            cause = published[key][1]
            look = "ledger_writer.journal_entry"
            yield Finding(subject, "an entry", "none", look, cause_ms=cause)
        elif posted[key] != published[key][0]:
            expected = f"the content hashed as {posted[key][:16]}..."
            yield Finding(subject, expected, f"{published[key][0][:16]}...", "the record")


def receivables_equal_open_items(
    control: Mapping[tuple[str, str], Decimal], items: Mapping[tuple[str, str], Decimal]
) -> Iterator[Finding]:
    """The receivables account is the sum of the open items, per legal entity and currency."""
    for entity, currency in sorted({*control, *items}):
        account = control.get((entity, currency), Decimal(0))
        open_items = items.get((entity, currency), Decimal(0))
        if account != open_items:
            subject = f"receivables of {entity} in {currency}"
            look = "ledger_writer.receivable, ledger_writer.posting"
            yield Finding(subject, plain(account), plain(open_items), look)


def moved_by(entry: Entry) -> Moved:
    """What `entry` does to receivables, bank, income and output tax."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for side in entry.sides:
        sums[_kind_of(side.account)] += side.debit - side.credit
    return Moved(sums[RECEIVABLE], sums[BANK], sums[INCOME], sums[OUTPUT_TAX])


def entry_from(said: Mapping[str, Any]) -> Entry:
    """The entry in a record's fields."""
    sides = tuple(Side(**side) for side in said["postings"])
    rest = {name: value for name, value in said.items() if name != "postings"}
    return Entry(**rest, sides=sides)


def entries_of(rows: Iterable[tuple[Any, ...]]) -> Iterator[Entry]:
    """Entries from rows of the journal with one posting each, those of an entry in sequence.

    A row: COLUMNS, then the fields of `Side`, null where there is none.
    """
    current: tuple[Any, ...] | None = None
    sides: list[Side] = []
    for row in rows:
        head, side = tuple(row[: len(COLUMNS)]), row[len(COLUMNS) :]
        if head != current:
            if current is not None:
                yield _entry(current, sides)
            current, sides = head, []
        if side[0] is not None:
            sides.append(Side(*side))
    if current is not None:
        yield _entry(current, sides)


def digest(entry: Entry) -> str:
    """SHA-256 over the canonical form that the ledger documents, written out here once more."""
    sides = [
        {
            "account": side.account,
            "account_name": side.account_name,
            "credit": _four(side.credit),
            "debit": _four(side.debit),
            "text": side.text,
        }
        for side in entry.sides
    ]
    document = {
        "currency": entry.currency,
        "description": entry.description,
        "entry_id": entry.entry_id,
        "kind": entry.kind,
        "legal_entity_id": entry.legal_entity_id,
        "posted_at": entry.posted_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "posted_on": entry.posted_on.isoformat(),
        "postings": sides,
        "previous_hash": entry.previous_hash,
        "sequence": entry.sequence,
        "source_id": entry.source_id,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(head: tuple[Any, ...], sides: list[Side]) -> Entry:
    return Entry(**dict(zip(COLUMNS, head, strict=True)), sides=tuple(sides))


def _four(amount: Decimal) -> str:
    """An amount with four decimals; it never has more."""
    return str(amount.quantize(Decimal("0.0001")))


def _kind_of(account: str) -> str:
    for prefix in (INCOME, OUTPUT_TAX):
        if account.startswith(prefix):
            return prefix
    return account
