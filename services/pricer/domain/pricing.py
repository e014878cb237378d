"""The price of a job and the billing path it takes.

Pure: the same metrics and terms give the same price for ever, to the cent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.pricer.domain.bill import bill
from services.pricer.domain.charges import Charge, charges_of
from services.pricer.domain.paths import Draft, draft_actuals, draft_quote, judge, settle
from services.pricer.domain.quote import mixed_units
from services.pricer.domain.shares import Share, shares_of
from services.pricer.domain.terms import Terms, Unresolved
from shared.errors import Rejected
from shared.events.billing import JobPriced, Path, PricedLine, Reason, Variance
from shared.events.masterdata import Agreement, Basis, RateCard
from shared.events.production import MetricsExtracted
from shared.events.sales import EstimateAccepted
from shared.money import ZERO

RULE_VERSION: Final = "pricing-1"
"""Stands on every price; whoever changes a rule in this folder raises it."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What differs from path to path in the event."""

    path: Path
    reasons: tuple[Reason, ...]
    basis: Basis
    lines: tuple[PricedLine, ...] = ()
    variances: tuple[Variance, ...] = ()
    net_total: Decimal = ZERO


def price(metrics: MetricsExtracted, terms: Terms | Unresolved, pricing_no: int) -> JobPriced:
    """The price of the job under `terms`, net, in the agreement's currency, with its path.

    What lacks a price is never billed at zero: without terms, or where they do not answer, the
    job goes on hold with the reasons, without lines and sum.
    """
    if isinstance(terms, Unresolved):
        return _unpriced(metrics, terms, pricing_no)
    agreement = terms.agreement
    problems = _unanswered(metrics, terms)
    if problems:
        return _held(metrics, terms, pricing_no, problems)
    shares = shares_of(metrics)
    charges, problems = charges_of(metrics, terms.prices, shares, terms.customer.locale)
    problems = (*_foreign_outlays(metrics, agreement, charges), *problems)
    if problems:
        return _held(metrics, terms, pricing_no, problems)
    draft = _draft(metrics, terms, charges, shares)
    verdict = judge(draft, terms)
    total = bill(verdict.lines, agreement, shares, metrics.description, terms.customer.locale)
    settled = settle(verdict, draft, total.net_total, agreement.currency)
    outcome = _Outcome(
        path=settled.path,
        reasons=(*settled.reasons, *total.notes),
        basis=Basis.RATE_CARD if terms.estimate is None else agreement.basis,
        lines=total.lines,
        variances=tuple(judged.variance for judged in draft.judged),
        net_total=total.net_total,
    )
    return _event(metrics, pricing_no, agreement, terms.prices.card, outcome)


def refused(
    metrics: MetricsExtracted, terms: Terms | Unresolved, pricing_no: int, why: Rejected
) -> JobPriced:
    """The job on hold because its price under `terms` breaks a rule: `why` is the reason."""
    if isinstance(terms, Unresolved):
        return _unpriced(metrics, terms, pricing_no)
    return _held(metrics, terms, pricing_no, (Reason(code=why.code, text=why.message),))


def same_outcome(one: JobPriced, other: JobPriced) -> bool:
    """Whether two pricings of a job say the same, whatever their number."""
    return one.model_copy(update={"pricing_no": other.pricing_no}) == other


def _draft(
    metrics: MetricsExtracted, terms: Terms, charges: Sequence[Charge], shares: Sequence[Share]
) -> Draft:
    estimate = terms.estimate
    if estimate is None or estimate.quote is None or terms.agreement.basis is Basis.RATE_CARD:
        return draft_actuals(terms, charges)
    return draft_quote(metrics, terms, estimate.quote, charges, shares)


def _unanswered(metrics: MetricsExtracted, terms: Terms) -> tuple[Reason, ...]:
    agreement, card = terms.agreement, terms.prices.card
    name = f"Agreement {agreement.agreement_id} version {agreement.version}"
    found = []
    if agreement.basis is Basis.UNKNOWN:
        text = f"{name} names a basis that this release does not know: send a version with another."
        found.append(Reason(code="basis-unknown", text=text))
    if not metrics.items:
        text = (
            f"Job {metrics.job_id} names no item, so nobody knows what was delivered and which tax "
            "it bears: send a revision of the job with its items."
        )
        found.append(Reason(code="items-missing", text=text))
    if card.currency != agreement.currency:
        text = (
            f"{name} is in {agreement.currency}, its rate card {card.rate_card_id} version "
            f"{card.version} in {card.currency}: send a version of one in the other's currency."
        )
        found.append(Reason(code="currency-differs", text=text))
    if terms.estimate is not None:
        found.extend(_about_estimate(metrics, agreement, terms.estimate))
    return tuple(found)


def _about_estimate(
    metrics: MetricsExtracted, agreement: Agreement, estimate: EstimateAccepted
) -> Sequence[Reason]:
    name = f"Estimate {estimate.estimate_id} of job {estimate.job_id}"
    found = []
    if estimate.customer_id != metrics.customer_id:
        text = (
            f"{name} was accepted by customer {estimate.customer_id}, but the job is for "
            f"{metrics.customer_id}: send a revision of the job that names the right one."
        )
        found.append(Reason(code="customer-differs", text=text))
    if estimate.currency != agreement.currency:
        text = (
            f"{name} is in {estimate.currency}, agreement {agreement.agreement_id} version "
            f"{agreement.version} in {agreement.currency}: send a version of the agreement in the "
            "estimate's currency, or a revision of the job that names another estimate."
        )
        found.append(Reason(code="currency-differs", text=text))
    if agreement.basis is Basis.FIXED_QUOTE and estimate.quote is None:
        text = (
            f"Agreement {agreement.agreement_id} version {agreement.version} bills fixed quotes, "
            f"but {name[0].lower()}{name[1:]} has none: send a revision of the job that names an "
            "estimate with a quote."
        )
        found.append(Reason(code="quote-missing", text=text))
    units = mixed_units(metrics.items)
    if agreement.basis is Basis.FIXED_QUOTE and units:
        text = (
            f"The items of job {metrics.job_id} are counted in {' and '.join(units)}, so the "
            "quantity delivered has no sum to hold against the quote: send a revision of the job "
            "with one unit."
        )
        found.append(Reason(code="item-units-differ", text=text))
    return found


def _foreign_outlays(
    metrics: MetricsExtracted, agreement: Agreement, charges: Sequence[Charge]
) -> tuple[Reason, ...]:
    if metrics.currency == agreement.currency:
        return ()
    return tuple(
        Reason(
            code="currency-differs",
            component=charge.component,
            text=(
                f"{charge.code} ({charge.description}) was paid in {metrics.currency}, but "
                f"agreement {agreement.agreement_id} version {agreement.version} bills in "
                f"{agreement.currency}: send a revision of the job with the cost in "
                f"{agreement.currency}."
            ),
        )
        for charge in charges
        if charge.outlay
    )


def _unpriced(metrics: MetricsExtracted, terms: Unresolved, pricing_no: int) -> JobPriced:
    agreement = terms.agreement
    basis = Basis.UNKNOWN if agreement is None else agreement.basis
    outcome = _Outcome(Path.HOLD, terms.reasons, basis)
    return _event(metrics, pricing_no, agreement, None, outcome)


def _held(
    metrics: MetricsExtracted, terms: Terms, pricing_no: int, reasons: tuple[Reason, ...]
) -> JobPriced:
    outcome = _Outcome(Path.HOLD, reasons, terms.agreement.basis)
    return _event(metrics, pricing_no, terms.agreement, terms.prices.card, outcome)


def _event(
    metrics: MetricsExtracted,
    pricing_no: int,
    agreement: Agreement | None,
    card: RateCard | None,
    outcome: _Outcome,
) -> JobPriced:
    return JobPriced(
        legal_entity_id=metrics.legal_entity_id,
        job_id=metrics.job_id,
        revision=metrics.revision,
        pricing_no=pricing_no,
        customer_id=metrics.customer_id,
        order_ref=metrics.order_ref,
        description=metrics.description,
        completed_at=metrics.completed_at,
        completed_on=metrics.completed_on,
        path=outcome.path,
        reasons=outcome.reasons,
        rule_version=RULE_VERSION,
        currency=metrics.currency if agreement is None else agreement.currency,
        basis=outcome.basis,
        agreement_id=None if agreement is None else agreement.agreement_id,
        agreement_version=None if agreement is None else agreement.version,
        rate_card_id=None if agreement is None else agreement.rate_card_id,
        rate_card_version=None if card is None else card.version,
        estimate_id=metrics.estimate_ref,
        lines=outcome.lines,
        variances=outcome.variances,
        net_total=outcome.net_total,
        payment_terms=None if agreement is None else agreement.payment_terms,
        show_estimate=agreement is not None and agreement.show_estimate,
    )
