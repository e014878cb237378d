"""A fixed quote: the agreed price, and overs and unders at the run-on price (trade customs)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from services.pricer.domain import wording
from services.pricer.domain.bill import Line
from services.pricer.domain.charges import ONE, Part, line_net, parts_of
from services.pricer.domain.shares import Share, divide, is_chargeable
from shared.events.base import Unit
from shared.events.billing import LineKind, Reason
from shared.events.production import JobItem, MetricsExtracted
from shared.events.sales import Quote
from shared.money import ZERO, split

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Quoted:
    """The lines of a quote; `notes` say how they came about, `doubts` ask for a review."""

    lines: tuple[Line, ...]
    notes: tuple[Reason, ...] = ()
    doubts: tuple[Reason, ...] = ()


def quoted_lines(
    metrics: MetricsExtracted, quote: Quote, shares: Sequence[Share], currency: str, locale: str
) -> Quoted:
    """The quoted price, plus overs within tolerance or less unders, in `currency`.

    Overs beyond the tolerance are not billed. A shortage beyond it, or any of a guaranteed
    quantity, is a doubt; the lines then are the proposal: the whole shortage credited. Items
    that the shop printed again count for nothing; where there are no others, neither does the
    quote.
    """
    items = [item for item in metrics.items if is_chargeable(item)]
    if not items:
        return Quoted(())
    unit = items[0].unit
    delivered = sum((item.delivered for item in items), ZERO)
    base = Line(
        kind=LineKind.PRODUCT,
        code="QUOTE",
        description=None,
        unit=unit,
        per=None,
        parts=_price_parts(quote, shares, currency),
        discountable=True,
    )
    if delivered >= quote.quantity:
        return _with_overs(quote, base, delivered, _Run(shares, currency, locale))
    return _with_unders(quote, base, delivered, _Run(shares, currency, locale))


def mixed_units(items: Iterable[JobItem]) -> tuple[str, ...]:
    """The units of the items where they have several, and so no sum."""
    units = sorted({item.unit for item in items})
    return tuple(units) if len(units) > 1 else ()


@dataclass(frozen=True, slots=True)
class _Run:
    """What every run-on line of a job has in common."""

    shares: Sequence[Share]
    currency: str
    locale: str

    def on(self, quote: Quote, pieces: Decimal, unit: str) -> Line:
        """The line for `pieces` more (or, below zero, fewer) than quoted."""
        words = wording.overs if pieces > ZERO else wording.unders
        return Line(
            kind=LineKind.PRODUCT,
            code="RUN-ON",
            description=words(self.locale),
            unit=unit,
            per=quote.run_on_per,
            parts=parts_of(
                pieces, quote.run_on_price, quote.run_on_per, self.shares, self.currency
            ),
            discountable=True,
        )

    def price(self, quote: Quote, pieces: Decimal) -> str:
        """What `pieces` come to, in words."""
        net = line_net(pieces, quote.run_on_price, quote.run_on_per, self.currency)
        price = wording.money(quote.run_on_price, self.currency)
        return (
            f"at the run-on price of {price} per {wording.number(quote.run_on_per)}: "
            f"{wording.money(net, self.currency)}"
        )


def _price_parts(quote: Quote, shares: Sequence[Share], currency: str) -> tuple[Part, ...]:
    pieces = divide(quote.quantity, shares)
    nets = split(quote.price, [share.weight for share in shares], currency)
    return tuple(
        Part(share, quantity or ONE, net, net)
        for share, quantity, net in zip(shares, pieces, nets, strict=True)
        if quantity or net
    )


def _with_overs(quote: Quote, base: Line, delivered: Decimal, run: _Run) -> Quoted:
    over = delivered - quote.quantity
    most = _tolerated(quote, quote.over_tolerance, base.unit)
    billed = min(over, most)
    notes = []
    if billed:
        text = f"{_delivery(quote, delivered)}: {wording.number(billed)} overs are billed "
        notes.append(Reason(code="overs-billed", text=f"{text}{run.price(quote, billed)}."))
    if over > billed:
        text = (
            f"{_delivery(quote, delivered)}: {wording.number(over - billed)} overs beyond the "
            f"tolerance of {wording.number(quote.over_tolerance)} % ({wording.number(most)}) are "
            "not billed."
        )
        notes.append(Reason(code="overs-not-billed", text=text))
    lines = (base, run.on(quote, billed, base.unit)) if billed else (base,)
    return Quoted(lines, notes=tuple(notes))


def _with_unders(quote: Quote, base: Line, delivered: Decimal, run: _Run) -> Quoted:
    short = quote.quantity - delivered
    lines = (base, run.on(quote, -short, base.unit))
    start = f"{_delivery(quote, delivered)}: {wording.number(short)} short"
    credit = run.price(quote, short)
    if quote.under_tolerance is None:
        text = (
            f"{start}, but the quantity is guaranteed. The price proposed credits the shortage "
            f"{credit}."
        )
        return Quoted(lines, doubts=(Reason(code="quantity-guaranteed", text=text),))
    most = _tolerated(quote, quote.under_tolerance, base.unit)
    if short <= most:
        text = f"{start}, within tolerance, credited {credit}."
        return Quoted(lines, notes=(Reason(code="unders-credited", text=text),))
    text = (
        f"{start}, more than the tolerance of {wording.number(quote.under_tolerance)} % "
        f"({wording.number(most)}). The price proposed credits the shortage {credit}."
    )
    return Quoted(lines, doubts=(Reason(code="delivered-below-tolerance", text=text),))


def _tolerated(quote: Quote, percent: Decimal, unit: str) -> Decimal:
    allowed = quote.quantity * percent / HUNDRED
    return allowed.to_integral_value(ROUND_FLOOR) if unit == Unit.PIECE else allowed


def _delivery(quote: Quote, delivered: Decimal) -> str:
    return f"Delivered {wording.number(delivered)} of {wording.number(quote.quantity)} quoted"
