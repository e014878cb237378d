"""Invoice numbers: counted from 1 without gap by legal entity, series and fiscal year."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from services.auditor.domain.arithmetic import plain
from services.auditor.domain.facts import Document, InvoiceKey, Tax, topic_of
from services.auditor.domain.findings import Finding
from shared.events.billing import InvoiceIssued


class Series(NamedTuple):
    """A legal entity's series in a fiscal year."""

    legal_entity_id: str
    series: str
    fiscal_year: int

    def __str__(self) -> str:
        return f"{self.legal_entity_id}, series {self.series}-{self.fiscal_year}"


def by_series(documents: Iterable[Document]) -> Mapping[Series, list[Document]]:
    """The documents of every series, in the order of their numbers."""
    found: defaultdict[Series, list[Document]] = defaultdict(list)
    for one in documents:
        found[Series(one.legal_entity_id, one.series, one.fiscal_year)].append(one)
    for members in found.values():
        members.sort(key=lambda one: one.sequence)
    return found


def numbers_are_contiguous(series: Mapping[Series, list[Document]]) -> Iterator[Finding]:
    """Numbers run from 1 without gap or repetition per legal entity, series and fiscal year."""
    look = "invoicer.invoice, invoicer.number_series"
    for name, documents in series.items():
        last = 0
        for one in documents:
            if one.sequence - last > 1:
                first, until = last + 1, one.sequence - 1
                which = f"number {first}" if first == until else f"numbers {first} to {until}"
                yield Finding(f"{name}, {which}", "a document", "none", look, cause_ms=one.at_ms)
            last = one.sequence
        for one, other in pairwise(documents):
            if one.sequence == other.sequence:
                found = f"{one.document_id} and {other.document_id}"
                yield Finding(f"{name}, number {one.sequence}", "one document", found, look)


def numbers_follow_issue_dates(series: Mapping[Series, list[Document]]) -> Iterator[Finding]:
    """A higher number never bears an earlier date."""
    for documents in series.values():
        for one, other in pairwise(documents):
            if other.issued_on < one.issued_on:
                expected = f"issued on {one.issued_on} or later, as {one.number}"
                found = str(other.issued_on)
                yield Finding(str(other), expected, found, topic_of(InvoiceIssued))


def series_stand_at_their_last_number(
    series: Mapping[Series, list[Document]],
    heads: Mapping[Series, int],
    outbox_ms: int | None = None,
) -> Iterator[Finding]:
    """The counter of a series stands at the last number that was given."""
    for name in sorted({*series, *heads}):
        last, counter = series[name][-1] if name in series else None, heads.get(name, 0)
        number = last.sequence if last else 0
        if counter != number:
            cause = last.at_ms if last and counter < number else outbox_ms
            expected, look = f"last number {number}", "invoicer.number_series"
            yield Finding(str(name), expected, str(counter), look, cause_ms=cause)


def invoices_are_published_as_stored(
    stored: Mapping[InvoiceKey, tuple[object, ...]],
    published: Mapping[InvoiceKey, Document],
    outbox_ms: int | None = None,
) -> Iterator[Finding]:
    """The invoicer's table and the topic hold the same invoices with the same figures.

    `stored`: number, job, revision, pricing, dates, currency and totals, as `invoice_figures`;
    `outbox_ms`: when the oldest record was written that the service has still to publish.
    """
    for key in sorted({*stored, *published}):
        if key not in published:
            look = topic_of(InvoiceIssued)
            yield Finding(str(key), "a record on the topic", "none", look, cause_ms=outbox_ms)
        elif key not in stored:
            cause = published[key].at_ms
            yield Finding(str(key), "a row", "none", "invoicer.invoice", cause_ms=cause)
        elif stored[key] != invoice_figures(published[key]):
            expected = ", ".join(map(str, stored[key]))
            found = ", ".join(map(str, invoice_figures(published[key])))
            yield Finding(str(published[key]), expected, found, "invoicer.invoice and the topic")


def details_are_stored_as_published(
    published: Mapping[InvoiceKey, Document],
    line_sums: Mapping[InvoiceKey, Decimal],
    taxes: Mapping[InvoiceKey, list[Tax]],
    outbox_ms: int | None = None,
) -> Iterator[Finding]:
    """The stored lines and taxes of every invoice are those on the topic."""
    for key in sorted({*published, *line_sums, *taxes}):
        invoice = published.get(key)
        if invoice is None:
            subject, look = f"lines and taxes of {key}", "invoicer.invoice_line"
            yield Finding(subject, "an invoice", "none", look, cause_ms=outbox_ms)
            continue
        stored = line_sums.get(key, Decimal(0))
        if stored != invoice.net_total:
            expected, look = plain(invoice.net_total), "invoicer.invoice_line"
            cause = None if key in line_sums else invoice.at_ms
            yield Finding(f"{invoice}, lines", expected, plain(stored), look, cause_ms=cause)
        if sorted(taxes.get(key, [])) != sorted(invoice.taxes):
            expected, found = str(sorted(invoice.taxes)), str(sorted(taxes.get(key, [])))
            cause = None if key in taxes else invoice.at_ms
            look = "invoicer.invoice_tax"
            yield Finding(f"{invoice}, taxes", expected, found, look, cause_ms=cause)


def invoice_figures(invoice: Document) -> tuple[object, ...]:
    """What table and topic must agree on."""
    return (
        invoice.number,
        invoice.job_id,
        invoice.revision,
        invoice.pricing_no,
        invoice.issued_on,
        invoice.due_on,
        *invoice.totals,
    )
