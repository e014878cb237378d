"""The billing paths: inside, within the cap, review, hold; each with its reasons and figures."""

import pytest

from services.pricer import domain
from shared.events.billing import JobPriced, Path, Variance
from shared.events.masterdata import Agreement, Basis
from shared.events.production import Attribution, Component, Metric, PhaseStatus
from tests.unit.pricer.builders import (
    BY_CUSTOMER,
    ESTIMATED,
    FIXED,
    HOURS,
    PIECES,
    WORKED,
    D,
    agreement,
    codes,
    estimate,
    item,
    job,
    line,
    metric,
    nets,
    outlay,
    quoted,
    rate,
    rate_card,
    terms,
    threshold,
)

COMPONENT_LIMIT = threshold(Component.MACHINE, "20.00", "10")
TOTAL_LIMIT = threshold(None, "30.00", "3")
JUDGED = (COMPONENT_LIMIT, TOTAL_LIMIT)


def deal(basis: Basis = Basis.RATE_CARD, **changes: object) -> Agreement:
    return agreement(basis=basis, thresholds=JUDGED, **changes)


def waiting(hours: str, attribution: Attribution = BY_CUSTOMER) -> Metric:
    return metric(
        Component.MACHINE,
        "PRESS",
        HOURS,
        hours,
        status=PhaseStatus.STOPPED,
        attribution=attribution,
    )


def variance(priced: JobPriced, component: Component | None) -> Variance:
    (found,) = [each for each in priced.variances if each.component is component]
    return found


# ------------------------------------------------------------ inside


def test_inside_every_threshold_goes_straight_through_with_the_figures() -> None:
    priced = domain.price(job(), terms(deal(), estimate({**ESTIMATED, Component.INK: "90.00"})), 1)

    assert (priced.path, codes(priced)) == (Path.STRAIGHT_THROUGH, ["within-thresholds"])
    assert priced.reasons[0].text == (
        "Total: EUR 1,081.90 actual on the rate card against EUR 1,075.00 estimated, EUR 6.90 "
        "(0.64 %) above, inside the agreed EUR 30.00 or 3 %; so is every component."
    )
    ink = variance(priced, Component.INK)
    assert (ink.difference, ink.percent, ink.within) == (D("6.90"), D("7.6667"), True)


@pytest.mark.parametrize(
    ("estimated", "within"),
    [
        ("403.00", True),  # 20.00 above: the absolute limit itself
        ("402.99", True),  # 20.01 above, but within 10 %
        ("384.55", True),  # 38.45 above: within 10 % by a hair
        ("384.54", False),  # 38.46 above: more than 10 %
        ("470.00", True),  # 47.00 below: 10 % itself
        ("470.01", False),
    ],
)
def test_a_deviation_is_inside_by_money_or_by_percent_above_and_below(
    estimated: str,
    within: bool,  # noqa: FBT001 - the expected answer
) -> None:
    accepted = estimate({**ESTIMATED, Component.MACHINE: estimated})

    priced = domain.price(job(), terms(agreement(thresholds=(COMPONENT_LIMIT,)), accepted), 1)

    assert variance(priced, Component.MACHINE).within is within


def test_a_component_without_threshold_is_reported_and_judged_by_the_total_only() -> None:
    swapped = {**ESTIMATED, Component.SUBSTRATE: "322.00", Component.FINISHING: "240.00"}

    priced = domain.price(job(), terms(deal(), estimate(swapped)), 1)

    assert variance(priced, Component.SUBSTRATE).difference == D("120.00")
    assert priced.path is Path.STRAIGHT_THROUGH


@pytest.mark.parametrize(
    ("ink", "path"), [("148.41", Path.STRAIGHT_THROUGH), ("153.90", Path.REVIEW)]
)
def test_without_any_agreed_threshold_five_percent_of_the_total_hold(ink: str, path: Path) -> None:
    accepted = estimate({**ESTIMATED, Component.INK: ink})

    priced = domain.price(job(), terms(agreement(), accepted), 1)

    assert priced.path is path
    assert "the 5 % of the estimate that hold where nothing is agreed" in priced.reasons[0].text


def test_a_component_nobody_estimated_has_no_percentage() -> None:
    priced = domain.price(job(), terms(agreement(), estimate({Component.SUBSTRATE: "900.00"})), 1)

    ink = variance(priced, Component.INK)
    assert (ink.estimated, ink.actual, ink.percent) == (D(0), D("96.90"), None)
    assert priced.path is Path.REVIEW


def test_a_component_estimated_and_not_used_is_compared_too() -> None:
    accepted = estimate({**ESTIMATED, Component.SERVICES: "20.00", Component.UNKNOWN: "0.00"})

    priced = domain.price(job(), terms(agreement(), accepted), 1)

    assert [each.component for each in priced.variances] == [
        Component.SUBSTRATE,
        Component.INK,
        Component.MACHINE,
        Component.FINISHING,
        Component.SERVICES,
        None,
    ]
    assert variance(priced, Component.SERVICES).difference == D("-20.00")


def test_an_estimate_of_nothing_and_an_actual_of_nothing_agree() -> None:
    priced = domain.price(job([]), terms(agreement(), estimate({}, net_total=D(0))), 1)

    assert variance(priced, None).within


# ------------------------------------------------------------ outside


def test_outside_without_the_customer_s_doing_is_reviewed_by_component() -> None:
    accepted = estimate({**ESTIMATED, Component.MACHINE: "300.00"})

    priced = domain.price(job(), terms(deal(actuals_cap_percent=D(50)), accepted), 1)

    assert priced.path is Path.REVIEW
    assert [(r.code, r.component) for r in priced.reasons] == [
        ("variance-outside", Component.MACHINE),
        ("variance-outside", None),
    ]
    assert priced.reasons[0].text == (
        "Machine time: EUR 423.00 actual on the rate card against EUR 300.00 estimated, "
        "EUR 123.00 (41 %) above, outside the agreed EUR 20.00 or 10 %."
    )
    assert priced.net_total == D("1081.90")


def test_far_below_the_estimate_is_reviewed_as_well() -> None:
    accepted = estimate({**ESTIMATED, Component.MACHINE: "600.00"})

    priced = domain.price(job(), terms(deal(), accepted), 1)

    assert priced.path is Path.REVIEW
    assert "EUR 177.00 (29.5 %) below" in priced.reasons[0].text


def test_what_the_customer_caused_is_billed_within_the_cap_on_actuals() -> None:
    done = job((*WORKED, waiting("0.5")))

    priced = domain.price(done, terms(deal(actuals_cap_percent=D(10)), estimate()), 1)

    assert priced.path is Path.ACTUAL_WITHIN_CAP
    assert [(r.code, r.component) for r in priced.reasons] == [
        ("customer-caused-excess", Component.MACHINE),
        ("customer-caused-excess", None),
        ("within-cap", None),
    ]
    assert priced.reasons[0].text == (
        "Machine time: EUR 513.00 actual on the rate card against EUR 423.00 estimated, EUR 90.00 "
        "(21.28 %) above, outside the agreed EUR 20.00 or 10 %. Of the actual, EUR 90.00 is "
        "work that the customer caused or approved; without it the rest is inside."
    )
    assert priced.reasons[2].text == (
        "EUR 1,171.90 is billed for the estimated work; the cap of agreement A-1 version 1 is "
        "EUR 1,190.09 (EUR 1,081.90 estimated + 10 %)."
    )
    assert priced.net_total == D("1171.90")


def test_what_the_customer_caused_is_added_to_the_quote_within_the_cap() -> None:
    done = job((*WORKED, waiting("0.5")))
    fixed = deal(Basis.FIXED_QUOTE, actuals_cap_percent=D(100))

    priced = domain.price(done, terms(fixed, quoted()), 1)

    assert priced.path is Path.ACTUAL_WITHIN_CAP
    assert [(each.code, each.net) for each in priced.lines] == [
        ("QUOTE", D("1850.00")),
        ("PRESS", D("90.00")),
    ]
    assert line(priced, "PRESS").description == "Press, stopped"


def test_only_what_goes_beyond_the_plan_is_the_customer_s_doing() -> None:
    longer = metric(
        Component.MACHINE,
        "PRESS",
        HOURS,
        "2.4",
        status=PhaseStatus.RUN,
        planned=D("1.6"),
        attribution=BY_CUSTOMER,
    )
    done = job((*(m for m in WORKED if m.status is not PhaseStatus.RUN), longer))
    fixed = deal(Basis.FIXED_QUOTE, actuals_cap_percent=D(100))

    priced = domain.price(done, terms(fixed, quoted()), 1)

    assert priced.path is Path.ACTUAL_WITHIN_CAP
    assert (line(priced, "PRESS").quantity, line(priced, "PRESS").net) == (D("0.8"), D("144.00"))


def test_approval_by_a_change_order_counts_like_the_customer_s_doing() -> None:
    approved = waiting("0.5", Attribution(change_order_ref="CO-9"))

    priced = domain.price(
        job((*WORKED, approved)), terms(deal(actuals_cap_percent=D(10)), estimate()), 1
    )

    assert priced.path is Path.ACTUAL_WITHIN_CAP


def test_inside_the_thresholds_a_quote_stays_a_quote() -> None:
    fixed = deal(Basis.FIXED_QUOTE, actuals_cap_percent=D(100))

    priced = domain.price(job((*WORKED, waiting("0.1"))), terms(fixed, quoted()), 1)

    assert priced.path is Path.STRAIGHT_THROUGH
    assert nets(priced) == ["1850.00"]


def test_above_the_cap_is_reviewed_with_what_it_exceeds() -> None:
    done = job((*WORKED, waiting("0.5")))

    priced = domain.price(done, terms(deal(actuals_cap_percent=D(5)), estimate()), 1)

    assert priced.path is Path.REVIEW
    assert priced.reasons[-1].code == "cap-exceeded"
    assert priced.reasons[-1].text.endswith("(EUR 1,081.90 estimated + 5 %): EUR 35.90 too much.")


def test_the_cap_looks_at_what_is_billed_after_discount() -> None:
    done = job((*WORKED, waiting("0.5")))
    discounted = deal(actuals_cap_percent=D(5), discount_percent=D(5))

    priced = domain.price(done, terms(discounted, estimate()), 1)

    assert priced.path is Path.ACTUAL_WITHIN_CAP
    assert priced.net_total == D("1113.30")


def test_without_a_cap_the_customer_s_doing_is_reviewed_and_not_billed_on_a_quote() -> None:
    priced = domain.price(
        job((*WORKED, waiting("0.5"))), terms(deal(Basis.FIXED_QUOTE), quoted()), 1
    )

    assert priced.path is Path.REVIEW
    assert priced.reasons[-1].code == "cap-not-agreed"
    assert nets(priced) == ["1850.00"]


def test_the_customer_s_doing_does_not_cover_up_the_shop_s() -> None:
    accepted = estimate({**ESTIMATED, Component.MACHINE: "300.00"})
    done = job((*WORKED, waiting("0.5")))

    priced = domain.price(done, terms(deal(actuals_cap_percent=D(100)), accepted), 1)

    assert priced.path is Path.REVIEW
    assert priced.reasons[0].code == "variance-outside"
    assert priced.reasons[0].text.endswith("caused or approved; the rest is outside too.")


def test_an_unplanned_outlay_raises_a_bill_on_actuals_above_its_estimate() -> None:
    courier = outlay("COURIER", "400.00", attribution=BY_CUSTOMER)

    unexplained = domain.price(
        job((*WORKED, outlay("COURIER", "400.00"))), terms(deal(), estimate()), 1
    )
    explained = domain.price(
        job((*WORKED, courier)), terms(deal(actuals_cap_percent=D(50)), estimate()), 1
    )

    assert unexplained.path is Path.REVIEW
    assert explained.path is Path.ACTUAL_WITHIN_CAP


# ------------------------------------------------------------ without an estimate


def test_no_estimate_where_none_is_needed_goes_straight_through_by_rate_card() -> None:
    fixed = agreement(basis=Basis.FIXED_QUOTE, needs_estimate=False)

    priced = domain.price(job(estimate_ref=None), terms(fixed), 1)

    assert (priced.path, priced.basis) == (Path.STRAIGHT_THROUGH, Basis.RATE_CARD)
    assert codes(priced) == ["no-estimate-needed"]
    assert priced.variances == ()


def test_no_estimate_where_one_is_wanted_is_reviewed_with_a_price_by_rate_card() -> None:
    priced = domain.price(job(estimate_ref=None), terms(), 1)

    assert (priced.path, codes(priced)) == (Path.REVIEW, ["no-estimate"])
    assert priced.net_total == D("1081.90")


# ------------------------------------------------------------ the event


def test_a_price_carries_what_it_was_computed_from() -> None:
    priced = domain.price(job(revision=3), terms(deal(), estimate()), 7)

    assert (priced.revision, priced.pricing_no, priced.rule_version) == (3, 7, domain.RULE_VERSION)
    assert (priced.agreement_id, priced.agreement_version) == ("A-1", 1)
    assert (priced.rate_card_id, priced.rate_card_version) == ("RC-1", 1)
    assert priced.estimate_id == "E-1"
    assert priced.show_estimate


def test_the_same_outcome_is_the_same_whatever_its_number() -> None:
    one = domain.price(job(), terms(FIXED, quoted()), 1)
    two = domain.price(job(), terms(FIXED, quoted()), 2)
    other = domain.price(job(items=(item(10_000, 10_001),)), terms(FIXED, quoted()), 2)

    assert domain.same_outcome(two, one)
    assert not domain.same_outcome(other, one)


def test_a_doubt_and_a_deviation_are_both_said() -> None:
    accepted = quoted(components=estimate({Component.INK: "1.00"}).components, net_total=D("1.00"))

    priced = domain.price(job(items=(item(10_000, 9_000),)), terms(FIXED, accepted), 1)

    assert codes(priced) == ["delivered-below-tolerance", "variance-outside"]


def test_a_rate_of_zero_is_a_price() -> None:
    card = rate_card([rate(Component.FINISHING, "FOLD", PIECES, "0")])
    free = agreement(needs_estimate=False)

    priced = domain.price(
        job([metric(Component.FINISHING, "FOLD", PIECES, "9")], estimate_ref=None),
        terms(free, card=card),
        1,
    )

    assert nets(priced) == ["0.00"]
    assert (priced.path, codes(priced)[0]) == (Path.REVIEW, "nothing-to-bill")
