"""Every rule of the audit, held against the evidence: the topics, the tables, the files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.auditor.domain import books, deliveries, dunning, jobs, numbers, pdf, postings
from services.auditor.domain.books import Books
from services.auditor.domain.deliveries import Delivery, DocumentKey, Mails, Stored
from services.auditor.domain.dunning import Stage
from services.auditor.domain.evidence import Evidence
from services.auditor.domain.facts import InvoiceKey, Tax
from services.auditor.domain.findings import Checked, check
from services.auditor.domain.held import Applied, Place, every_record_can_be_published, held_records
from services.auditor.domain.numbers import Series
from services.auditor.domain.postings import Application, OpenItem, Posted, Settled
from services.auditor.domain.records import Records


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What the services' tables say; the journal was walked while it was read.

    `outbox_ms`: when the oldest record was written that a service has still to publish;
    `corrected`: by place and service the values that were applied in place of a record's own.
    """

    applied: Applied
    corrected: Mapping[Place, Mapping[str, bytes]]
    jobs: jobs.Tables
    invoices: Mapping[InvoiceKey, tuple[object, ...]]
    line_sums: Mapping[InvoiceKey, Decimal]
    taxes: Mapping[InvoiceKey, list[Tax]]
    series: Mapping[Series, int]
    documents: Mapping[DocumentKey, str]
    journal: Books
    heads: Mapping[str, tuple[int, str]]
    posted: Mapping[InvoiceKey, Posted]
    open_items: Mapping[InvoiceKey, OpenItem]
    applications: Mapping[Application, tuple[str, Decimal, str]]
    deliveries: Mapping[tuple[str, str, str, int], Delivery]
    reminders: Mapping[Stage, bool]
    balances: Mapping[str, Mapping[InvoiceKey, Settled]]
    outbox_ms: Mapping[str, int]
    quarantined: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Files:
    """What lies on disk, and what records say in full that were sent twice or mended.

    `copies` is None where there is no mail sink.
    """

    stored: Mapping[str, Stored]
    texts: Mapping[InvoiceKey, str]
    copies: Mapping[str, Mails] | None
    contents: Mapping[Place, Any]
    corrected: Mapping[Place, Mapping[str, Any]]


def audit(evidence: Evidence, tables: Tables, files: Files) -> Iterator[Checked]:
    """Every rule, in the order in which a job goes through the house."""
    yield from _records(evidence.records, files)
    yield from _jobs(evidence, tables)
    yield from evidence.figures_checked()
    yield from _numbers(evidence, tables)
    yield from _documents(evidence, tables, files)
    yield from _ledger(evidence, tables)
    yield from _money(evidence, tables)
    yield from _dunning(evidence, tables)
    quarantined = tables.quarantined
    yield check(every_record_can_be_published, sum(quarantined.values()), quarantined)
    yield check(held_records, tables.applied.held, tables.applied.held)


def _records(records: Records, files: Files) -> Iterator[Checked]:
    yield check(records.unreadable_records_are_dead_letters, records.unreadable)
    yield check(records.every_record_has_its_effect, records.owed)
    contents, corrected = files.contents, files.corrected
    yield check(records.repeats_say_the_same, records.repeats, contents, corrected)
    yield check(records.mended_records_say_the_same, records.mended, contents, corrected)


def _jobs(evidence: Evidence, tables: Tables) -> Iterator[Checked]:
    stories = evidence.jobs.stories
    invoices = evidence.invoices
    claims = evidence.jobs.outcomes(tables.jobs, tables.applied)
    yield check(jobs.every_job_has_one_outcome, claims, claims, stories)
    yield check(jobs.one_invoice_per_job, invoices, stories)
    accepted = tables.jobs.accepted
    yield check(jobs.only_released_jobs_are_invoiced, invoices, stories, accepted)
    yield check(jobs.invoices_rest_on_their_price, invoices, stories)
    reviews = evidence.reviews
    yield check(jobs.reviews_are_requested, reviews, stories, tables.jobs, reviews)


def _numbers(evidence: Evidence, tables: Tables) -> Iterator[Checked]:
    invoices = evidence.invoices
    series = numbers.by_series(evidence.issued.values())
    yield check(numbers.numbers_are_contiguous, evidence.issued, series)
    yield check(numbers.numbers_follow_issue_dates, evidence.issued, series)
    unpublished, stored = tables.outbox_ms.get("invoicer"), tables.invoices
    yield check(
        numbers.series_stand_at_their_last_number, series, series, tables.series, unpublished
    )
    yield check(numbers.invoices_are_published_as_stored, stored, stored, invoices, unpublished)
    yield check(
        numbers.details_are_stored_as_published,
        tables.line_sums,
        invoices,
        tables.line_sums,
        tables.taxes,
        unpublished,
    )


def _documents(evidence: Evidence, tables: Tables, files: Files) -> Iterator[Checked]:
    invoices, rendered = evidence.invoices, evidence.rendered
    sent = tables.deliveries
    yield check(deliveries.invoices_are_rendered, invoices, invoices, rendered)
    yield check(
        deliveries.documents_are_as_recorded, rendered, rendered, tables.documents, files.stored
    )
    yield check(pdf.documents_say_what_was_issued, files.texts, files.texts, invoices)
    yield check(
        deliveries.live_invoices_are_delivered, rendered, invoices, rendered, sent, tables.applied
    )
    unpublished = tables.outbox_ms.get(deliveries.NOTIFIER)
    yield check(deliveries.deliveries_are_published, sent, sent, evidence.told, unpublished)
    if files.copies is not None:
        mails = sum(one.copies for one in files.copies.values())
        yield check(deliveries.mails_arrive_once, mails, sent, files.copies)


def _ledger(evidence: Evidence, tables: Tables) -> Iterator[Checked]:
    journal, chains = tables.journal, tables.journal.chains
    yield from journal.checked()
    yield check(books.heads_end_the_chains, tables.heads, chains, tables.heads)
    unpublished, hashes = tables.outbox_ms.get(postings.LEDGER), journal.hashes
    yield check(
        books.entries_are_published_as_posted, hashes, hashes, evidence.entries, unpublished
    )
    yield check(
        postings.documents_are_posted_once,
        evidence.issued,
        evidence.issued,
        tables.posted,
        journal,
        tables.applied,
    )
    told, posted = evidence.accounting, tables.posted
    yield check(postings.accounting_is_told_once, told, evidence.issued, posted, told, unpublished)
    yield check(
        postings.every_entry_has_a_cause, journal.hashes, journal, posted, tables.applications
    )


def _money(evidence: Evidence, tables: Tables) -> Iterator[Checked]:
    payments, items = evidence.payments, tables.open_items
    yield check(
        postings.payments_are_posted_once,
        payments,
        payments,
        tables.applications,
        tables.journal,
        tables.applied,
    )
    yield check(
        postings.open_items_follow_from_events,
        items,
        evidence.issued,
        payments,
        items,
        tables.applied,
    )
    owed = postings.sums_of(items)
    control = tables.journal.receivables
    yield check(books.receivables_equal_open_items, control, control, owed)


def _dunning(evidence: Evidence, tables: Tables) -> Iterator[Checked]:
    published = evidence.reminders
    decided, unpublished = tables.reminders, tables.outbox_ms.get("dunning_scheduler")
    yield check(
        dunning.reminders_are_published_as_decided, decided, decided, published, unpublished
    )
    yield check(dunning.reminders_ask_for_what_is_overdue, published, published, evidence.invoices)
    yield check(dunning.stages_follow_each_other, published, published)
    believed = sum(map(len, tables.balances.values()))
    yield check(
        dunning.balances_follow_from_events,
        believed,
        tables.balances,
        evidence.issued,
        evidence.payments,
        tables.applied,
    )
