"""CIP4's words and ours: units, statuses, media that are no substrate, who pays and why."""

import re
from collections.abc import Mapping
from typing import Final

from services.ingest.domain.element import Element
from shared.events.base import Unit
from shared.events.production import (
    Attribution,
    Cause,
    CostType,
    EndStatus,
    PhaseStatus,
    WorkType,
)

_UNITS: Final[Mapping[str, Unit]] = {
    word: unit
    for unit, words in {
        Unit.GRAM: "g gr gram grams",
        Unit.KILOGRAM: "kg kilogram kilograms",
        Unit.METRE: "m meter meters metre metres",
        Unit.SQUARE_METRE: "m2 m^2 m² sqm",
        Unit.LITRE: "l liter liters litre litres",
        Unit.MILLILITRE: "ml milliliter millilitre",
        Unit.SHEET: "sheet sheets",
        Unit.PAGE: "page pages",
        Unit.PIECE: "count countable piece pieces pcs copy copies impression impressions unit",
        Unit.KILOWATT_HOUR: "kwh",
        Unit.HOUR: "h hour hours",
        Unit.MINUTE: "min minute minutes",
        Unit.SECOND: "s sec second seconds",
    }.items()
    for word in words.split()
}

_STATUS: Final = {
    "Setup": PhaseStatus.SETUP,
    "TestRunInProgress": PhaseStatus.SETUP,
    "InProgress": PhaseStatus.RUN,
    "Running": PhaseStatus.RUN,
    "Production": PhaseStatus.RUN,
    "Cleanup": PhaseStatus.CLEANUP,
    "Stopped": PhaseStatus.STOPPED,
    "Suspended": PhaseStatus.STOPPED,
    "Down": PhaseStatus.STOPPED,
    "Idle": PhaseStatus.IDLE,
}
ENDED: Final = frozenset({"Completed", "Aborted"})
_END: Final = {"Completed": EndStatus.COMPLETED, "Aborted": EndStatus.ABORTED}

_COST: Final = {
    "Chargeable": CostType.CHARGEABLE,
    "NonChargeable": CostType.NON_CHARGEABLE,
}
_WORK: Final = {
    "Original": WorkType.ORIGINAL,
    "Alteration": WorkType.ALTERATION,
    "Rework": WorkType.REWORK,
}
_CAUSE: Final = {
    "CustomerRequest": Cause.CUSTOMER,
    "EquipmentMalfunction": Cause.SHOP,
    "InternalChange": Cause.SHOP,
    "ResourceDamaged": Cause.SHOP,
    "UserError": Cause.SHOP,
}

# Media/@MediaType of things that carry no print to the customer: plates, films, blankets.
TOOLS: Final = frozenset(
    "Blanket Film GravureCylinder ImagingCylinder MountingTape Plate Screen Sleeve".split()
)
PRINTING: Final = frozenset({"ConventionalPrinting", "DigitalPrinting"})
# CIP4 postpress processes that are counted and charged by the piece.
FINISHING: Final = frozenset(
    """BlockPreparation BoxFolding BoxPacking Bundling CaseMaking CasingIn ChannelBinding
    CoilBinding Collecting CoverApplication Creasing Cutting Embossing EndSheetGluing Folding
    Gathering Gluing HeadBandApplication HoleMaking Inserting Jacketing Labeling Laminating
    LooseBinding Numbering Palletizing Perforating PlasticCombBinding PrintRolling RingBinding
    SaddleStitching ShapeCutting Shrinking SideSewing SpinePreparation SpineTaping Stitching
    Strapping StripBinding ThreadSealing ThreadSewing Trimming Varnishing WebInlineFinishing Winding
    WireCombBinding Wrapping""".split()
)
PRINTED_MATTER: Final = "printed-matter"
NOTHING_SAID: Final = Attribution()
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def unit_of(at: Element, word: str | None, default: Unit) -> Unit:
    """The unit that a file's word stands for; raises where it is not known."""
    if word is None:
        return default
    unit = _UNITS.get(word.lower())
    if unit is None:
        raise at.unreadable(f'unit "{word[:40]}" is not known')
    return unit


def status_of(word: str | None) -> PhaseStatus:
    """What a device or job status means for the time it lasts; UNKNOWN where it means none."""
    return _STATUS.get(word or "", PhaseStatus.UNKNOWN)


def end_of(word: str | None) -> EndStatus:
    """How a process run ended."""
    return _END.get(word or "", EndStatus.UNKNOWN)


def product_class_of(product_type: str | None) -> str:
    """CIP4's product type as a product class: BusinessCard -> business-card."""
    return _CAMEL.sub("-", product_type).lower() if product_type else PRINTED_MATTER


def general(at: Element, usage: str) -> str | None:
    """The value of `GeneralID[@IDUsage=usage]`, CIP4's place for what it has no attribute for."""
    return next(
        (one.text("IDValue") for one in at.all("GeneralID") if one.text("IDUsage") == usage), None
    )


def attribution_of(mis_details: Element | None, otherwise: Attribution) -> Attribution:
    """Who pays for a piece of work: `MISDetails`, or what holds for the whole node."""
    if mis_details is None:
        return otherwise
    return Attribution(
        cost_type=_COST.get(mis_details.text("CostType") or "", otherwise.cost_type),
        work_type=_WORK.get(mis_details.text("WorkType") or "", otherwise.work_type),
        cause=_CAUSE.get(mis_details.text("WorkTypeDetails") or "", otherwise.cause),
        change_order_ref=otherwise.change_order_ref,
    )


def under(attribution: Attribution, change_order: str | None) -> Attribution:
    """The same under a change order, where one is named."""
    if change_order is None:
        return attribution
    return attribution.model_copy(update={"change_order_ref": change_order})
