"""Usages of one thing become one metric: planned, used, billable, and what it cost.

Costs are rounded half up to the currency's minor unit here, once per metric; totals are sums of
rounded costs, so that they add up on every path.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from typing import Final

from services.metrics_extractor.domain.billable import billable
from services.metrics_extractor.domain.costs import CostTable
from services.metrics_extractor.domain.usage import Subject, Usage
from shared.events.production import Attribution, Cause, Component, CostType, Metric, WorkType
from shared.money import ZERO, round_money

_ORDER: Final = {component: number for number, component in enumerate(Component)}
_CAUSES: Final = {Cause.UNKNOWN: 0, Cause.SHOP: 1, Cause.CUSTOMER: 2}

Group = tuple[Subject, Attribution]


def metrics_of(
    usages: Iterable[Usage], costs: CostTable | None, currency: str
) -> tuple[Metric, ...]:
    """One metric per subject and attribution, by component, costs in `currency`.

    Without `costs`, or with costs in another currency, costs are not known.
    """
    costs = costs if costs and costs.currency == currency else None
    ordered = sorted(grouped(usages).items(), key=lambda item: _ORDER[item[0][0].component])
    return tuple(
        _metric(str(number), group, of_group, costs, currency)
        for number, (group, of_group) in enumerate(ordered, 1)
    )


def grouped(usages: Iterable[Usage]) -> dict[Group, list[Usage]]:
    """Usages by what adds up to one metric.

    A plan of original, chargeable work that is stated apart from its use says nothing of causes:
    it stands with that work, the plainest where it has several attributions.
    """
    groups: dict[Group, list[Usage]] = {}
    homes: dict[Subject, Attribution] = {}
    plans = []
    for usage in usages:
        subject, attribution = usage.subject, usage.attribution
        if _is_original(attribution):
            if usage.good is None and usage.waste is None and usage.outlay is None:
                plans.append(usage)
                continue
            home = homes.setdefault(subject, attribution)
            if _plainness(attribution) < _plainness(home):
                homes[subject] = attribution
        groups.setdefault((subject, attribution), []).append(usage)
    for plan in plans:
        home = homes.setdefault(plan.subject, plan.attribution)
        groups.setdefault((plan.subject, home), []).append(plan)
    return groups


def total(costs: Iterable[Decimal | None]) -> Decimal | None:
    """The sum, or None where there is nothing to add or one of `costs` is not known."""
    whole: Decimal | None = None
    for cost in costs:
        if cost is None:
            return None
        whole = cost if whole is None else whole + cost
    return whole


def _is_original(attribution: Attribution) -> bool:
    return (
        attribution.work_type is WorkType.ORIGINAL and attribution.cost_type is CostType.CHARGEABLE
    )


def _plainness(attribution: Attribution) -> tuple[str, int]:
    return attribution.change_order_ref or "", _CAUSES[attribution.cause]


def _metric(
    metric_id: str, group: Group, usages: Sequence[Usage], costs: CostTable | None, currency: str
) -> Metric:
    subject, attribution = group
    whole = usages[0] if len(usages) == 1 else reduce(_plus, usages)
    planned, good, waste = _planned(whole), whole.good or ZERO, whole.waste or ZERO
    planned_cost = _plan_cost(subject, planned, whole, costs)
    actual_cost = total(_use_cost(usage, costs) for usage in usages)
    return Metric(
        metric_id=metric_id,
        component=subject.component,
        code=subject.code,
        description=whole.description,
        section=subject.section,
        status=subject.status,
        unit=subject.unit,
        planned=planned,
        actual_good=good,
        actual_waste=waste,
        billable=billable(whole, attribution),
        customer_supplied=subject.customer_supplied,
        attribution=attribution,
        outlay=whole.outlay,
        planned_cost=None if planned_cost is None else round_money(planned_cost, currency),
        actual_cost=None if actual_cost is None else round_money(actual_cost, currency),
        separation=subject.separation,
    )


def _plus(one: Usage, other: Usage) -> Usage:
    """Both together, under the words of the first."""
    return one._replace(
        planned_good=_stated(one.planned_good, other.planned_good),
        planned_waste=_stated(one.planned_waste, other.planned_waste),
        good=_stated(one.good, other.good),
        waste=_stated(one.waste, other.waste),
        outlay=_stated(one.outlay, other.outlay),
    )


def _stated(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The sum of what was said; None where nothing was."""
    if one is None or other is None:
        return one if other is None else other
    return one + other


def _planned(usage: Usage) -> Decimal | None:
    return _stated(usage.planned_good, usage.planned_waste)


def _plan_cost(
    subject: Subject, planned: Decimal | None, usage: Usage, costs: CostTable | None
) -> Decimal | None:
    """What was planned costs what the quoted thing costs; an outlay without rate, what was paid."""
    if planned is None:
        return None
    cost = _cost(subject, subject.code, planned, costs)
    if cost is None and usage.outlay is not None and usage.good:
        return usage.outlay * planned / usage.good
    return cost


def _use_cost(usage: Usage, costs: CostTable | None) -> Decimal | None:
    """What was used costs what it is; what a third party did costs what he charged."""
    if usage.outlay is not None:
        return usage.outlay
    used = (usage.good or ZERO) + (usage.waste or ZERO)
    return _cost(usage.subject, usage.cost_code, used, costs)


def _cost(
    subject: Subject, code: str, quantity: Decimal, costs: CostTable | None
) -> Decimal | None:
    """What `quantity` costs, not rounded: nothing where the customer brought it."""
    if subject.customer_supplied or not quantity:
        return ZERO
    if costs is None:
        return None
    return costs.cost(subject.component, code, subject.status, quantity, subject.unit)
