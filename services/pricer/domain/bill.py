"""A bill: lines in the order of the document, discount, minimum charge, and their sum."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from services.pricer.domain import wording
from services.pricer.domain.charges import ONE, Charge, Part, lump_sums, parts_of
from services.pricer.domain.shares import Share
from shared.events.base import Unit
from shared.events.billing import LineKind, PricedLine, Reason
from shared.events.masterdata import Agreement
from shared.money import ZERO, round_money

HUNDRED: Final = Decimal(100)
_DESCRIPTION_MAX: Final = 2000
_ORDER: Final = {
    kind: place
    for place, kind in enumerate(
        (
            LineKind.PRODUCT,
            LineKind.MATERIAL,
            LineKind.MACHINE,
            LineKind.FINISHING,
            LineKind.SERVICE,
            LineKind.ALTERATION,
        )
    )
}


class Line(NamedTuple):
    """A line before it is divided by what tax must see apart.

    `description` None is each share's own; `per` None is each part's own quantity, for a price
    that is agreed for the whole of it.
    """

    kind: LineKind
    code: str
    description: str | None
    unit: str
    per: Decimal | None
    parts: tuple[Part, ...]
    discountable: bool = False
    change_order_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """Priced lines and their sum, net; `notes` say what lifted it."""

    lines: tuple[PricedLine, ...]
    net_total: Decimal
    notes: tuple[Reason, ...] = ()


def line_of(charge: Charge) -> Line:
    """The line of a whole charge, not discountable."""
    return Line(
        kind=charge.kind,
        code=charge.code,
        description=charge.description,
        unit=charge.unit,
        per=charge.per,
        parts=charge.parts,
        change_order_ref=charge.change_order_ref,
    )


def caused_line(charge: Charge, shares: Sequence[Share], currency: str) -> Line:
    """The line of what the customer caused or approved of a charge beyond the plan."""
    parts = parts_of(charge.caused, charge.rate, charge.per, shares, currency)
    return line_of(charge)._replace(parts=parts)


def sum_of(lines: Iterable[Line]) -> Decimal:
    """The sum of the lines' rounded nets."""
    return sum((part.net for line in lines for part in line.parts), ZERO)


def discount_of(lines: Iterable[Line], agreement: Agreement) -> Decimal:
    """What the agreement takes off the discountable lines, rounded, zero or more."""
    base = sum_of(line for line in lines if line.discountable)
    return max(round_money(base * agreement.discount_percent / HUNDRED, agreement.currency), ZERO)


def bill(
    lines: Sequence[Line],
    agreement: Agreement,
    shares: Sequence[Share],
    job_description: str,
    locale: str,
) -> Bill:
    """`lines` in order, less the discount, lifted to the minimum charge where they are below it.

    The discount is taken off the discountable lines once, not line by line. The minimum charge
    lifts the sum of everything once; a job with nothing to bill is not lifted.
    """
    ordered = sorted(lines, key=lambda line: _ORDER[line.kind])
    off = discount_of(ordered, agreement)
    if off:
        ordered.append(_discount_line(ordered, off, agreement, shares, locale))
    total = sum_of(ordered)
    least = agreement.minimum_charge
    notes: tuple[Reason, ...] = ()
    if least is not None and ZERO < total < least:
        ordered.append(_minimum_line(ordered, least - total, agreement, shares, locale))
        notes = (_lifted(total, least, agreement.currency),)
        total = least
    priced = _numbered(ordered, job_description if len(shares) == 1 else None)
    return Bill(priced, total, notes)


def _discount_line(
    lines: Sequence[Line], off: Decimal, agreement: Agreement, shares: Sequence[Share], locale: str
) -> Line:
    base = [line for line in lines if line.discountable]
    total = sum_of(base)
    percent = agreement.discount_percent
    return Line(
        kind=LineKind.DISCOUNT,
        code="DISCOUNT",
        description=wording.discount(locale, percent, total, agreement.currency),
        unit=Unit.LUMP_SUM.value,
        per=ONE,
        parts=lump_sums(off, shares, _weights(base, shares), agreement.currency, -ONE),
    )


def _minimum_line(
    lines: Sequence[Line],
    lift: Decimal,
    agreement: Agreement,
    shares: Sequence[Share],
    locale: str,
) -> Line:
    least = agreement.minimum_charge or ZERO
    return Line(
        kind=LineKind.MINIMUM_CHARGE,
        code="MINIMUM-CHARGE",
        description=wording.minimum(locale, least, agreement.currency),
        unit=Unit.LUMP_SUM.value,
        per=ONE,
        parts=lump_sums(lift, shares, _weights(lines, shares), agreement.currency),
    )


def _lifted(total: Decimal, least: Decimal, currency: str) -> Reason:
    text = (
        f"The work comes to {wording.money(total, currency)}, below the agreed minimum charge of "
        f"{wording.money(least, currency)}: a line of {wording.money(least - total, currency)} "
        "lifts it."
    )
    return Reason(code="minimum-charge", text=text)


def _weights(lines: Iterable[Line], shares: Sequence[Share]) -> tuple[Decimal, ...]:
    """The money that `lines` have in each share; a share in the red weighs nothing."""
    if len(shares) == 1:
        return (ONE,)
    nets = dict.fromkeys(shares, ZERO)
    for line in lines:
        for part in line.parts:
            nets[part.share] += part.net
    return tuple(max(net, ZERO) for net in nets.values())


def _numbered(lines: Iterable[Line], description: str | None) -> tuple[PricedLine, ...]:
    pairs = ((line, part) for line in lines for part in line.parts)
    return tuple(
        PricedLine(
            line_no=number,
            kind=line.kind,
            code=line.code,
            description=_description(line, part, description),
            quantity=part.quantity,
            unit=line.unit,
            unit_price=part.rate,
            per=part.quantity if line.per is None else line.per,
            net=part.net,
            product_class=part.share.product_class,
            ship_to_country=part.share.ship_to_country,
            ship_to_region=part.share.ship_to_region,
            change_order_ref=line.change_order_ref,
        )
        for number, (line, part) in enumerate(pairs, 1)
    )


def _description(line: Line, part: Part, otherwise: str | None) -> str:
    """What the line says; one that was divided says of which product, or for which country."""
    share = part.share
    if line.description is None:
        return otherwise or share.description
    if len(line.parts) == 1:
        return line.description
    if len({each.share.description for each in line.parts}) > 1:
        told = share.description
    else:
        told = " ".join(filter(None, (share.ship_to_country, share.ship_to_region)))
    return f"{line.description} ({told})"[:_DESCRIPTION_MAX] if told else line.description
