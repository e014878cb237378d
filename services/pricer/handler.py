"""What each event does: learn terms, price a job, price a job on hold anew."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from services.pricer import domain
from services.pricer.domain import Terms, Unresolved
from services.pricer.store import PricerStore
from services.pricer.store.tables import (
    AgreementRow,
    CustomerRow,
    EstimateRow,
    JobRow,
    MetricsRow,
    PricingRow,
    RateCardRow,
)
from shared.errors import Rejected, WaitFor
from shared.events.base import Event
from shared.events.billing import JobPriced, Path, ReviewRequested
from shared.events.masterdata import Agreement, Customer, RateCard
from shared.events.production import MetricsExtracted
from shared.events.sales import EstimateAccepted
from shared.metrics import JOBS_PRICED, VARIANCE_RATIO
from shared.runtime.claimed import one_by_one

SERVICE_NAME: Final = "pricer"
PORTION: Final = 100
"""Jobs priced anew in one transaction."""


def on_customer(event: Customer, store: PricerStore, now: datetime) -> Iterable[Event]:
    """Learn a version of a customer; its jobs on hold are priced anew."""
    del now
    known = store.customers.rows.get(event.customer_id, event.version)
    if known:
        return _again(event, known.content)
    domain.check_customer(event)
    store.customers.put(CustomerRow.of(event))
    return ()


def on_agreement(event: Agreement, store: PricerStore, now: datetime) -> Iterable[Event]:
    """Learn a version of an agreement; its customer's jobs on hold are priced anew."""
    del now
    known = store.agreements.rows.get(event.legal_entity_id, event.agreement_id, event.version)
    if known:
        return _again(event, known.content)
    domain.check_agreement(event)
    store.learn_agreement(AgreementRow.of(event))
    return ()


def on_rate_card(event: RateCard, store: PricerStore, now: datetime) -> Iterable[Event]:
    """Learn a version of a rate card; jobs on hold that are priced by it are priced anew."""
    del now
    known = store.rate_cards.rows.get(event.legal_entity_id, event.rate_card_id, event.version)
    if known:
        return _again(event, known.content)
    domain.check_rate_card(event)
    store.rate_cards.put(RateCardRow.of(event))
    return ()


def on_estimate_accepted(
    event: EstimateAccepted, store: PricerStore, now: datetime
) -> Iterable[Event]:
    """Learn the estimate of a job; if the job is on hold, it is priced anew."""
    del now
    known = store.estimates.get(event.legal_entity_id, event.estimate_id, event.job_id)
    if known:
        return _again(event, known.content)
    domain.check_estimate(event)
    store.estimates.put(EstimateRow.of(event))
    return ()


def on_metrics_extracted(
    event: MetricsExtracted, store: PricerStore, now: datetime
) -> Iterable[Event]:
    """Price a job, or a newer revision of it; wait for what was never seen."""
    domain.check_metrics(event)
    job = store.jobs.get(event.legal_entity_id, event.job_id)
    if job and event.revision <= job.revision:
        return ()
    terms = domain.resolve(event, store.known(event))
    if isinstance(terms, Unresolved) and terms.missing:
        raise WaitFor(terms.missing[0].kind, terms.missing[0].key)
    return _take(event, terms, store, now)


def give_up(
    event: MetricsExtracted, store: PricerStore, now: datetime, wait: WaitFor
) -> Iterable[Event]:
    """What the job waited for did not come in time: it goes on hold, and says so."""
    del wait
    return _take(event, domain.resolve(event, store.known(event)), store, now)


def reprice(store: PricerStore, now: datetime) -> Iterable[Event]:
    """Price a portion of the marked jobs anew; what comes out the same is not said again."""

    def price(job: JobRow) -> Iterable[Event]:
        return _anew(job, domain.price, store, now)

    def hold(job: JobRow, why: Rejected) -> Iterable[Event]:
        return _anew(job, partial(domain.refused, why=why), store, now)

    return one_by_one(SERVICE_NAME, store, store.claim(PORTION), price, hold)


def _take(
    event: MetricsExtracted, terms: Terms | Unresolved, store: PricerStore, now: datetime
) -> Iterable[Event]:
    """Price a revision for the first time."""
    job = store.jobs.get(event.legal_entity_id, event.job_id)
    priced = domain.price(event, terms, job.pricing_no + 1 if job else 1)
    store.metrics.put(MetricsRow.of(event, now))
    return _record(priced, job, store, now)


def _anew(
    job: JobRow,
    pricing: Callable[[MetricsExtracted, Terms | Unresolved, int], JobPriced],
    store: PricerStore,
    now: datetime,
) -> Iterable[Event]:
    """Price a job on hold again, by `pricing`."""
    metrics, before = store.metrics_of(job), store.price_of(job)
    terms = domain.resolve(metrics, store.known(metrics))
    priced = pricing(metrics, terms, job.pricing_no + 1)
    if domain.same_outcome(priced, before):
        store.jobs.put(replace(job, reprice=False))
        return ()
    return _record(priced, job, store, now)


def _record(
    priced: JobPriced, before: JobRow | None, store: PricerStore, now: datetime
) -> Iterable[Event]:
    """Keep a price, count it and emit it; a review is asked for in the same breath."""
    store.jobs.put(JobRow.of(priced, now))
    store.pricings.put(PricingRow.of(priced, now))
    _count(priced)
    if priced.path is not Path.REVIEW:
        return (priced,)
    replaces_price = before is not None and before.path != Path.HOLD
    review = ReviewRequested(
        legal_entity_id=priced.legal_entity_id,
        subject_kind="price",
        subject_id=priced.job_id,
        subject_version=priced.pricing_no,
        requested_at=now,
        requested_by=SERVICE_NAME,
        reasons=priced.reasons,
        currency=priced.currency,
        net_total=priced.net_total,
        previous_net_total=before.net_total if before and replaces_price else None,
    )
    return (priced, review)


def _count(priced: JobPriced) -> None:
    JOBS_PRICED.labels(SERVICE_NAME, priced.path.value).inc()
    total = priced.variances[-1] if priced.variances else None
    if total is not None and total.estimated:
        VARIANCE_RATIO.labels(SERVICE_NAME).observe(float(total.actual / total.estimated))


def _again(event: Event, known: Event) -> Iterable[Event]:
    """The same version a second time: no effect if it says the same, otherwise a conflict."""
    if event == known:
        return ()
    names = type(event).model_fields
    raise Rejected(
        "conflict",
        "this version was learnt before with other content; a change needs a new version",
        fields=", ".join(name for name in names if getattr(event, name) != getattr(known, name)),
    )
