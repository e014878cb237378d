"""What can happen to a job on its way through the shop: small changes to a completed job.

Each takes a completed job and returns another; nothing here knows how it will be billed.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random

from services.simulator.floor import operation
from services.simulator.planning import Work
from shared.events.production import (
    Attribution,
    Cause,
    Component,
    CostType,
    Delivery,
    GangShare,
    JobCompleted,
    Operation,
    Phase,
    PhaseStatus,
    Resource,
    WorkType,
)

REWORK = Attribution(cost_type=CostType.NON_CHARGEABLE, work_type=WorkType.REWORK, cause=Cause.SHOP)


def altered(job: JobCompleted, rng: Random, change_order_ref: str | None) -> JobCompleted:
    """Pages changed by the author after the proof."""
    pages = Decimal(rng.randrange(1, 9))
    language = "de" if job.legal_entity_id.startswith("DE") else "en"
    done = operation(Work("AA-PAGE", pages), "op-alteration", language)
    attribution = Attribution(
        cost_type=CostType.CHARGEABLE,
        work_type=WorkType.ALTERATION,
        cause=Cause.CUSTOMER,
        change_order_ref=change_order_ref,
    )
    extra = done.model_copy(update={"planned": None, "attribution": attribution})
    return job.model_copy(update={"operations": (*job.operations, extra)})


def reworked(job: JobCompleted, rng: Random) -> JobCompleted:
    """A form printed again because the shop spoiled it: costs, no charge."""
    first = next(r for r in job.resources if r.component is Component.SUBSTRATE)
    run = next(p for p in job.phases if p.status is PhaseStatus.RUN)
    sheets = Decimal(rng.randrange(60, 240))
    again = first.model_copy(
        update={
            "resource_id": f"{first.resource_id}-rework",
            "section": f"{first.section}-rework",
            "planned_good": None,
            "planned_waste": None,
            "actual_good": Decimal(0),
            "actual_waste": sheets,
            "attribution": REWORK,
        }
    )
    start = job.phases[-1].start + timedelta(hours=1)
    phase = run.model_copy(
        update={
            "phase_id": "ph-rework",
            "section": f"{run.section}-rework",
            "start": start + timedelta(minutes=30),
            "end": start + timedelta(minutes=42),
            "good": None,
            "attribution": REWORK,
        }
    )
    return job.model_copy(
        update={"resources": (*job.resources, again), "phases": (*job.phases, phase)}
    )


def on_gang_sheet(job: JobCompleted, rng: Random) -> JobCompleted:
    """Printed on one sheet with other customers' jobs: the floor reports the sheet as a whole."""
    sheet_id = f"GANG-{job.job_id}"
    others = rng.randrange(1, 4)
    whole = Decimal(1 + others)
    names = (job.job_id, *(f"{job.job_id}-G{number}" for number in range(1, others + 1)))
    copies, area = job.items[0].delivered, Decimal("0.0622")
    shares = tuple(
        GangShare(sheet_id=sheet_id, job_id=name, copies=copies, area=area) for name in names
    )
    times = tuple(
        planned.model_copy(update={"section": sheet_id, "hours": planned.hours * whole})
        for planned in job.planned_times
    )
    return job.model_copy(
        update={
            "gang_shares": shares,
            "resources": tuple(_times(resource, whole, sheet_id) for resource in job.resources),
            "planned_times": times,
            "phases": tuple(_longer(job.phases, int(whole), sheet_id)),
        }
    )


def _times(resource: Resource, whole: Decimal, sheet_id: str) -> Resource:
    figures = ("planned_good", "planned_waste", "actual_good", "actual_waste")
    stated = {name: getattr(resource, name) for name in figures}
    scaled = {name: value * whole for name, value in stated.items() if value is not None}
    return resource.model_copy(update={"section": sheet_id, **scaled})


def _longer(phases: Sequence[Phase], whole: int, sheet_id: str) -> Iterator[Phase]:
    """The phases `whole` times as long, one after the other, ending when they did."""
    spans = [((phase.end or phase.start) - phase.start) * whole for phase in phases]
    start = (phases[-1].end or phases[-1].start) - sum(spans, timedelta())
    for phase, span in zip(phases, spans, strict=True):
        yield phase.model_copy(
            update={"section": sheet_id, "start": start, "end": start + span, "good": None}
        )
        start += span


def substituted(job: JobCompleted, other: str) -> JobCompleted:
    """The first stock was not there and `other` was printed on instead."""

    def swap(resource: Resource) -> Resource:
        if resource.product_id != first.product_id:
            return resource
        return resource.model_copy(update={"product_id": other, "substitute_for": first.product_id})

    first = next(r for r in job.resources if r.component is Component.SUBSTRATE)
    return job.model_copy(update={"resources": tuple(map(swap, job.resources))})


def split_deliveries(job: JobCompleted, drops: int) -> JobCompleted:
    """Every delivery made in `drops` drops that sum to it."""
    deliveries = tuple(drop for whole in job.deliveries for drop in _drops(whole, drops))
    return job.model_copy(update={"deliveries": deliveries})


def sent_to(job: JobCompleted, country: str, percent: int) -> JobCompleted:
    """That much of every delivery sent to another country than the customer's."""
    deliveries = tuple(
        drop
        for whole in job.deliveries
        for drop in _apart(whole, country, whole.quantity * percent // 100)
    )
    return job.model_copy(update={"deliveries": deliveries})


def _apart(whole: Delivery, country: str, quantity: Decimal) -> tuple[Delivery, Delivery]:
    rest = {"quantity": whole.quantity - quantity}
    part = {
        "delivery_id": f"{whole.item_id}-2",
        "quantity": quantity,
        "ship_to_country": country,
    }
    return whole.model_copy(update=rest), whole.model_copy(update=part)


def _drops(whole: Delivery, drops: int) -> tuple[Delivery, ...]:
    each = whole.quantity // drops
    rest = whole.quantity - each * (drops - 1)
    return tuple(
        whole.model_copy(
            update={
                "delivery_id": f"{whole.item_id}-{drop}",
                "quantity": rest if drop == drops else each,
            }
        )
        for drop in range(1, drops + 1)
    )


def waited(job: JobCompleted, hours: Decimal) -> JobCompleted:
    """The press stood still for `hours` because the customer's press check took its time."""
    last = job.phases[-1]
    start = last.end or last.start
    phase = Phase(
        phase_id="ph-wait",
        device_id=last.device_id,
        section=last.section,
        status=PhaseStatus.STOPPED,
        start=start + timedelta(minutes=1),
        end=start + timedelta(minutes=1, seconds=int(hours * 3600)),
        attribution=Attribution(
            cost_type=CostType.CHARGEABLE, work_type=WorkType.ORIGINAL, cause=Cause.CUSTOMER,
            change_order_ref=f"CO-{job.job_id}",
        ),
    )  # fmt: skip
    end = max(job.completed_at, (phase.end or phase.start) + timedelta(minutes=30))
    return job.model_copy(update={"phases": (*job.phases, phase), "completed_at": end})


def unknown_stock(job: JobCompleted) -> JobCompleted:
    """Printed on a stock that stands on no rate card."""

    def swap(resource: Resource) -> Resource:
        if resource.component is not Component.SUBSTRATE:
            return resource
        return resource.model_copy(update={"product_id": "PAP-TRIAL-1", "description": "Trial"})

    return job.model_copy(update={"resources": tuple(map(swap, job.resources))})


def unknown_operation(job: JobCompleted) -> JobCompleted:
    """Finished with a process that stands on no rate card."""
    extra = Operation(
        operation_id="op-foil",
        component=Component.FINISHING,
        code="HOT-FOIL",
        description="Hot foil",
        unit="H87",
        planned=job.items[0].ordered,
        actual=job.items[0].delivered,
    )
    return job.model_copy(update={"operations": (*job.operations, extra)})
