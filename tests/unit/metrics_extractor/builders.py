"""Facts to extract metrics from: a plain job and its parts, each changed by keyword."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any

from services.metrics_extractor.domain.costs import CostTable, table_of
from services.metrics_extractor.domain.extraction import extract
from shared.events.masterdata import Address, BankAccount, CostRate, LegalEntity, RateLine
from shared.events.production import (
    Attribution,
    Cause,
    Component,
    CostType,
    EndStatus,
    JobCompleted,
    JobItem,
    Metric,
    MetricsExtracted,
    Operation,
    Phase,
    PhaseStatus,
    Quality,
    QualityDecided,
    Resource,
    UsageReported,
    WorkType,
)

ENTITY, JOB = "DE01", "J-1"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""When the job is completed; its press began at eight."""
EIGHT = NOON - timedelta(hours=4)
LATER = NOON + timedelta(hours=1)
"""When what happened becomes known."""

ORIGINAL = Attribution(cost_type=CostType.CHARGEABLE, work_type=WorkType.ORIGINAL)
ALTERATION = Attribution(work_type=WorkType.ALTERATION, change_order_ref="CO-7")
REWORK = Attribution(work_type=WorkType.REWORK, cause=Cause.SHOP)
BY_CUSTOMER = Attribution(cause=Cause.CUSTOMER)
BY_SHOP = Attribution(cause=Cause.SHOP)


def quantity(value: str | int | Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def sheets(
    good: str | int | None = None,
    waste: str | int | None = None,
    planned: tuple[str | int | None, str | int | None] = (None, None),
    **changes: Any,  # noqa: ANN401 - any field of the resource
) -> Resource:
    fields: dict[str, Any] = {
        "resource_id": "media",
        "component": Component.SUBSTRATE,
        "product_id": "SILK-135",
        "unit": "ST",
        "planned_good": quantity(planned[0]),
        "planned_waste": quantity(planned[1]),
        "actual_good": quantity(good),
        "actual_waste": quantity(waste),
    }
    return Resource(**fields | changes)


def ink(
    good: str | int | None = None,
    waste: str | int | None = None,
    separation: str | None = "Cyan",
    **changes: Any,  # noqa: ANN401 - any field of the resource
) -> Resource:
    fields = {
        "resource_id": "ink",
        "component": Component.INK,
        "product_id": "INK-PROCESS",
        "separation": separation,
        "unit": "GRM",
    }
    return sheets(good, waste, **fields | changes)


def phase(
    start: str,
    end: str | None,
    status: PhaseStatus = PhaseStatus.RUN,
    **changes: Any,  # noqa: ANN401 - any field of the phase
) -> Phase:
    """A phase of 2 March 2026 between two times of day, UTC, as "08:00"."""
    fields: dict[str, Any] = {
        "phase_id": f"{status}-{start}",
        "device_id": "XL106",
        "status": status,
        "start": at(start),
        "end": None if end is None else at(end),
    }
    return Phase(**fields | changes)


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-02T{time}Z")


def operation(
    actual: str | int | None = None,
    **changes: Any,  # noqa: ANN401 - any field of the operation
) -> Operation:
    fields: dict[str, Any] = {
        "operation_id": "fold",
        "component": Component.FINISHING,
        "code": "FOLD",
        "unit": "H87",
        "actual": quantity(actual),
    }
    return Operation(**fields | changes)


def item(**changes: Any) -> JobItem:  # noqa: ANN401 - any field of the item
    fields: dict[str, Any] = {
        "item_id": "1",
        "description": "Flyer",
        "product_class": "printed-matter",
        "ordered": Decimal(10000),
        "delivered": Decimal(10000),
        "unit": "H87",
    }
    return JobItem(**fields | changes)


def job(**changes: Any) -> JobCompleted:  # noqa: ANN401 - any field of the completed job
    fields: dict[str, Any] = {
        "legal_entity_id": ENTITY,
        "job_id": JOB,
        "revision": 1,
        "customer_id": "C-1",
        "description": "Flyer",
        "completed_at": NOON,
        "end_status": EndStatus.COMPLETED,
        "quality": Quality.PASSED,
        "items": (item(),),
    }
    return JobCompleted(**fields | changes)


def report(number: int = 1, **changes: Any) -> UsageReported:  # noqa: ANN401 - any field
    """A usage report; a higher `number` is a newer one."""
    fields: dict[str, Any] = {
        "legal_entity_id": ENTITY,
        "sender_id": "press",
        "message_id": f"m{number}",
        "reported_at": EIGHT + timedelta(minutes=number),
        "job_id": JOB,
    }
    return UsageReported(**fields | changes)


def decision(
    quality: Quality,
    decided_at: datetime = NOON,
    **changes: Any,  # noqa: ANN401 - any field of the decision
) -> QualityDecided:
    fields: dict[str, Any] = {
        "legal_entity_id": ENTITY,
        "sender_id": "quality",
        "message_id": "q1",
        "decided_at": decided_at,
        "job_id": JOB,
        "quality": quality,
    }
    return QualityDecided(**fields | changes)


def rate(
    component: Component,
    code: str,
    amount: str,
    unit: str,
    **changes: Any,  # noqa: ANN401 - any field of the rate
) -> RateLine:
    fields: dict[str, Any] = {
        "component": component,
        "code": code,
        "description": code,
        "unit": unit,
        "rate": Decimal(amount),
    }
    return RateLine(**fields | changes)


RATES = (
    rate(Component.SUBSTRATE, "SILK-135", "0.061", "ST"),
    rate(Component.SUBSTRATE, "GLOSS-135", "0.062", "ST"),
    rate(Component.INK, "INK-PROCESS", "14.20", "KGM"),
    rate(Component.MACHINE, "XL106", "112.00", "HUR", status=PhaseStatus.RUN),
    rate(Component.MACHINE, "XL106", "90.00", "HUR"),
    rate(Component.FINISHING, "FOLD", "6.90", "H87", per=Decimal(1000)),
)


def cost_rate(**changes: Any) -> CostRate:  # noqa: ANN401 - any field of the cost rates
    fields: dict[str, Any] = {
        "legal_entity_id": ENTITY,
        "cost_rate_id": "costs",
        "version": 1,
        "valid_from": date(2026, 1, 1),
        "recorded_at": NOON,
        "currency": "EUR",
        "lines": RATES,
    }
    return CostRate(**fields | changes)


def entity(**changes: Any) -> LegalEntity:  # noqa: ANN401 - any field of the legal entity
    fields: dict[str, Any] = {
        "legal_entity_id": ENTITY,
        "version": 1,
        "valid_from": date(2026, 1, 1),
        "recorded_at": NOON,
        "name": "Druckhaus",
        "address": Address(lines=("Weg 1",), postal_code="10115", city="Berlin", country="DE"),
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "calendar_country": "DE",
        "locale": "de",
        "invoice_series": "R",
        "bank_accounts": (BankAccount(account="DE02120300000000202051", currency="EUR"),),
    }
    return LegalEntity(**fields | changes)


COSTS = table_of(cost_rate())


def extracted(
    completed: JobCompleted, *reports: UsageReported, costs: CostTable | None = COSTS
) -> MetricsExtracted:
    return extract(completed, reports, completed_on=date(2026, 3, 2), currency="EUR", costs=costs)


def metrics(
    completed: JobCompleted, *reports: UsageReported, costs: CostTable | None = COSTS
) -> Sequence[Metric]:
    return extracted(completed, *reports, costs=costs).metrics


def only(completed: JobCompleted, *reports: UsageReported) -> Metric:
    """The one metric that the job has."""
    (metric,) = metrics(completed, *reports)
    return metric


def by_code(completed: JobCompleted, *reports: UsageReported) -> Mapping[str, Metric]:
    return {metric.code: metric for metric in metrics(completed, *reports)}


def figures(metric: Metric, names: str) -> tuple[Any, ...]:
    """The fields of a metric, named in one string with spaces between."""
    return tuple(attrgetter(name)(metric) for name in names.split())
