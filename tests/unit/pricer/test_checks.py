"""What is refused before it is kept: an estimate, agreement or rate card that cannot be meant."""

from collections.abc import Callable
from datetime import date

import pytest

from services.pricer import domain
from shared.errors import Invalid
from shared.events.masterdata import Threshold
from shared.events.production import Component
from tests.unit.pricer.builders import (
    ESTIMATED,
    SHEETS,
    WORKED,
    D,
    agreement,
    customer,
    estimate,
    job,
    metric,
    outlay,
    quote,
    quoted,
    rate,
    rate_card,
    threshold,
)

BEFORE = date(2023, 12, 31)
TOTAL: Threshold = threshold(None, "150.00", "6")


def test_what_is_sound_passes() -> None:
    domain.check_customer(customer(valid_to=date(2024, 1, 1)))
    domain.check_agreement(agreement(thresholds=(TOTAL,), minimum_charge=D(75)))
    domain.check_rate_card(rate_card())
    domain.check_estimate(quoted())
    domain.check_estimate(estimate({}, net_total=D("1850.00")))
    domain.check_metrics(job((*WORKED, outlay("FREIGHT", "85.00"))))


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (
            lambda: domain.check_customer(customer(valid_to=BEFORE)),
            "validity-ends-before-it-begins",
        ),
        (
            lambda: domain.check_agreement(agreement(valid_to=BEFORE)),
            "validity-ends-before-it-begins",
        ),
        (lambda: domain.check_agreement(agreement(currency="XTS")), "currency-unknown"),
        (
            lambda: domain.check_agreement(agreement(discount_percent=D(101))),
            "discount-out-of-range",
        ),
        (
            lambda: domain.check_agreement(agreement(discount_percent=D(-1))),
            "discount-out-of-range",
        ),
        (lambda: domain.check_agreement(agreement(minimum_charge=D(-1))), "value-negative"),
        (lambda: domain.check_agreement(agreement(actuals_cap_percent=D(-1))), "value-negative"),
        (
            lambda: domain.check_agreement(agreement(thresholds=(TOTAL, TOTAL))),
            "threshold-repeated",
        ),
        (
            lambda: domain.check_agreement(agreement(thresholds=(threshold(None, "-1", "6"),))),
            "value-negative",
        ),
        (
            lambda: domain.check_agreement(agreement(thresholds=(threshold(None, "1", "-6"),))),
            "value-negative",
        ),
        (
            lambda: domain.check_rate_card(rate_card(valid_to=BEFORE)),
            "validity-ends-before-it-begins",
        ),
        (lambda: domain.check_rate_card(rate_card(currency="XTS")), "currency-unknown"),
        (
            lambda: domain.check_rate_card(
                rate_card([rate(Component.INK, "INK", SHEETS, "1")] * 2)
            ),
            "rate-repeated",
        ),
        (
            lambda: domain.check_rate_card(rate_card([rate(Component.INK, "INK", SHEETS, "-1")])),
            "value-negative",
        ),
        (
            lambda: domain.check_rate_card(
                rate_card([rate(Component.INK, "INK", SHEETS, "1", per=0)])
            ),
            "value-not-positive",
        ),
        (lambda: domain.check_estimate(estimate(currency="XTS")), "currency-unknown"),
        (lambda: domain.check_estimate(estimate({}, net_total=D(-1))), "value-negative"),
        (
            lambda: domain.check_estimate(estimate({Component.INK: "-1"}, net_total=D(0))),
            "value-negative",
        ),
        (lambda: domain.check_estimate(estimate(net_total=D(1))), "estimate-does-not-add-up"),
        (
            lambda: domain.check_estimate(
                estimate(components=estimate().components[:1] * 2, net_total=D("884.00"))
            ),
            "component-repeated",
        ),
        (lambda: domain.check_estimate(quoted(quote(quantity=D(0)))), "value-not-positive"),
        (lambda: domain.check_estimate(quoted(quote(run_on_per=D(0)))), "value-not-positive"),
        (lambda: domain.check_estimate(quoted(quote(price=D(-1)))), "value-negative"),
        (lambda: domain.check_estimate(quoted(quote(run_on_price=D(-1)))), "value-negative"),
        (lambda: domain.check_estimate(quoted(quote(over_tolerance=D(-1)))), "value-negative"),
        (lambda: domain.check_estimate(quoted(quote(under_tolerance=D(-1)))), "value-negative"),
        (
            lambda: domain.check_metrics(job([metric(Component.INK, "INK", "KGM", "-1")])),
            "value-negative",
        ),
        (lambda: domain.check_metrics(job([outlay("FREIGHT", "-1")])), "value-negative"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_code(
    check: Callable[[], None], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        check()

    assert refused.value.code == code
    assert refused.value.facts


def test_an_estimate_that_does_not_add_up_shows_both_figures() -> None:
    with pytest.raises(Invalid) as refused:
        domain.check_estimate(estimate(ESTIMATED, net_total=D("1081.91")))

    assert refused.value.facts["sum_of_components"] == "1081.90"
    assert refused.value.facts["net_total"] == "1081.91"
