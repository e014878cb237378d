"""Actual against estimate, per component and in total, and which deviations are inside."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from services.pricer.domain import wording
from services.pricer.domain.charges import COMPONENTS, Charge, line_net
from shared.events.billing import Reason, Variance
from shared.events.masterdata import Threshold
from shared.events.production import Component
from shared.events.sales import EstimateAccepted
from shared.money import ZERO

HUNDRED: Final = Decimal(100)
DEFAULT_THRESHOLD: Final = Threshold(absolute=ZERO, percent=Decimal(5))
"""What holds for the total where an agreement names no threshold for it: 5 % of the estimate."""
_PERCENT_STEP: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Judged:
    """A deviation, the threshold it was held against (None: reported only), and what explains it.

    `caused` is the part of the actual, in money, that the customer caused or approved.
    """

    variance: Variance
    threshold: Threshold | None
    caused: Decimal

    @property
    def explained(self) -> bool:
        """Whether it is outside for no other reason than what the customer caused."""
        without = self.variance.difference - self.caused
        return (
            not self.variance.within
            and self.caused > ZERO
            and _is_within(without, self.variance.estimated, self.threshold)
        )


def caused_net(charge: Charge, currency: str) -> Decimal:
    """The price of what the customer caused of a charge, rounded as a line."""
    return line_net(charge.caused, charge.rate, charge.per, currency)


def compare(
    charges: Sequence[Charge], estimate: EstimateAccepted, thresholds: Sequence[Threshold]
) -> tuple[Judged, ...]:
    """The deviation of each component that was estimated or used, then of the total.

    A deviation is inside when it is within the absolute limit *or* within the percentage; above
    and below count alike. A component without a threshold is reported and held against none.
    """
    limits = {threshold.component: threshold for threshold in thresholds}
    estimated = {part.component: part.net for part in estimate.components}
    used = {charge.component for charge in charges}
    judged = [
        _judge(
            component,
            estimated.get(component, ZERO),
            [charge for charge in charges if charge.component is component],
            limits.get(component),
            estimate.currency,
        )
        for component in COMPONENTS
        if component in used or estimated.get(component)
    ]
    limit = limits.get(None, DEFAULT_THRESHOLD)
    return (*judged, _judge(None, estimate.net_total, charges, limit, estimate.currency))


def outside_reason(judged: Judged, currency: str) -> Reason:
    """Why a deviation is outside, or explained by what the customer caused."""
    code = "customer-caused-excess" if judged.explained else "variance-outside"
    text = f"{_figures(judged, currency)}, outside {_limits(judged.threshold, currency)}."
    if judged.caused > ZERO:
        caused = wording.money(judged.caused, currency)
        rest = "without it the rest is inside" if judged.explained else "the rest is outside too"
        text += f" Of the actual, {caused} is work that the customer caused or approved; {rest}."
    return Reason(code=code, component=judged.variance.component, text=text)


def inside_reason(total: Judged, currency: str) -> Reason:
    """That every deviation is inside, with the figures of the total."""
    text = (
        f"{_figures(total, currency)}, inside {_limits(total.threshold, currency)}; so is every "
        "component."
    )
    return Reason(code="within-thresholds", text=text)


def _judge(
    component: Component | None,
    estimated: Decimal,
    charges: Iterable[Charge],
    threshold: Threshold | None,
    currency: str,
) -> Judged:
    actual = caused = ZERO
    for charge in charges:
        actual += charge.net
        caused += caused_net(charge, currency) if charge.caused else ZERO
    difference = actual - estimated
    percent = (
        (difference * HUNDRED / estimated).quantize(_PERCENT_STEP, ROUND_HALF_UP)
        if estimated
        else None
    )
    variance = Variance(
        component=component,
        estimated=estimated,
        actual=actual,
        difference=difference,
        percent=percent,
        within=_is_within(difference, estimated, threshold),
    )
    return Judged(variance, threshold, caused)


def _is_within(difference: Decimal, estimated: Decimal, threshold: Threshold | None) -> bool:
    if threshold is None:
        return True
    deviation = abs(difference)
    return deviation <= threshold.absolute or deviation * HUNDRED <= threshold.percent * estimated


def _figures(judged: Judged, currency: str) -> str:
    variance = judged.variance
    actual, estimated = (wording.money(v, currency) for v in (variance.actual, variance.estimated))
    what = wording.name(variance.component)
    start = f"{what}: {actual} actual on the rate card against {estimated} estimated"
    if not variance.difference:
        return f"{start}, no difference"
    side = "above" if variance.difference > ZERO else "below"
    percent = None if variance.percent is None else round(abs(variance.percent), 2)
    share = "" if percent is None else f" ({wording.number(percent)} %)"
    return f"{start}, {wording.money(abs(variance.difference), currency)}{share} {side}"


def _limits(threshold: Threshold | None, currency: str) -> str:
    if threshold is None or threshold is DEFAULT_THRESHOLD:
        percent = wording.number(DEFAULT_THRESHOLD.percent)
        return f"the {percent} % of the estimate that hold where nothing is agreed"
    absolute = wording.money(threshold.absolute, currency)
    return f"the agreed {absolute} or {wording.number(threshold.percent)} %"
