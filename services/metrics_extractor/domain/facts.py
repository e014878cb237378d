"""What every fact must hold, in a report as in a completed job.

Known units, no figure below zero, times in order.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from services.metrics_extractor.domain.units import KNOWN, canonical_unit
from shared.errors import Invalid
from shared.events.base import Unit, Value
from shared.events.production import (
    Component,
    JobCompleted,
    Operation,
    Phase,
    Resource,
    UsageReported,
)

PHASE_MAX: Final = timedelta(days=31)
"""No phase lasts longer; one that does has a wrong date."""

_RESOURCE_FIGURES: Final = ("planned_good", "planned_waste", "actual_good", "actual_waste")
_SUBSTRATE: Final = {Unit.SHEET, Unit.PIECE, Unit.METRE, Unit.SQUARE_METRE, Unit.KILOGRAM}
_INK: Final = {Unit.KILOGRAM, Unit.LITRE}
_RESOURCE_UNITS: Final = {
    Component.SUBSTRATE: frozenset(unit for unit in KNOWN if canonical_unit(unit) in _SUBSTRATE),
    Component.INK: frozenset(unit for unit in KNOWN if canonical_unit(unit) in _INK),
    Component.FINISHING: KNOWN,
}
_OPERATIONS: Final = frozenset({Component.FINISHING, Component.SERVICES})


def check_facts(event: UsageReported | JobCompleted) -> None:
    """Raise `Invalid` on the first fact of `event` that cannot be, naming field and value."""
    for number, resource in enumerate(event.resources):
        _check_resource(number, resource)
    for number, phase in enumerate(event.phases):
        _check_phase(number, phase)
    for number, time in enumerate(event.planned_times):
        not_negative(time, ("hours",), "planned_times", number)
    for number, operation in enumerate(event.operations):
        _check_operation(number, operation)
    for number, counter in enumerate(event.counters):
        known_unit(counter.unit, "counters", number)
        not_negative(counter, ("reading",), "counters", number)


def not_negative(fact: Value, figures: Sequence[str], of: str, number: int) -> None:
    """No figure of `fact`, which is `of[number]`, is below zero.

    What was taken back is a new revision, not a minus.
    """
    for figure in figures:
        value: Decimal | None = getattr(fact, figure)
        if value is not None and value < 0:
            raise Invalid(
                "negative-quantity",
                "a quantity cannot be below zero: send it again with what was really used",
                field=f"{of}[{number}].{figure}",
                value=value,
            )


def known_unit(unit: str, of: str, number: int) -> None:
    """The unit of `of[number]` is a code of UN/ECE Recommendation 20 that this trade uses."""
    if unit not in KNOWN:
        raise Invalid(
            "unit-unknown",
            "not a unit that is known here: send it again with a UN/ECE Recommendation 20 code",
            field=f"{of}[{number}].unit",
            value=unit,
            known=" ".join(sorted(KNOWN)),
        )


def _check_resource(number: int, resource: Resource) -> None:
    known_unit(resource.unit, "resources", number)
    allowed = _RESOURCE_UNITS.get(resource.component)
    if allowed is None:
        raise Invalid(
            "component-unsuitable",
            "a resource is substrate, ink or finishing material: send it again with its component",
            field=f"resources[{number}].component",
            value=resource.component,
        )
    if resource.unit not in allowed:
        raise Invalid(
            "unit-unsuitable",
            f"{resource.component} is not measured in this unit: send it again in another",
            field=f"resources[{number}].unit",
            value=resource.unit,
        )
    not_negative(resource, _RESOURCE_FIGURES, "resources", number)


def _check_phase(number: int, phase: Phase) -> None:
    if phase.end is not None and not phase.start <= phase.end <= phase.start + PHASE_MAX:
        raise Invalid(
            "times-disagree",
            f"a phase ends after it starts, within {PHASE_MAX.days} days: "
            "send it again with both times right",
            field=f"phases[{number}].end",
            value=phase.end,
            start=phase.start,
        )
    not_negative(phase, ("good", "waste"), "phases", number)


def _check_operation(number: int, operation: Operation) -> None:
    known_unit(operation.unit, "operations", number)
    if operation.component not in _OPERATIONS:
        raise Invalid(
            "component-unsuitable",
            "an operation is finishing or a service: send it again with its component",
            field=f"operations[{number}].component",
            value=operation.component,
        )
    not_negative(operation, ("planned", "actual", "cost"), "operations", number)
    counted = operation.actual is not None or operation.unit == Unit.LUMP_SUM
    if operation.cost is not None and not counted:
        raise Invalid(
            "quantity-missing",
            "an outlay without a quantity: send it again with the quantity it bought",
            field=f"operations[{number}].actual",
            value=operation.actual,
            unit=operation.unit,
            cost=operation.cost,
        )
