"""Which billing path a job takes, why, and which lines that path bills."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.pricer.domain import wording
from services.pricer.domain.bill import Line, caused_line, discount_of, line_of, sum_of
from services.pricer.domain.charges import Charge
from services.pricer.domain.quote import quoted_lines
from services.pricer.domain.shares import Share
from services.pricer.domain.terms import Terms
from services.pricer.domain.variance import Judged, compare, inside_reason, outside_reason
from shared.events.billing import LineKind, Path, Reason
from shared.events.production import MetricsExtracted
from shared.events.sales import Quote
from shared.money import ZERO, round_money

HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class Draft:
    """The lines of a basis and what was found out on the way.

    `caused` are lines that only the path within the cap adds. `basis_net` is what the cap looks
    at, before discount. `notes` say how the price came about; `doubts` ask for a review.
    """

    lines: tuple[Line, ...]
    judged: tuple[Judged, ...]
    basis_net: Decimal
    caused: tuple[Line, ...] = ()
    notes: tuple[Reason, ...] = ()
    doubts: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The path, why, and the lines it bills."""

    path: Path
    reasons: tuple[Reason, ...]
    lines: tuple[Line, ...]


def draft_quote(
    metrics: MetricsExtracted,
    terms: Terms,
    quote: Quote,
    charges: Sequence[Charge],
    shares: Sequence[Share],
) -> Draft:
    """On a fixed quote: its lines, and what it never included at current rates or at cost."""
    currency = terms.agreement.currency
    quoted = quoted_lines(metrics, quote, shares, currency, terms.customer.locale)
    included = [charge for charge in charges if charge.quoted]
    extras = tuple(line_of(charge) for charge in charges if not charge.quoted)
    return Draft(
        lines=(*quoted.lines, *extras),
        judged=_compared(terms, included),
        basis_net=sum_of(quoted.lines),
        caused=tuple(caused_line(charge, shares, currency) for charge in included if charge.caused),
        notes=quoted.notes,
        doubts=(*quoted.doubts, *_unordered(charges)),
    )


def draft_actuals(terms: Terms, charges: Sequence[Charge]) -> Draft:
    """On actual quantities: every charge; alterations and outlays are not discounted."""
    basis = [charge for charge in charges if charge.kind is not LineKind.ALTERATION]
    at_rates = tuple(line_of(c)._replace(discountable=True) for c in basis if not c.outlay)
    as_they_are = tuple(line_of(c) for c in charges if c.outlay or c.kind is LineKind.ALTERATION)
    return Draft(
        lines=(*at_rates, *as_they_are),
        judged=_compared(terms, basis),
        basis_net=sum((charge.net for charge in basis), ZERO),
        doubts=_unordered(charges),
    )


def judge(draft: Draft, terms: Terms) -> Verdict:
    """The path that the deviations lead to; `settle` has the last word.

    Inside: straight through. Outside for no other reason than what the customer caused or
    approved, by an agreement with a cap: actual within cap, and a quote is billed with that work.
    All else: review.
    """
    if terms.estimate is None:
        return _without_estimate(draft, terms)
    currency = terms.agreement.currency
    outside = [judged for judged in draft.judged if not judged.variance.within]
    if not outside:
        reason = inside_reason(draft.judged[-1], currency)
        return Verdict(Path.STRAIGHT_THROUGH, (reason,), draft.lines)
    reasons = tuple(outside_reason(judged, currency) for judged in outside)
    if not all(judged.explained for judged in outside):
        return Verdict(Path.REVIEW, reasons, draft.lines)
    return _capped(draft, terms, terms.estimate.net_total, reasons)


def settle(verdict: Verdict, draft: Draft, net_total: Decimal, currency: str) -> Verdict:
    """The verdict after all doubts; a price of zero or less always goes to review."""
    doubts = draft.doubts
    if net_total <= ZERO:
        text = (
            f"The price comes to {wording.money(net_total, currency)}: nothing of this job may be "
            "charged. Confirm that no invoice is wanted."
        )
        doubts = (*doubts, Reason(code="nothing-to-bill", text=text))
    path = Path.REVIEW if doubts else verdict.path
    return Verdict(path, (*doubts, *verdict.reasons, *draft.notes), verdict.lines)


def _compared(terms: Terms, charges: Sequence[Charge]) -> tuple[Judged, ...]:
    if terms.estimate is None:
        return ()
    return compare(charges, terms.estimate, terms.agreement.thresholds)


def _without_estimate(draft: Draft, terms: Terms) -> Verdict:
    agreement, card = terms.agreement, terms.prices.card
    start = f"Agreement {agreement.agreement_id} version {agreement.version}"
    priced = f"rate card {card.rate_card_id} version {card.version} on actual quantities"
    if agreement.needs_estimate:
        text = f"{start} wants an accepted estimate, and the job names none; proposed by {priced}."
        reason = Reason(code="no-estimate", text=text)
        return Verdict(Path.REVIEW, (reason,), draft.lines)
    text = f"{start} needs no estimate: priced by {priced}."
    reason = Reason(code="no-estimate-needed", text=text)
    return Verdict(Path.STRAIGHT_THROUGH, (reason,), draft.lines)


def _capped(draft: Draft, terms: Terms, estimated: Decimal, reasons: tuple[Reason, ...]) -> Verdict:
    agreement = terms.agreement
    currency, cap = agreement.currency, agreement.actuals_cap_percent
    name = f"agreement {agreement.agreement_id} version {agreement.version}"
    if cap is None:
        text = f"By {name} actuals beyond the estimate are not billed: no cap is agreed."
        reason = Reason(code="cap-not-agreed", text=text)
        return Verdict(Path.REVIEW, (*reasons, reason), draft.lines)
    lines = (*draft.lines, *draft.caused)
    billed = draft.basis_net + sum_of(draft.caused) - discount_of(lines, agreement)
    limit = round_money(estimated * (HUNDRED + cap) / HUNDRED, currency)
    figures = (
        f"{wording.money(billed, currency)} is billed for the estimated work; the cap of {name} is "
        f"{wording.money(limit, currency)} ({wording.money(estimated, currency)} estimated + "
        f"{wording.number(cap)} %)"
    )
    if billed > limit:
        text = f"{figures}: {wording.money(billed - limit, currency)} too much."
        reason = Reason(code="cap-exceeded", text=text)
        return Verdict(Path.REVIEW, (*reasons, reason), lines)
    reason = Reason(code="within-cap", text=f"{figures}.")
    return Verdict(Path.ACTUAL_WITHIN_CAP, (*reasons, reason), lines)


def _unordered(charges: Sequence[Charge]) -> tuple[Reason, ...]:
    return tuple(
        Reason(
            code="change-order-missing",
            component=charge.component,
            text=(
                f"Alteration {charge.code} ({charge.description}) names no change order, and the "
                "customer will ask who ordered it."
            ),
        )
        for charge in charges
        if charge.kind is LineKind.ALTERATION and charge.change_order_ref is None
    )
