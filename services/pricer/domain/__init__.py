"""The pricing rules: pure, from metrics and terms to a price with its path and its reasons."""

from services.pricer.domain.checks import (
    check_agreement,
    check_customer,
    check_estimate,
    check_metrics,
    check_rate_card,
)
from services.pricer.domain.pricing import RULE_VERSION, price, refused, same_outcome
from services.pricer.domain.terms import (
    Known,
    Missing,
    PriceList,
    Terms,
    Unresolved,
    price_list,
    resolve,
)

__all__ = [
    "RULE_VERSION",
    "Known",
    "Missing",
    "PriceList",
    "Terms",
    "Unresolved",
    "check_agreement",
    "check_customer",
    "check_estimate",
    "check_metrics",
    "check_rate_card",
    "price",
    "price_list",
    "refused",
    "resolve",
    "same_outcome",
]
