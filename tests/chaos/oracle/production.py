"""From usage reports, decisions and completed jobs to metrics, and from metrics to prices."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final, TypeVar

from services.metrics_extractor.domain.checks import check_completed, check_decision, check_report
from services.metrics_extractor.domain.costs import rates_in_force, table_of
from services.metrics_extractor.domain.extraction import extract
from services.metrics_extractor.domain.masterdata import check_entity, check_rates, entity_at
from services.metrics_extractor.domain.release import RELEASED, State, verdict
from services.pricer import domain as pricing
from shared.clock import local_date
from shared.errors import WaitFor
from shared.events.base import Event
from shared.events.billing import JobPriced, Path, ReviewRequested
from shared.events.masterdata import Agreement, CostRate, Customer, LegalEntity, RateCard
from shared.events.production import (
    JobCompleted,
    MetricsExtracted,
    QualityDecided,
    UsageReported,
)
from shared.events.sales import EstimateAccepted
from shared.ids import record_key
from shared.validity import Dated, in_force

V = TypeVar("V", bound=Dated)
JobKey = tuple[str, str]
SOME_TIME: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""Stands where the comparison leaves out when something happened."""


@dataclass(frozen=True)
class Gathered:
    """A job, and what is known of it."""

    completed: JobCompleted | None = None
    state: State = State.GATHERING
    reason: str | None = None
    reports: tuple[UsageReported, ...] = ()
    late: int = 0
    decisions: tuple[QualityDecided, ...] = ()


class Extraction:
    """The metrics extractor."""

    def __init__(self) -> None:
        self.jobs: dict[JobKey, Gathered] = {}
        self._entities: dict[str, list[LegalEntity]] = defaultdict(list)
        self._rates: dict[str, list[CostRate]] = defaultdict(list)

    def rule(self, event: Event) -> Iterable[Event]:
        """What follows from an event."""
        match event:
            case LegalEntity():
                check_entity(event)
                self._entities[event.legal_entity_id].append(event)
            case CostRate():
                check_rates(event)
                self._rates[event.legal_entity_id].append(event)
            case UsageReported() | QualityDecided() | JobCompleted():
                return self._gather(event)
            case _:
                pass
        return ()

    def _gather(self, event: UsageReported | QualityDecided | JobCompleted) -> Iterable[Event]:
        key = (event.legal_entity_id, event.job_id)
        before = self.jobs.get(key, Gathered())
        job, asks = self._with(before, event)
        extracted: Iterable[Event] = ()
        if asks and job.completed is not None:
            job, extracted = self._settle(job, job.completed)
        self.jobs[key] = job
        return extracted

    def _with(
        self, job: Gathered, event: UsageReported | QualityDecided | JobCompleted
    ) -> tuple[Gathered, bool]:
        """The job with one more fact, and whether that may release it."""
        is_late = job.state is State.EXTRACTED
        match event:
            case UsageReported():
                check_report(event, len(job.reports))
                reports = (*job.reports, event)
                more = replace(job, reports=reports, late=job.late + is_late)
                return more, job.state is State.AWAITING_REPORTS
            case QualityDecided():
                check_decision(event)
                return replace(job, decisions=(*job.decisions, event)), not is_late
            case JobCompleted():
                if job.completed is not None and event.revision < job.completed.revision:
                    return job, False
                check_completed(event)
                return replace(job, completed=event), True

    def _settle(self, job: Gathered, done: JobCompleted) -> tuple[Gathered, Iterable[Event]]:
        versions = self._entities[done.legal_entity_id]
        if not versions:
            raise WaitFor("legal-entity", record_key(done.legal_entity_id))
        said = verdict(done, job.decisions, len(job.reports))
        after = replace(job, state=said.state, reason=said.reason)
        if said != RELEASED:
            return after, ()
        entity = entity_at(versions, done.completed_at)
        on = local_date(done.completed_at, entity.time_zone)
        rates = self._rates[done.legal_entity_id]
        if not rates:
            raise WaitFor("cost-rate", record_key(done.legal_entity_id))
        held = rates_in_force(rates, on)
        costs = None if held is None else table_of(held)
        event = extract(done, job.reports, completed_on=on, currency=entity.currency, costs=costs)
        return after, (event,)


class Pricing:
    """The pricer. Master data and estimates are told before the jobs: waiting comes to the same."""

    def __init__(self) -> None:
        self.prices: dict[JobKey, JobPriced] = {}
        self._customers: dict[str, list[Customer]] = defaultdict(list)
        self._agreements: dict[tuple[str, str], list[Agreement]] = defaultdict(list)
        self._cards: dict[tuple[str, str], list[RateCard]] = defaultdict(list)
        self._estimates: dict[tuple[str, str, str], EstimateAccepted] = {}

    def rule(self, event: Event) -> Iterable[Event]:
        """What follows from an event."""
        match event:
            case Customer():
                pricing.check_customer(event)
                self._customers[event.customer_id].append(event)
            case Agreement():
                pricing.check_agreement(event)
                self._agreements[event.legal_entity_id, event.agreement_id].append(event)
            case RateCard():
                pricing.check_rate_card(event)
                self._cards[event.legal_entity_id, event.rate_card_id].append(event)
            case EstimateAccepted():
                pricing.check_estimate(event)
                self._estimates[event.legal_entity_id, event.estimate_id, event.job_id] = event
            case MetricsExtracted():
                return self._price(event)
            case _:
                pass
        return ()

    def _price(self, event: MetricsExtracted) -> Iterable[Event]:
        pricing.check_metrics(event)
        key = (event.legal_entity_id, event.job_id)
        before = self.prices.get(key)
        if before and event.revision <= before.revision:
            return ()
        terms = pricing.resolve(event, self._known(event))
        if isinstance(terms, pricing.Unresolved) and terms.missing:
            raise WaitFor(terms.missing[0].kind, terms.missing[0].key)
        priced = pricing.price(event, terms, before.pricing_no + 1 if before else 1)
        self.prices[key] = priced
        return (priced, _review(priced, before)) if priced.path is Path.REVIEW else (priced,)

    def _known(self, event: MetricsExtracted) -> pricing.Known:
        entity, on = event.legal_entity_id, event.completed_on
        agreements = self._agreements_of(entity, event.customer_id, on)
        cards = {a.rate_card_id for a in agreements or ()}
        ref = event.estimate_ref
        return pricing.Known(
            customers=_holding(self._customers.get(event.customer_id), on),
            agreements=agreements,
            price_lists={
                name: tuple(map(pricing.price_list, held))
                for name in cards
                if (held := _holding(self._cards.get((entity, name)), on)) is not None
            },
            estimate=self._estimates.get((entity, ref, event.job_id)) if ref else None,
        )

    def _agreements_of(self, entity: str, customer: str, on: date) -> tuple[Agreement, ...] | None:
        deals = [
            versions
            for (of, _), versions in sorted(self._agreements.items())
            if of == entity and any(version.customer_id == customer for version in versions)
        ]
        if not deals:
            return None
        held = (one for versions in deals for one in _holding(versions, on) or ())
        return tuple(one for one in held if one.customer_id == customer)


def _holding(versions: list[V] | None, on: date) -> tuple[V, ...] | None:
    if versions is None:
        return None
    held = in_force(versions, on)
    return () if held is None else (held,)


def _review(priced: JobPriced, before: JobPriced | None) -> ReviewRequested:
    replaces = before is not None and before.path is not Path.HOLD
    return ReviewRequested(
        legal_entity_id=priced.legal_entity_id,
        subject_kind="price",
        subject_id=priced.job_id,
        subject_version=priced.pricing_no,
        requested_at=SOME_TIME,
        requested_by="pricer",
        reasons=priced.reasons,
        currency=priced.currency,
        net_total=priced.net_total,
        previous_net_total=before.net_total if before and replaces else None,
    )
