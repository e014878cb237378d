"""What a job's billable quantities cost on the rate card: one charge for each price that is used.

Charges are the actual side of the comparison with the estimate, and the lines of a bill on
actuals. A charge is rounded where its lines are, so that the two agree to the cent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from services.pricer.domain import wording
from services.pricer.domain.shares import Share, divide
from services.pricer.domain.terms import PriceList
from shared.events.base import Unit
from shared.events.billing import LineKind, Reason
from shared.events.masterdata import RateLine
from shared.events.production import (
    Cause,
    Component,
    Metric,
    MetricsExtracted,
    PhaseStatus,
    WorkType,
)
from shared.money import ZERO, round_money, split

ONE: Final = Decimal(1)
REASONS: Final = "en"
"""The language of reasons."""
COMPONENTS: Final = (
    Component.SUBSTRATE,
    Component.INK,
    Component.MACHINE,
    Component.FINISHING,
    Component.SERVICES,
    Component.UNKNOWN,
)
"""Components in the order in which a bill and a comparison name them."""
_ORDER: Final = {component: place for place, component in enumerate(COMPONENTS)}
_KINDS: Final = {
    Component.SUBSTRATE: LineKind.MATERIAL,
    Component.INK: LineKind.MATERIAL,
    Component.MACHINE: LineKind.MACHINE,
    Component.FINISHING: LineKind.FINISHING,
}


class Part(NamedTuple):
    """A quantity for one share of the job at a price for `per` units, and its net, rounded."""

    share: Share
    quantity: Decimal
    rate: Decimal
    net: Decimal


class Charge(NamedTuple):
    """What was used of one thing at one price, in the money of the rate card.

    `caused` is the quantity beyond plan that the customer caused or approved. `outlay` is a third
    party's invoice passed on at cost. `quoted` is what a fixed quote has in its price already:
    neither an alteration nor an outlay that nobody planned.
    """

    component: Component
    kind: LineKind
    code: str
    description: str
    unit: str
    rate: Decimal
    per: Decimal
    parts: tuple[Part, ...]
    net: Decimal
    caused: Decimal
    change_order_ref: str | None
    outlay: bool
    quoted: bool


@dataclass(slots=True)
class _Tally:
    """Metrics of one price that become one charge."""

    first: Metric
    rate: RateLine
    quantity: Decimal = ZERO
    caused: Decimal = ZERO

    def add(self, metric: Metric) -> None:
        self.quantity += metric.billable
        self.caused += caused_quantity(metric)


def net_of(parts: Sequence[Part]) -> Decimal:
    """The sum of the parts' rounded nets."""
    return sum((part.net for part in parts), ZERO)


def line_net(quantity: Decimal, rate: Decimal, per: Decimal, currency: str) -> Decimal:
    """`quantity` / `per` x `rate`, rounded half up: the one place where a line is rounded."""
    return round_money(quantity * rate / per, currency)


def parts_of(
    quantity: Decimal, rate: Decimal, per: Decimal, shares: Sequence[Share], currency: str
) -> tuple[Part, ...]:
    """`quantity` by shares, each priced and rounded by itself; shares of nothing are left out."""
    return tuple(
        Part(share, each, rate, line_net(each, rate, per, currency))
        for share, each in zip(shares, divide(quantity, shares), strict=True)
        if each
    )


def lump_sums(
    amount: Decimal,
    shares: Sequence[Share],
    weights: Sequence[Decimal],
    currency: str,
    quantity: Decimal = ONE,
) -> tuple[Part, ...]:
    """`amount` divided by `weights` into lump sums that sum to it; `quantity` -1 takes them off."""
    return tuple(
        Part(share, quantity, each, quantity * each)
        for share, each in zip(shares, split(amount, weights, currency), strict=True)
        if each
    )


def caused_quantity(metric: Metric) -> Decimal:
    """What was billable beyond plan because the customer caused it or approved it."""
    who = metric.attribution
    if who.cause is not Cause.CUSTOMER and who.change_order_ref is None:
        return ZERO
    return max(metric.billable - (metric.planned or ZERO), ZERO)


def charges_of(
    metrics: MetricsExtracted, prices: PriceList, shares: Sequence[Share], locale: str
) -> tuple[tuple[Charge, ...], tuple[Reason, ...]]:
    """The charges of a job in the order of the bill, and a reason for each thing without a price.

    Metrics of the same thing, phase status and change order become one charge. What is not
    billable has no charge and needs no price. Descriptions are in the language of `locale`.
    """
    currency = prices.card.currency
    tallies: dict[tuple[object, ...], _Tally] = {}
    outlays: list[Charge] = []
    problems: dict[str, Reason] = {}
    for metric in metrics.metrics:
        if not metric.billable:
            continue
        if metric.outlay is not None:
            outlays.append(_passed_on(metric, metric.outlay, shares, currency))
            continue
        rate = prices.find(metric)
        if rate is None or rate.unit != metric.unit:
            reason = _no_price(metric, rate, prices)
            problems.setdefault(reason.text, reason)
            continue
        who = metric.attribution
        key = (
            rate.component,
            rate.code,
            metric.status,
            who.change_order_ref,
            who.work_type is WorkType.ALTERATION,
        )
        tallies.setdefault(key, _Tally(metric, rate)).add(metric)
    charges = [_charge(tally, shares, currency, locale) for tally in tallies.values()]
    charges = sorted([*charges, *outlays], key=lambda charge: _ORDER[charge.component])
    return tuple(charges), tuple(problems.values())


def _charge(tally: _Tally, shares: Sequence[Share], currency: str, locale: str) -> Charge:
    rate, metric = tally.rate, tally.first
    parts = parts_of(tally.quantity, rate.rate, rate.per, shares, currency)
    kind = _kind(metric)
    return Charge(
        component=rate.component,
        kind=kind,
        code=rate.code,
        description=_described(rate, metric, locale),
        unit=rate.unit,
        rate=rate.rate,
        per=rate.per,
        parts=parts,
        net=net_of(parts),
        caused=tally.caused,
        change_order_ref=metric.attribution.change_order_ref,
        outlay=False,
        quoted=kind is not LineKind.ALTERATION,
    )


def _passed_on(metric: Metric, outlay: Decimal, shares: Sequence[Share], currency: str) -> Charge:
    parts = lump_sums(outlay, shares, [share.weight for share in shares], currency)
    kind = _kind(metric)
    return Charge(
        component=metric.component,
        kind=kind,
        code=metric.code,
        description=metric.description,
        unit=Unit.LUMP_SUM.value,
        rate=outlay,
        per=ONE,
        parts=parts,
        net=net_of(parts),
        caused=ONE if caused_quantity(metric) and not metric.planned else ZERO,
        change_order_ref=metric.attribution.change_order_ref,
        outlay=True,
        quoted=kind is not LineKind.ALTERATION and bool(metric.planned),
    )


def _described(rate: RateLine, metric: Metric, locale: str) -> str:
    """The words on the card; a price for every status is told apart by what the device did."""
    status = metric.status if rate.status is PhaseStatus.UNKNOWN else PhaseStatus.UNKNOWN
    return f"{rate.description}{wording.status(locale, status)}"


def _kind(metric: Metric) -> LineKind:
    if metric.attribution.work_type is WorkType.ALTERATION:
        return LineKind.ALTERATION
    return _KINDS.get(metric.component, LineKind.SERVICE)


def _no_price(metric: Metric, rate: RateLine | None, prices: PriceList) -> Reason:
    card = f"rate card {prices.card.rate_card_id} version {prices.card.version}"
    what = (
        f"{wording.name(metric.component)} {metric.code}"
        f"{wording.status(REASONS, metric.status)} ({metric.description})"
    )
    if rate is None:
        code = "code-unknown"
        text = f"{what} has no price on {card}: add one in a new version of the card."
    else:
        code = "unit-differs"
        text = (
            f"{what} is measured in {wording.unit_name(metric.unit)}, but {card} has its price in "
            f"{wording.unit_name(rate.unit)}: give the price by {wording.unit_name(metric.unit)} "
            "in a new version of the card."
        )
    return Reason(code=code, component=metric.component, text=text)
