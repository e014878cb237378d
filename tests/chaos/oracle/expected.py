"""What every service must have made of what stands in its topics, and what its tables must hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from services.invoicer.store.rows import INVOICE_DOCUMENT
from shared.events.accounting import EntryPosted
from shared.events.base import Event
from shared.events.billing import DocumentRendered, InvoiceIssued
from shared.topology import BY_EVENT, consumed_by
from tests.chaos.oracle.billing import Books, Invoicing
from tests.chaos.oracle.delivery import Chasing, Delivering
from tests.chaos.oracle.fates import Fates, Rule, fates
from tests.chaos.oracle.production import SOME_TIME, Extraction, Pricing
from tests.chaos.oracle.records import Topics, in_turn

E = TypeVar("E", bound=Event)
Row = tuple[Any, ...]
Rows = Mapping[Row, Row]


@dataclass
class Expected:
    """One service: the fates of its records, its events, its rows by table and key.

    `wrong` is what cannot be, whatever is there.
    """

    fates: Fates
    tables: dict[str, Rows] = field(default_factory=dict)
    wrong: Sequence[str] = ()


def expected(topics: Topics, link_key: bytes | None, now: datetime) -> dict[str, Expected]:
    """By service; each is held to what stands in its own topics, so that a fault is named once."""
    return {
        "metrics_extractor": _extraction(topics),
        "pricer": _pricing(topics),
        "invoicer": _invoicing(topics, link_key, now),
        "ledger_writer": _books(topics),
        "notifier": _delivering(topics, now),
        "dunning_scheduler": _chasing(topics),
    }


def events_of(topics: Topics, kind: type[E]) -> dict[Any, E]:
    """The facts on the topic of `kind`, each once, by identity; in the order of their records."""
    found: dict[Any, E] = {}
    for rec in topics[BY_EVENT[kind].name]:
        if isinstance(rec.event, kind):
            found.setdefault(rec.identity, rec.event)
    return found


def _read(topics: Topics, service: str, rule: Rule) -> Fates:
    return fates(in_turn(topics, [topic.name for topic in consumed_by(service)]), rule)


def _extraction(topics: Topics) -> Expected:
    extraction = Extraction()
    found = _read(topics, "metrics_extractor", extraction.rule)
    jobs = {
        key: (
            job.completed.revision if job.completed else None,
            job.state.value,
            job.reason,
            len(job.reports),
            job.late,
        )
        for key, job in extraction.jobs.items()
    }
    return Expected(found, {"job": jobs})


def _pricing(topics: Topics) -> Expected:
    pricing = Pricing()
    found = _read(topics, "pricer", pricing.rule)
    jobs = {
        key: (priced.revision, priced.pricing_no, priced.path.value, priced.net_total)
        for key, priced in pricing.prices.items()
    }
    return Expected(found, {"job": jobs})


def _invoicing(topics: Topics, link_key: bytes | None, now: datetime) -> Expected:
    chosen = {one.invoice_id: one for one in events_of(topics, InvoiceIssued).values()}
    invoicing = Invoicing(chosen, link_key, now)
    found = _read(topics, "invoicer", invoicing.rule)
    jobs: dict[Row, Row] = {}
    invoices: dict[Row, Row] = {}
    for key, job in invoicing.jobs.items():
        made, priced = job.invoice, job.priced
        jobs[key] = (
            priced.revision,
            priced.pricing_no,
            priced.path.value,
            job.state,
            made.invoice_id if made else None,
        )
        if made:
            invoices[made.legal_entity_id, made.invoice_id] = (
                made.invoice_number,
                made.job_id,
                made.gross_total,
            )
            found.emit(_rendered(made))
    return Expected(found, {"job": jobs, "invoice": invoices})


def _rendered(made: InvoiceIssued) -> DocumentRendered:
    """That a document was made; what it shows is for `verify`, which reads it."""
    return DocumentRendered(
        legal_entity_id=made.legal_entity_id,
        invoice_id=made.invoice_id,
        invoice_number=made.invoice_number,
        document_kind=INVOICE_DOCUMENT,
        sha256="0" * 64,
        media_type="application/pdf",
        size_bytes=1,
        language="en",
        rendered_at=SOME_TIME,
    )


def _books(topics: Topics) -> Expected:
    books = Books()
    found = _read(topics, "ledger_writer", books.rule)
    journal: dict[Row, Row] = {}
    for event in books.posted(list(events_of(topics, EntryPosted).values())):
        found.emit(event)
        if isinstance(event, EntryPosted):
            journal[event.entry_id,] = (event.sequence, event.hash)
    items: Rows = {
        key: (item.gross_total, item.credited, item.paid) for key, item in books.items.items()
    }
    return Expected(found, {"journal_entry": journal, "receivable": items}, books.wrong)


def _delivering(topics: Topics, now: datetime) -> Expected:
    delivering = Delivering(now)
    found = _read(topics, "notifier", delivering.rule)
    invoices: Rows = {
        (one.legal_entity_id, one.invoice_id): (one.gross_total, delivering.paid[one.invoice_id])
        for one in delivering.invoices.values()
    }
    return Expected(found, {"invoice": invoices})


def _chasing(topics: Topics) -> Expected:
    chasing = Chasing()
    found = _read(topics, "dunning_scheduler", chasing.rule)
    invoices: Rows = {
        (one.legal_entity_id, one.invoice_id): (
            one.gross_total,
            chasing.paid[one.invoice_id],
            one.due_on,
            "delivered" if one.invoice_id in chasing.delivered else "unreported",
        )
        for one in chasing.invoices.values()
    }
    return Expected(found, {"invoice": invoices})
