"""What each event means for invoices; and what the clock brings to those on hold."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.invoicer.domain.invoice import Known, draft, is_live, issue, newest
from services.invoicer.domain.job import (
    CORRECTION_OPEN,
    INVOICED,
    NOT_LIVE,
    SERVICE_NAME,
    TAX_HOLD,
    UNBILLABLE,
    check_path,
    correction_review,
    draft_review,
    is_newer,
    needs_correction,
)
from services.invoicer.domain.master import check_customer, check_legal_entity, check_tax_rule
from services.invoicer.domain.tax import TaxHold
from services.invoicer.store import InvoicerStore
from services.invoicer.store.rows import (
    INVOICE_DOCUMENT,
    PENDING,
    CustomerRow,
    DocumentRow,
    JobRow,
    LegalEntityRow,
    TaxRuleRow,
    job_row,
)
from shared.clock import system_now
from shared.errors import Rejected, WaitFor
from shared.events.base import Event
from shared.events.billing import InvoiceIssued, JobPriced, Reason
from shared.events.masterdata import Customer, LegalEntity, TaxRule
from shared.ids import record_key
from shared.metrics import INVOICES_ISSUED, JOB_TO_INVOICE, JOBS_UNBILLED
from shared.runtime.claimed import one_by_one

PORTION: Final = 50
NOTHING: Final[tuple[Event, ...]] = ()


def on_legal_entity(event: LegalEntity, store: InvoicerStore, now: datetime) -> Iterable[Event]:
    """Know a version of a seller, once invoices can rest on it."""
    del now
    check_legal_entity(event, store.entity_versions(event.legal_entity_id))
    if store.entities.get(event.legal_entity_id, event.version) is None:
        country = event.address.country
        store.entities.put(LegalEntityRow(event.legal_entity_id, event.version, country, event))
    return NOTHING


def on_customer(event: Customer, store: InvoicerStore, now: datetime) -> Iterable[Event]:
    """Know a version of a buyer."""
    del now
    check_customer(event)
    if store.customers.get(event.customer_id, event.version) is None:
        store.customers.put(CustomerRow(event.customer_id, event.version, event))
    return NOTHING


def on_tax_rule(event: TaxRule, store: InvoicerStore, now: datetime) -> Iterable[Event]:
    """Know a version of a tax rule."""
    del now
    check_tax_rule(event)
    if store.tax_rules.get(event.tax_rule_id, event.version) is None:
        country = event.seller_country
        store.tax_rules.put(TaxRuleRow(event.tax_rule_id, event.version, country, event))
    return NOTHING


def on_job_priced(event: JobPriced, store: InvoicerStore, now: datetime) -> Iterable[Event]:
    """Bill the newest price on a billable path; after issue, ask whether to correct."""
    job = store.jobs.get(event.legal_entity_id, event.job_id)
    check_path(event)
    if job and not is_newer(event, job.revision, job.pricing_no):
        return NOTHING
    if job and job.invoice_id:
        return _after_issue(event, job, job.invoice_id, store, now)
    if event.path in UNBILLABLE:
        _put_job(event, UNBILLABLE[event.path], job, store, now)
        return NOTHING
    return _bill(event, job, store, now)


def recheck(store: InvoicerStore, now: datetime) -> Iterable[Event]:
    """The tick: try the jobs on tax hold again that new master data or time may have released."""
    held = [(job, job.priced) for job in store.claim_held(now, PORTION) if job.priced]

    def bill(one: tuple[JobRow, JobPriced]) -> Iterable[Event]:
        return _bill(one[1], one[0], store, now)

    def hold(one: tuple[JobRow, JobPriced], why: Rejected) -> Iterable[Event]:
        reason = Reason(code=why.code, text=why.message)
        return _hold(one[1], TaxHold((reason,)), one[0], store, now)

    return one_by_one(SERVICE_NAME, store, held, bill, hold)


def show_figures(store: InvoicerStore, now: datetime) -> Iterable[Event]:
    """The tick: how many jobs stand where without an invoice, as a metric."""
    del now
    JOBS_UNBILLED.clear()
    for state, jobs in store.unbilled().items():
        JOBS_UNBILLED.labels(SERVICE_NAME, state).set(jobs)
    return NOTHING


def _bill(
    priced: JobPriced, job: JobRow | None, store: InvoicerStore, now: datetime
) -> Iterable[Event]:
    known = _known(priced, store)
    if not is_live(priced, newest(known.entities)):
        _put_job(priced, NOT_LIVE, job, store, now)
        return NOTHING
    ready = draft(priced, known, now)
    if isinstance(ready, TaxHold):
        return _hold(priced, ready, job, store, now)
    series = store.series_of(priced.legal_entity_id)
    issued, taken = issue(ready, series, now, store.link_key)
    store.put_invoice(issued, taken)
    store.documents.put(_document(issued, now))
    row = job_row(priced, INVOICED, now)
    store.jobs.put(replace(row, invoice_id=issued.invoice_id))
    INVOICES_ISSUED.labels(SERVICE_NAME, priced.path).inc()
    seconds = (now - priced.completed_at).total_seconds()
    JOB_TO_INVOICE.labels(SERVICE_NAME).observe(max(0.0, seconds))
    return (issued,)


def _known(priced: JobPriced, store: InvoicerStore) -> Known:
    """What the invoice rests on; raises `WaitFor` what this service has never seen."""
    known = store.known(priced)
    if not known.entities:
        raise WaitFor("legal-entity", record_key(priced.legal_entity_id))
    if not known.customers:
        raise WaitFor("customer", record_key(priced.customer_id))
    if not known.rules:
        raise WaitFor("tax-rule", record_key(newest(known.entities).address.country))
    return known


def _hold(
    priced: JobPriced, hold: TaxHold, job: JobRow | None, store: InvoicerStore, now: datetime
) -> Iterable[Event]:
    """Keep the price until what is missing arrives; ask for it once per price."""
    asked = job is not None and job.priced == priced
    words = "\n".join(f"{reason.code}: {reason.text}" for reason in hold.reasons)
    row = job_row(priced, TAX_HOLD, now)
    since = _since(job, TAX_HOLD, now)
    store.jobs.put(replace(row, state_since=since, hold_reasons=words, priced=priced))
    return NOTHING if asked else (draft_review(priced, hold.reasons, now),)


def _after_issue(
    priced: JobPriced, job: JobRow, invoice_id: str, store: InvoicerStore, now: datetime
) -> Iterable[Event]:
    """The invoice stands; a newer revision with a price is put before a person."""
    invoice = store.invoices.get(priced.legal_entity_id, invoice_id)
    if invoice is None or not needs_correction(priced, invoice.revision):
        return NOTHING
    row = job_row(priced, CORRECTION_OPEN, now)
    store.jobs.put(replace(row, invoice_id=invoice_id, state_since=_since(job, row.state, now)))
    return (correction_review(priced, invoice, now),)


def _put_job(
    priced: JobPriced, state: str, job: JobRow | None, store: InvoicerStore, now: datetime
) -> None:
    store.jobs.put(replace(job_row(priced, state, now), state_since=_since(job, state, now)))


def _document(issued: InvoiceIssued, now: datetime) -> DocumentRow:
    return DocumentRow(
        legal_entity_id=issued.legal_entity_id,
        invoice_id=issued.invoice_id,
        document_kind=INVOICE_DOCUMENT,
        state=PENDING,
        requested_at=now,
        not_before=system_now(),
    )


def _since(job: JobRow | None, state: str, now: datetime) -> datetime:
    """Since when a job has been in `state`, when it is now."""
    return job.state_since if job and job.state == state else now
