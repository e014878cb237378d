"""Into which parts tax must see a job divided: by product class and place of delivery.

Nearly every job is one part. Where there are several, each line is divided by the pieces
delivered, so that every part carries its own share of every cent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from shared.events.production import CostType, JobItem, MetricsExtracted, WorkType
from shared.money import ZERO

_DECIMALS_MIN = 3


@dataclass(frozen=True, slots=True)
class Share:
    """One part: what tax needs to know, what was in it, and how many pieces weigh it."""

    product_class: str
    ship_to_country: str | None
    ship_to_region: str | None
    description: str
    weight: Decimal


def is_chargeable(item: JobItem) -> bool:
    """Whether the customer pays for the item at all: not for what the shop printed again."""
    attribution = item.attribution
    return (
        attribution.cost_type is not CostType.NON_CHARGEABLE
        and attribution.work_type is not WorkType.REWORK
    )


def shares_of(metrics: MetricsExtracted) -> tuple[Share, ...]:
    """The job's parts, at least one with a weight; raises ValueError for a job without items."""
    items = [item for item in metrics.items if is_chargeable(item)] or metrics.items
    if not items:
        msg = f"job {metrics.job_id} has no items"
        raise ValueError(msg)
    parts: dict[tuple[str, str | None, str | None], dict[str, Decimal]] = {}
    for item in items:
        for country, region, pieces in _drops(metrics, item):
            part = parts.setdefault((item.product_class, country, region), {})
            part[item.description] = part.get(item.description, ZERO) + pieces
    shares = tuple(
        Share(*place, "; ".join(part), sum(part.values(), ZERO)) for place, part in parts.items()
    )
    weighted = tuple(share for share in shares if share.weight > ZERO)
    return weighted or (Share(*next(iter(parts)), metrics.description, Decimal(1)),)


def divide(quantity: Decimal, shares: Sequence[Share]) -> tuple[Decimal, ...]:
    """`quantity` by the weights of `shares`, summing exactly; whole numbers stay whole."""
    if len(shares) == 1:
        return (quantity,)
    whole = sum((share.weight for share in shares), ZERO)
    step = _step(quantity)
    parts, running, given = [], ZERO, ZERO
    for share in shares:
        running += share.weight
        upto = (quantity * running / whole).quantize(step, ROUND_HALF_UP)
        parts.append(upto - given)
        given = upto
    return tuple(parts)


def _step(quantity: Decimal) -> Decimal:
    if quantity == quantity.to_integral_value():
        return Decimal(1)
    decimals = -int(quantity.normalize().as_tuple().exponent)
    return Decimal(1).scaleb(-max(decimals, _DECIMALS_MIN))


def _drops(
    metrics: MetricsExtracted, item: JobItem
) -> Iterator[tuple[str | None, str | None, Decimal]]:
    drops = [drop for drop in metrics.deliveries if drop.item_id == item.item_id]
    for drop in drops:
        if drop.ship_to_country is None:
            yield item.ship_to_country, item.ship_to_region, drop.quantity
        else:
            yield drop.ship_to_country, drop.ship_to_region, drop.quantity
    if not drops:
        yield item.ship_to_country, item.ship_to_region, item.delivered
