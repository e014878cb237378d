"""What the customer may be charged for: printing trade customs, and the project's reading of them.

Planned spoilage is inside the price; excess waste, rework and the printer's errors are not the
customer's; author's alterations are; stopped time only where the customer caused it.
"""

from decimal import Decimal
from typing import Final

from services.metrics_extractor.domain.counters import OUTPUT_COUNTERS
from services.metrics_extractor.domain.usage import Kind, Subject, Usage
from shared.events.production import Attribution, Cause, CostType, PhaseStatus, WorkType
from shared.money import ZERO

PRODUCTIVE: Final = frozenset({PhaseStatus.SETUP, PhaseStatus.RUN, PhaseStatus.CLEANUP})


def billable(usage: Usage, attribution: Attribution) -> Decimal:
    """The billable quantity of all `usage` of one thing under one attribution, in its unit.

    Nothing of what is not chargeable, of rework, of what the customer brought himself, of meters
    that count output, of time that made nothing unless the customer caused it. All of an
    alteration, unless the shop caused it. Of original work good output and waste up to plan; what
    the customer caused is billed beyond plan, what the shop caused never is.
    """
    if _excluded(usage.subject, attribution):
        return ZERO
    good, waste, cause = usage.good or ZERO, usage.waste or ZERO, attribution.cause
    if attribution.work_type is WorkType.ALTERATION:
        return ZERO if cause is Cause.SHOP else good + waste
    if usage.subject.kind is Kind.MATERIAL:
        spoilage = waste if cause is Cause.CUSTOMER else min(waste, usage.planned_waste or ZERO)
        return good + spoilage
    return min(good, usage.planned_good or ZERO) if cause is Cause.SHOP else good


def _excluded(subject: Subject, attribution: Attribution) -> bool:
    if attribution.cost_type is CostType.NON_CHARGEABLE or attribution.work_type is WorkType.REWORK:
        return True
    if subject.kind is Kind.TIME:
        return subject.status not in PRODUCTIVE and attribution.cause is not Cause.CUSTOMER
    if subject.kind is Kind.COUNTER:
        return subject.code.casefold() in OUTPUT_COUNTERS
    return subject.customer_supplied
