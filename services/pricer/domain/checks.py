"""What makes an estimate, an agreement, a rate card or a job's metrics unusable, before it is kept.

Each check raises `Invalid` with a stable code, the values, and what to do.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from shared.errors import Invalid
from shared.events.masterdata import Agreement, Customer, RateCard
from shared.events.production import MetricsExtracted
from shared.events.sales import EstimateAccepted, Quote
from shared.money import ZERO, minor_unit

HUNDRED = Decimal(100)


def check_customer(customer: Customer) -> None:
    """A customer's version must end after it begins."""
    _check_dates(customer.valid_from, customer.valid_to, customer.customer_id)


def check_agreement(agreement: Agreement) -> None:
    """Dates in order, a real currency, percentages and amounts that can be meant."""
    of = agreement.agreement_id
    _check_dates(agreement.valid_from, agreement.valid_to, of)
    minor_unit(agreement.currency)
    if not ZERO <= agreement.discount_percent <= HUNDRED:
        raise Invalid(
            "discount-out-of-range",
            "a discount is between 0 and 100 percent: send a version with the right one",
            agreement_id=of,
            discount_percent=agreement.discount_percent,
        )
    _check_not_negative("minimum_charge", agreement.minimum_charge, of)
    _check_not_negative("actuals_cap_percent", agreement.actuals_cap_percent, of)
    for threshold in agreement.thresholds:
        _check_not_negative("thresholds.absolute", threshold.absolute, of)
        _check_not_negative("thresholds.percent", threshold.percent, of)
    _check_once("threshold-repeated", (t.component or "total" for t in agreement.thresholds), of)


def check_rate_card(card: RateCard) -> None:
    """Dates in order, a real currency, and at most one price for a thing."""
    of = card.rate_card_id
    _check_dates(card.valid_from, card.valid_to, of)
    minor_unit(card.currency)
    for line in card.lines:
        _check_not_negative("lines.rate", line.rate, f"{of}, code {line.code}")
        _check_positive("lines.per", line.per, f"{of}, code {line.code}")
    things = (f"{line.component} {line.code} {line.status}" for line in card.lines)
    _check_once("rate-repeated", things, of)


def check_estimate(estimate: EstimateAccepted) -> None:
    """A real currency, components that are named once and sum to the total, a usable quote."""
    of = estimate.estimate_id
    minor_unit(estimate.currency)
    _check_not_negative("net_total", estimate.net_total, of)
    for part in estimate.components:
        _check_not_negative("components.net", part.net, of)
    _check_once("component-repeated", (part.component for part in estimate.components), of)
    total = sum((part.net for part in estimate.components), ZERO)
    if estimate.components and total != estimate.net_total:
        raise Invalid(
            "estimate-does-not-add-up",
            "the components must sum to net_total: send the estimate with figures that do",
            estimate_id=of,
            sum_of_components=total,
            net_total=estimate.net_total,
        )
    if estimate.quote is not None:
        _check_quote(estimate.quote, of)


def check_metrics(metrics: MetricsExtracted) -> None:
    """No billable quantity or outlay below zero: nobody is paid for having printed."""
    for metric in metrics.metrics:
        _check_not_negative("metrics.billable", metric.billable, metric.metric_id)
        _check_not_negative("metrics.outlay", metric.outlay, metric.metric_id)


def _check_quote(quote: Quote, of: str) -> None:
    _check_positive("quote.quantity", quote.quantity, of)
    _check_positive("quote.run_on_per", quote.run_on_per, of)
    _check_not_negative("quote.price", quote.price, of)
    _check_not_negative("quote.run_on_price", quote.run_on_price, of)
    _check_not_negative("quote.over_tolerance", quote.over_tolerance, of)
    _check_not_negative("quote.under_tolerance", quote.under_tolerance, of)


def _check_dates(valid_from: date, valid_to: date | None, of: str) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise Invalid(
            "validity-ends-before-it-begins",
            "valid_to is the last day of validity: send a version with dates in order",
            of=of,
            valid_from=valid_from,
            valid_to=valid_to,
        )


def _check_not_negative(field: str, value: Decimal | None, of: str) -> None:
    if value is not None and value < ZERO:
        raise Invalid("value-negative", f"{field} may not be below zero", of=of, value=value)


def _check_positive(field: str, value: Decimal, of: str) -> None:
    if value <= ZERO:
        raise Invalid("value-not-positive", f"{field} must be above zero", of=of, value=value)


def _check_once(code: str, names: Iterable[str], of: str) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise Invalid(code, "each may stand once, or nobody knows which holds", of=of, twice=twice)
