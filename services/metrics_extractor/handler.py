"""What each event does: gather it under its job, and extract the job once it is released."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from services.metrics_extractor.domain.checks import check_completed, check_decision, check_report
from services.metrics_extractor.domain.costs import CostTable
from services.metrics_extractor.domain.extraction import extract
from services.metrics_extractor.domain.masterdata import check_entity, check_rates, entity_at
from services.metrics_extractor.domain.release import RELEASED, State, verdict
from services.metrics_extractor.store import Fact, MetricsStore, message_key
from services.metrics_extractor.store.tables import (
    CompletedRow,
    DecisionRow,
    EntityRow,
    ExtractionRow,
    JobRow,
    RatesRow,
    ReportRow,
)
from shared.clock import local_date
from shared.errors import Rejected, WaitFor
from shared.events.base import Event
from shared.events.masterdata import CostRate, LegalEntity
from shared.events.production import (
    JobCompleted,
    MetricsExtracted,
    QualityDecided,
    UsageReported,
)
from shared.ids import record_key
from shared.metrics import JOBS_UNBILLED

SERVICE_NAME: Final = "metrics_extractor"
Costs = Callable[[MetricsStore, str, date], CostTable | None]


def on_legal_entity(event: LegalEntity, store: MetricsStore, now: datetime) -> Iterable[Event]:
    """Learn the zone that dates an entity's jobs, and its currency."""
    del now
    check_entity(event)
    if store.entities.get(event.legal_entity_id, event.version) is None:
        store.add_entity(
            EntityRow(
                legal_entity_id=event.legal_entity_id,
                version=event.version,
                valid_from=event.valid_from,
                valid_to=event.valid_to,
                time_zone=event.time_zone,
                currency=event.currency,
            )
        )
    return ()


def on_cost_rate(event: CostRate, store: MetricsStore, now: datetime) -> Iterable[Event]:
    """Learn what things cost; what was extracted before keeps its costs."""
    del now
    check_rates(event)
    if store.cost_rates.get(event.legal_entity_id, event.cost_rate_id, event.version) is None:
        store.add_rates(
            RatesRow(
                legal_entity_id=event.legal_entity_id,
                cost_rate_id=event.cost_rate_id,
                version=event.version,
                valid_from=event.valid_from,
                valid_to=event.valid_to,
                content=event,
            )
        )
    return ()


def on_usage_reported(event: UsageReported, store: MetricsStore, now: datetime) -> Iterable[Event]:
    """Gather a partial fact; it may be the one that a completed job waits for."""
    return _report(event, store, now, _known_costs)


def on_quality_decided(
    event: QualityDecided, store: MetricsStore, now: datetime
) -> Iterable[Event]:
    """Gather a decision; it may release the completed job."""
    return _decide(event, store, now, _known_costs)


def on_job_completed(event: JobCompleted, store: MetricsStore, now: datetime) -> Iterable[Event]:
    """Take a job, or a newer revision of it, and extract it if it is released."""
    return _complete(event, store, now, _known_costs)


def show_figures(store: MetricsStore, now: datetime) -> Iterable[Event]:
    """The tick: how many completed jobs stand where without being extracted, as a metric."""
    del now
    JOBS_UNBILLED.clear()
    for state, jobs in store.unbilled().items():
        JOBS_UNBILLED.labels(SERVICE_NAME, state).set(jobs)
    return ()


def give_up(event: Fact, store: MetricsStore, now: datetime, wait: WaitFor) -> Iterable[Event]:
    """Cost rates that never came leave costs unknown; a legal entity that never came is missed."""
    if wait.kind != "cost-rate":
        raise Rejected(
            "reference-missing",
            "the record's reference did not come in time: send it, then replay this record",
            kind=wait.kind,
            key=wait.key,
        ) from wait
    match event:
        case UsageReported():
            return _report(event, store, now, _no_costs)
        case QualityDecided():
            return _decide(event, store, now, _no_costs)
        case JobCompleted():
            return _complete(event, store, now, _no_costs)


def _report(
    event: UsageReported, store: MetricsStore, now: datetime, costs: Costs
) -> Iterable[Event]:
    if store.reports.get(*message_key(event)):
        return ()
    job = _job(event, store, now)
    check_report(event, job.reports)
    late = job.state == State.EXTRACTED
    job = replace(job, reports=job.reports + 1, late_reports=job.late_reports + late)
    store.jobs.put(job)
    store.add_report(
        ReportRow(
            legal_entity_id=event.legal_entity_id,
            sender_id=event.sender_id,
            message_id=event.message_id,
            job_id=event.job_id,
            reported_at=event.reported_at,
            received_at=now,
            late=late,
            content=event,
        )
    )
    return _release(job, store, now, costs) if job.state == State.AWAITING_REPORTS else ()


def _decide(
    event: QualityDecided, store: MetricsStore, now: datetime, costs: Costs
) -> Iterable[Event]:
    check_decision(event)
    if store.decisions.get(*message_key(event)):
        return ()
    job = store.jobs.put(_job(event, store, now))
    late = job.state == State.EXTRACTED
    store.add_decision(
        DecisionRow(
            legal_entity_id=event.legal_entity_id,
            sender_id=event.sender_id,
            message_id=event.message_id,
            job_id=event.job_id,
            revision=event.revision,
            quality=event.quality.value,
            decided_at=event.decided_at,
            received_at=now,
            late=late,
        )
    )
    return () if late or job.revision is None else _release(job, store, now, costs)


def _complete(
    event: JobCompleted, store: MetricsStore, now: datetime, costs: Costs
) -> Iterable[Event]:
    if store.completed.get(event.legal_entity_id, event.job_id, event.revision):
        return ()
    job = _job(event, store, now)
    if job.revision is not None and event.revision < job.revision:
        store.completed.put(_completed(event, now, content=None))
        return ()
    check_completed(event)
    extracted = _settle(replace(job, revision=event.revision), event, store, now, costs)
    store.completed.put(_completed(event, now, content=None if extracted else event))
    return extracted


def _release(job: JobRow, store: MetricsStore, now: datetime, costs: Costs) -> Iterable[Event]:
    """Ask again whether the newest revision of `job` is released."""
    return _settle(job, store.content_of(job), store, now, costs)


def _settle(
    job: JobRow, completed: JobCompleted, store: MetricsStore, now: datetime, costs: Costs
) -> Iterable[Event]:
    """Bring `job` to the state that all we know of it asks for, and extract it once."""
    versions = store.versions_of(completed.legal_entity_id)
    if not versions:
        raise WaitFor("legal-entity", record_key(completed.legal_entity_id))
    outcome = verdict(completed, store.decisions_on(job), job.reports)
    extracted: tuple[Event, ...] = ()
    if outcome == RELEASED:
        entity = entity_at(versions, completed.completed_at)
        on = local_date(completed.completed_at, entity.time_zone)
        event = extract(
            completed,
            store.reports_of(job),
            completed_on=on,
            currency=entity.currency,
            costs=costs(store, completed.legal_entity_id, on),
        )
        store.extractions.put(_extraction(event, job.reports, now))
        extracted = (event,)
    changed = (job.state, job.reason) != (outcome.state, outcome.reason)
    since = now if changed else job.state_since
    store.jobs.put(replace(job, state=outcome.state, reason=outcome.reason, state_since=since))
    return extracted


def _known_costs(store: MetricsStore, legal_entity_id: str, on: date) -> CostTable | None:
    """The rates in force, or None where none is; an entity that never had any is waited for."""
    if not store.has_rates(legal_entity_id):
        raise WaitFor("cost-rate", record_key(legal_entity_id))
    return store.rates_on(legal_entity_id, on)


def _no_costs(store: MetricsStore, legal_entity_id: str, on: date) -> CostTable | None:
    del store, legal_entity_id, on
    return None


def _job(event: Fact, store: MetricsStore, now: datetime) -> JobRow:
    """The job that `event` is about, perhaps heard of for the first time."""
    known = store.jobs.get(event.legal_entity_id, event.job_id)
    return known or JobRow(
        legal_entity_id=event.legal_entity_id,
        job_id=event.job_id,
        revision=None,
        state=State.GATHERING,
        reason=None,
        state_since=now,
        reports=0,
        late_reports=0,
    )


def _completed(event: JobCompleted, now: datetime, content: JobCompleted | None) -> CompletedRow:
    return CompletedRow(
        legal_entity_id=event.legal_entity_id,
        job_id=event.job_id,
        revision=event.revision,
        customer_id=event.customer_id,
        completed_at=event.completed_at,
        received_at=now,
        content=content,
    )


def _extraction(event: MetricsExtracted, reports: int, now: datetime) -> ExtractionRow:
    return ExtractionRow(
        legal_entity_id=event.legal_entity_id,
        job_id=event.job_id,
        revision=event.revision,
        extracted_at=now,
        completed_on=event.completed_on,
        currency=event.currency,
        metrics=len(event.metrics),
        reports=reports,
        cost_rate_id=event.cost_rate_id,
        cost_rate_version=event.cost_rate_version,
        planned_cost=event.planned_cost,
        actual_cost=event.actual_cost,
    )
