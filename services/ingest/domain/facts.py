"""What a statement is to Colophon: a material, a meter's reading, a counted operation."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from services.ingest.domain.element import Element
from services.ingest.domain.reader import CODE_MAX, ID_MAX, TEXT_MAX
from services.ingest.domain.statement import Amounts, Statement, plain
from services.ingest.domain.words import unit_of
from shared.events.base import Unit
from shared.events.production import (
    Attribution,
    Component,
    Counter,
    Operation,
    Resource,
    WorkType,
)
from shared.ids import cause_id, record_key

_COUNTERS: Final = frozenset({"UsageCounter"})
_METERED: Final = frozenset({"Electricity"})
_INK_LIKE: Final = frozenset({"Ink", "Toner"})
_JOB_BEGAN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNREMARKABLE: Final = frozenset({WorkType.UNKNOWN, WorkType.ORIGINAL})


def material(statement: Statement) -> Resource | None:
    """The statement as substrate or ink; None where it is neither, or an output."""
    if statement.output or not statement.amounts.stated:
        return None
    if statement.substrate:
        return _resource(statement, Component.SUBSTRATE, _media_unit(statement))
    if statement.name in _INK_LIKE or statement.trait("ConsumableType", "Type") in _INK_LIKE:
        return _resource(statement, Component.INK, unit_of(statement.at, statement.unit, Unit.GRAM))
    return None


def _media_unit(statement: Statement) -> Unit:
    roll = statement.trait("MediaUnit") in {"Roll", "Continuous"}
    unit = unit_of(statement.at, statement.unit, Unit.METRE if roll else Unit.SHEET)
    return Unit.SHEET if unit is Unit.PIECE else unit


def _resource(statement: Statement, component: Component, unit: Unit) -> Resource:
    amounts, part = statement.amounts, statement.part
    separation = part.get("Separation") if component is Component.INK else None
    product = _limited(statement.product_id, CODE_MAX, statement.at)
    default = Unit.SHEET if component is Component.SUBSTRATE else Unit.GRAM
    distinguishing = {
        "side": part.get("Side"),
        "lot": part.get("LotID"),
        "unit": unit.value if unit is not default else None,
    }
    return Resource(
        resource_id=fact_id(
            component.value,
            separation or product or "-",
            statement.whole_section or "-",
            *(f"{key}={value}" for key, value in distinguishing.items() if value),
            *_distinctions(statement.attribution),
        ),
        component=component,
        product_id=product,
        description=_described(statement),
        separation=_limited(separation, CODE_MAX, statement.at),
        section=statement.whole_section,
        side=_limited(part.get("Side"), CODE_MAX, statement.at),
        lot_id=_limited(part.get("LotID"), ID_MAX, statement.at),
        unit=unit.value,
        planned_good=amounts.planned_good,
        planned_waste=amounts.planned_waste,
        actual_good=amounts.actual_good,
        actual_waste=amounts.actual_waste,
        customer_supplied=(statement.trait("CustomerSupplied") or "").lower() == "true",
        attribution=statement.attribution,
    )


def _distinctions(attribution: Attribution) -> Iterator[str]:
    """What keeps rework and alterations apart from the original work on the same material."""
    if attribution.work_type not in _UNREMARKABLE:
        yield f"work={attribution.work_type.value}"
    if attribution.change_order_ref:
        yield f"order={attribution.change_order_ref}"


def _described(statement: Statement) -> str | None:
    text = statement.trait("DescriptiveName", "Brand")
    if text is None and (weight := statement.trait("Weight")):
        text = f"{statement.trait('MediaType') or 'Paper'} {plain(weight)} g/m²"
    return text and text[:TEXT_MAX]


def _limited(text: str | None, length_max: int, at: Element) -> str | None:
    if text is not None and len(text) > length_max:
        raise at.unreadable(f'"{text[:40]}..." is longer than {length_max} characters')
    return text


def fact_id(*parts: str) -> str:
    """A readable id from its parts, the same in every message about the same thing."""
    readable = record_key(*parts)
    return readable if len(readable) <= ID_MAX else str(cause_id("ingest-fact", *parts))


def counters(statement: Statement) -> Iterator[Counter]:
    """The readings of a meter, if that is what the statement is about.

    A meter of @Scope Job began at zero with the job; that is a reading too, so that what it
    shows now is what the job used.
    """
    kind = statement.trait("CounterTypes", "CounterID", "ConsumableType", "Type")
    metered = statement.name in _COUNTERS or kind in _METERED
    reading = statement.amounts.actual
    if not metered or reading is None or statement.read_at is None:
        return
    default = Unit.KILOWATT_HOUR if kind in _METERED else Unit.PIECE
    unit = unit_of(statement.at, statement.unit or statement.trait("CounterUnit"), default)
    kind = _limited(kind, CODE_MAX, statement.at) or statement.name
    now = Counter(
        counter_id=fact_id(
            statement.device, statement.trait("CounterID", "ID", "ModuleID") or kind
        ),
        device_id=statement.device,
        kind=kind,
        unit=unit.value,
        reading=reading,
        read_at=statement.read_at,
    )
    if statement.trait("Scope") == "Job":
        yield now.model_copy(update={"reading": Decimal(0), "read_at": _JOB_BEGAN})
    yield now


def consumable(statement: Statement) -> Operation | None:
    """Plates and what is glued, wound or wrapped around: counted, under a code of its own."""
    plates = statement.name == "ExposedMedia" or (
        statement.name == "Media" and statement.trait("MediaType") == "Plate"
    )
    other = statement.name == "MiscConsumable" and material(statement) is None
    kind = "Plate" if plates else statement.trait("ConsumableType", "Type") or statement.name
    counted = (plates or other) and not statement.output and kind not in _METERED
    if not counted or statement.amounts.actual is None:
        return None
    component = Component.SERVICES if plates else Component.FINISHING
    code = _limited(statement.stated_id or kind, CODE_MAX, statement.at) or kind
    return Operation(
        operation_id=fact_id(
            component.value,
            code,
            statement.whole_section or "-",
            *_distinctions(statement.attribution),
        ),
        component=component,
        code=code,
        description=_described(statement),
        section=statement.whole_section,
        unit=unit_of(statement.at, statement.unit, Unit.PIECE).value,
        planned=statement.amounts.planned,
        actual=statement.amounts.actual,
        attribution=statement.attribution,
    )


def finishing(
    at: Element,
    process: str,
    code: str | None,
    section: str | None,
    counted: Amounts,
    attribution: Attribution,
) -> Operation:
    """A finishing process counted in good pieces, under the shop's code or CIP4's process name."""
    code = _limited(code, CODE_MAX, at) or process
    return Operation(
        operation_id=fact_id(
            Component.FINISHING.value, code, section or "-", *_distinctions(attribution)
        ),
        component=Component.FINISHING,
        code=code,
        description=process,
        section=section,
        unit=Unit.PIECE.value,
        planned=counted.planned_good,
        actual=counted.actual_good,
        attribution=attribution,
    )
