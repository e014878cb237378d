"""Rendering: outside the numbering transaction, so that no paper jam can burn a number.

A document is claimed in one transaction, drawn and stored, and recorded in another. A process
that dies in between leaves a lease that runs out; drawing again gives the same bytes. What was
left so may be what killed it: it is claimed alone, and given up after the last attempt.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from services.invoicer.domain.job import SERVICE_NAME
from services.invoicer.render import Logo, LogoUnreadable, Rendered, prepare, render_invoice
from services.invoicer.store.rows import FAILED, PENDING, RENDERED, RENDERING, DocumentRow
from shared.clock import system_now
from shared.documents import DocumentMissing, DocumentStore
from shared.events.billing import DocumentRendered, InvoiceIssued
from shared.logging import logger
from shared.metrics import DOCUMENTS
from shared.runtime.service import Desk, UnitOfWork

# Both from the start, at 0: Prometheus cannot see the rise of a series that begins at 1.
for _outcome in ("rendered", "given-up"):
    DOCUMENTS.labels(SERVICE_NAME, _outcome)

PORTION: Final = 25
LEASE: Final = timedelta(seconds=60)
ATTEMPTS_MAX: Final = 5


@dataclass(frozen=True)
class Stored:
    """A rendered document in the store, under its sha256."""

    rendered: Rendered
    sha256: str


@dataclass(frozen=True)
class Unstored:
    """Not in the store, which could not be written: no defect of the invoice, so no attempt."""

    error: OSError


Outcome = Stored | Unstored | Exception


def render_documents(desk: Desk) -> int:
    """Render and store one portion of documents; returns how many were claimed.

    Raises `OSError` when the store cannot be written, after giving back what is not in it.
    """
    shelf = DocumentStore(desk.settings.documents_dir)
    with desk.begin() as unit:
        claimed = _claim(unit)
    outcomes: list[tuple[DocumentRow, InvoiceIssued, Outcome]] = []
    unstored: Unstored | None = None
    for row, issued in claimed:
        outcome = unstored or _draw(issued, shelf)
        outcomes.append((row, issued, outcome))
        if isinstance(outcome, Unstored):
            unstored = outcome
    if outcomes:
        with desk.begin() as unit:
            keys = [(row.legal_entity_id, row.invoice_id, row.document_kind) for row, _ in claimed]
            unit.store.documents.load(unit.store.connection, keys)
            for row, issued, outcome in outcomes:
                _record(row, issued, outcome, unit)
    if unstored:
        raise unstored.error
    return len(claimed)


def _claim(unit: UnitOfWork) -> list[tuple[DocumentRow, InvoiceIssued]]:
    """Take what is due for the length of a lease, the attempt counted."""
    now = system_now()
    due: list[tuple[DocumentRow, InvoiceIssued]] = unit.store.claim_documents(now, PORTION)
    left = [one for one in due if one[0].state == RENDERING]
    claimed = []
    for row, issued in left[:1] or due:
        if row.state == RENDERING and row.attempts >= ATTEMPTS_MAX:
            cut_off = TimeoutError("the last attempt was cut off: its lease ran out")
            unit.store.documents.put(_failed(row, cut_off))
            continue
        begun = replace(row, state=RENDERING, attempts=row.attempts + 1, not_before=now + LEASE)
        claimed.append((unit.store.documents.put(begun), issued))
    return claimed


def _draw(issued: InvoiceIssued, shelf: DocumentStore) -> Outcome:
    """The document in the store; or the defect that hit this invoice and must stop no other."""
    try:
        rendered = render_invoice(issued, _logo_of(issued, shelf))
    except Exception as error:  # noqa: BLE001 -- recorded with the document, which is tried again
        return error
    try:
        return Stored(rendered, shelf.put(rendered.content))
    except OSError as error:
        return Unstored(error)


def _record(
    claimed: DocumentRow, issued: InvoiceIssued, outcome: Outcome, unit: UnitOfWork
) -> None:
    key = (claimed.legal_entity_id, claimed.invoice_id, claimed.document_kind)
    row: DocumentRow = unit.store.documents.get(*key)
    if row.state == RENDERED:  # by another instance, after our lease had run out
        return
    if not isinstance(outcome, Stored):
        if row == claimed:  # else another instance has it
            unit.store.documents.put(_undone(row, outcome))
        return
    rendered = outcome.rendered
    if rendered.missing:
        points = " ".join(f"U+{ord(one):04X}" for one in sorted(rendered.missing))
        logger().warning(
            "characters missing", invoice_number=issued.invoice_number, characters=points
        )
    else:
        points = None
    done = replace(
        row,
        state=RENDERED,
        sha256=outcome.sha256,
        media_type=rendered.media_type,
        size_bytes=len(rendered.content),
        language=rendered.language,
        missing_characters=points,
        rendered_at=unit.now,
        last_error=None,
    )
    unit.store.documents.put(done)
    DOCUMENTS.labels(SERVICE_NAME, "flagged" if points else "rendered").inc()
    unit.emit(_told(issued, done))


def _undone(row: DocumentRow, outcome: Unstored | Exception) -> DocumentRow:
    if isinstance(outcome, Exception):
        return _failed(row, outcome)
    return replace(row, state=PENDING, attempts=row.attempts - 1, not_before=system_now())


def _failed(row: DocumentRow, error: Exception) -> DocumentRow:
    """Tried again later, more and more slowly; given up, and said so, after the last attempt."""
    over = row.attempts >= ATTEMPTS_MAX
    outcome = "given-up" if over else "failed"
    DOCUMENTS.labels(SERVICE_NAME, outcome).inc()
    logger().error("rendering failed", invoice_id=row.invoice_id, outcome=outcome, exc_info=error)
    return replace(
        row,
        state=FAILED if over else PENDING,
        not_before=system_now() + timedelta(seconds=2**row.attempts),
        last_error=f"{type(error).__name__}: {error}"[:2000],
    )


def _told(issued: InvoiceIssued, row: DocumentRow) -> DocumentRendered:
    return DocumentRendered(
        legal_entity_id=row.legal_entity_id,
        invoice_id=row.invoice_id,
        invoice_number=issued.invoice_number,
        document_kind=row.document_kind,
        sha256=row.sha256 or "",
        media_type=row.media_type or "",
        size_bytes=row.size_bytes or 0,
        language=row.language or "",
        rendered_at=row.rendered_at or issued.issued_at,
    )


def _logo_of(issued: InvoiceIssued, shelf: DocumentStore) -> Logo | None:
    """The seller's logo; where it cannot be had, the seller's name is set in type instead."""
    if issued.seller.logo is None:
        return None
    try:
        return _prepared(shelf.root, issued.seller.logo)
    except (DocumentMissing, LogoUnreadable) as error:
        logger().warning("logo missing", logo=issued.seller.logo, reason=str(error))
        return None


@lru_cache(maxsize=64)
def _prepared(root: Path, digest: str) -> Logo:
    return prepare(DocumentStore(root).get(digest))
