"""What really happened on the shop floor: the plan, and how far the day was from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Final

from services.simulator.catalogue import ITEMS
from services.simulator.planning import CLICK, HUNDREDTH, Part, Plan, Print, Work, name_of
from services.simulator.products import WIDE
from shared.events.base import Unit
from shared.events.production import (
    Attribution,
    Component,
    CostType,
    Counter,
    Delivery,
    EndStatus,
    JobCompleted,
    JobItem,
    Operation,
    Phase,
    PhaseStatus,
    PlannedTime,
    Quality,
    Resource,
    WorkType,
)

ORIGINAL: Final = Attribution(cost_type=CostType.CHARGEABLE, work_type=WorkType.ORIGINAL)
_WHOLE: Final = Decimal(1)
_GAP: Final = timedelta(minutes=10)
_FINISHING: Final = timedelta(hours=3)
_METER: Final = 1_000_000
_HUNDREDTH_HOUR: Final = timedelta(seconds=36)


@dataclass(frozen=True, slots=True)
class Day:
    """How the day differed from the plan, as factors: 1 is as planned."""

    waste: Decimal
    ink: Decimal
    setup: Decimal
    run: Decimal
    delivered: Decimal = _WHOLE


def usual_day(rng: Random) -> Day:
    """A day within a few percent of the plan."""
    return Day(
        waste=_factor(rng, 80, 100),
        ink=_factor(rng, 96, 103),
        setup=_factor(rng, 94, 104),
        run=_factor(rng, 97, 102),
    )


def _factor(rng: Random, low: int, high: int) -> Decimal:
    return Decimal(rng.randint(low, high)) / 100


def completed(plan: Plan, day: Day, completed_at: datetime) -> JobCompleted:
    """The completed job, first revision, passed by quality control."""
    phases = tuple(_phases(plan, day, completed_at - _FINISHING))
    return JobCompleted(
        legal_entity_id=plan.house.id,
        job_id=plan.job_id,
        revision=1,
        customer_id=plan.party.id,
        order_ref=plan.order_ref,
        estimate_ref=f"E-{plan.job_id}",
        description=plan.description,
        started_at=phases[0].start,
        completed_at=completed_at,
        end_status=EndStatus.COMPLETED,
        quality=Quality.PASSED,
        currency=plan.house.entity.currency,
        items=tuple(_item(plan, part, day, i) for i, part in enumerate(plan.parts, 1)),
        resources=tuple(
            resource
            for part in plan.parts
            for printed in part.prints
            for resource in _resources(printed, day, part)
        ),
        phases=phases,
        planned_times=tuple(
            PlannedTime(
                device_id=printed.section.device, section=printed.name, status=status, hours=hours
            )
            for part in plan.parts
            for printed in part.prints
            for status, hours in printed.hours
            if hours
        ),
        operations=tuple(_operations(plan)),
        counters=tuple(_counters(plan, day, phases)),
        deliveries=tuple(_delivery(plan, part, day, i) for i, part in enumerate(plan.parts, 1)),
    )


def delivered_of(part: Part, day: Day) -> Decimal:
    """How many pieces of the part were delivered."""
    return (part.quantity * day.delivered).quantize(_WHOLE, ROUND_HALF_UP)


def _item(plan: Plan, part: Part, day: Day, number: int) -> JobItem:
    return JobItem(
        item_id=str(number),
        description=name_of(part.product, plan.house),
        product_class="printing-service" if part.customer_paper else part.product.product_class,
        ordered=part.quantity,
        delivered=delivered_of(part, day),
        unit=Unit.PIECE,
        ship_to_country=plan.party.customer.address.country,
        customer_supplied=part.customer_paper,
        attribution=ORIGINAL,
    )


def _delivery(plan: Plan, part: Part, day: Day, number: int) -> Delivery:
    return Delivery(
        delivery_id=f"{number}-1",
        item_id=str(number),
        quantity=delivered_of(part, day),
        ship_to_country=plan.party.customer.address.country,
    )


def _resources(printed: Print, day: Day, part: Part) -> Iterator[Resource]:
    places = HUNDREDTH if printed.section.device == WIDE else _WHOLE
    yield Resource(
        resource_id=f"{printed.name}-media",
        component=Component.SUBSTRATE,
        product_id=printed.stock,
        section=printed.name,
        unit=printed.unit,
        planned_good=printed.good,
        planned_waste=printed.waste,
        actual_good=(printed.good * day.delivered).quantize(places, ROUND_HALF_UP),
        actual_waste=(printed.waste * day.waste).quantize(places, ROUND_HALF_UP),
        customer_supplied=part.customer_paper,
        attribution=ORIGINAL,
    )
    for separation in printed.section.separations if printed.ink_grams else ():
        yield Resource(
            resource_id=f"{printed.name}-{separation}",
            component=Component.INK,
            product_id=printed.section.ink,
            separation=separation,
            section=printed.name,
            unit=Unit.GRAM,
            planned_good=printed.ink_grams,
            actual_good=(printed.ink_grams * day.ink).quantize(_WHOLE),
            attribution=ORIGINAL,
        )


def _phases(plan: Plan, day: Day, end: datetime) -> Iterator[Phase]:
    factors = {PhaseStatus.SETUP: day.setup, PhaseStatus.RUN: day.run}
    spans = [
        (printed, status, _span(hours * factors.get(status, _WHOLE)))
        for part in plan.parts
        for printed in part.prints
        for status, hours in printed.hours
        if hours
    ]
    start = end - sum((span for *_, span in spans), timedelta()) - _GAP * len(spans)
    for number, (printed, status, span) in enumerate(spans, 1):
        yield Phase(
            phase_id=f"ph-{number}",
            device_id=printed.section.device,
            section=printed.name,
            status=status,
            start=start,
            end=start + span,
            good=printed.good if status is PhaseStatus.RUN else None,
            attribution=ORIGINAL,
        )
        start += span + _GAP


def _span(hours: Decimal) -> timedelta:
    """As a press room books time: in hundredths of an hour, at least one."""
    return max(1, int((hours * 100).to_integral_value(ROUND_HALF_UP))) * _HUNDREDTH_HOUR


def _counters(plan: Plan, day: Day, phases: Sequence[Phase]) -> Iterator[Counter]:
    """The digital press's meter, read before and after each run; it starts anew at a million."""
    runs = {phase.section: phase for phase in phases if phase.status is PhaseStatus.RUN}
    for part in plan.parts:
        for printed in part.prints:
            if printed.clicks:
                run = runs[printed.name]
                clicks = (printed.clicks * day.delivered).quantize(_WHOLE, ROUND_HALF_UP)
                stood = Decimal(int(run.start.timestamp()) % _METER)
                after = stood + clicks
                yield _reading(printed, stood, run.start)
                yield _reading(printed, after if after < _METER else clicks, run.start + _GAP)


def _reading(printed: Print, reading: Decimal, at: datetime) -> Counter:
    return Counter(
        counter_id=f"{printed.name}-clicks",
        device_id=printed.section.device,
        kind=CLICK,
        unit=Unit.PIECE,
        reading=reading,
        read_at=at,
    )


def _operations(plan: Plan) -> Iterator[Operation]:
    for part in plan.parts:
        for work in part.operations:
            yield operation(work, f"op-{part.prints[0].name}-{work.code}", plan.house.language)
    for work in plan.services:
        yield operation(work, f"op-{work.code}", plan.house.language)


def operation(work: Work, operation_id: str, language: str) -> Operation:
    """The planned work, done as planned, described in `language` (de, otherwise English)."""
    item = ITEMS[work.code]
    return Operation(
        operation_id=operation_id,
        component=item.component,
        code=item.code,
        description=item.german if language == "de" else item.english,
        unit=item.unit,
        planned=work.quantity,
        actual=work.quantity,
        cost=work.cost,
        attribution=ORIGINAL,
    )
