"""From a released job to its metrics: what it used, what may be billed of it, what it cost."""

from collections.abc import Iterable, Sequence
from datetime import date

from services.metrics_extractor.domain.costs import CostTable
from services.metrics_extractor.domain.counters import counted
from services.metrics_extractor.domain.gang import shared_out
from services.metrics_extractor.domain.materials import materials
from services.metrics_extractor.domain.metrics import metrics_of, total
from services.metrics_extractor.domain.operations import operations
from services.metrics_extractor.domain.sources import sources_of
from services.metrics_extractor.domain.times import machine_time
from services.metrics_extractor.domain.usage import Usage
from shared.errors import Invalid, Rejected
from shared.events.production import JobCompleted, MetricsExtracted, UsageReported
from shared.money import is_money


def extract(
    completed: JobCompleted,
    reports: Sequence[UsageReported],
    *,
    completed_on: date,
    currency: str,
    costs: CostTable | None,
) -> MetricsExtracted:
    """The metrics of `completed`, with all `reports` of its job put in where it leaves room.

    `completed_on` is the day of completion in the entity's zone; `currency` holds where the job
    names none. Without `costs`, costs are not known. Raises `Rejected` where reports and
    completed job together make no sense.
    """
    if completed.customer_id is None:
        raise Rejected("customer-missing", "the completed job names no customer")
    currency = completed.currency or currency
    sources = sources_of(completed, reports)
    usages: list[Usage] = [
        *materials(sources),
        *machine_time(sources, completed.completed_at),
        *counted(sources),
        *operations(sources),
    ]
    _check_outlays(usages, currency)
    sheets = {share.sheet_id for share in completed.gang_shares}
    metrics = metrics_of(shared_out(usages, sheets, currency), costs, currency)
    return MetricsExtracted(
        legal_entity_id=completed.legal_entity_id,
        job_id=completed.job_id,
        revision=completed.revision,
        customer_id=completed.customer_id,
        order_ref=completed.order_ref,
        estimate_ref=completed.estimate_ref,
        description=completed.description,
        completed_at=completed.completed_at,
        completed_on=completed_on,
        currency=currency,
        cost_rate_id=costs.cost_rate_id if costs else None,
        cost_rate_version=costs.version if costs else None,
        items=completed.items,
        metrics=metrics,
        deliveries=completed.deliveries,
        planned_cost=total(m.planned_cost for m in metrics if m.planned is not None),
        actual_cost=total(m.actual_cost for m in metrics),
    )


def _check_outlays(usages: Iterable[Usage], currency: str) -> None:
    """An outlay has no more decimals than the job's currency."""
    for usage in usages:
        if usage.outlay is not None and not is_money(usage.outlay, currency):
            raise Invalid(
                "amount-too-fine",
                "an outlay has more decimals than the job's currency: send it again, rounded",
                field=f"operations.{usage.subject.code}.cost",
                value=usage.outlay,
                currency=currency,
            )
