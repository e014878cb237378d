"""What the customer may be charged for, custom by custom."""

from decimal import Decimal

import pytest

from shared.events.production import (
    Attribution,
    Cause,
    Component,
    CostType,
    PhaseStatus,
    PlannedTime,
    WorkType,
)
from tests.unit.metrics_extractor.builders import (
    ALTERATION,
    BY_CUSTOMER,
    BY_SHOP,
    REWORK,
    figures,
    ink,
    job,
    metrics,
    only,
    operation,
    phase,
    sheets,
)

NON_CHARGEABLE = Attribution(cost_type=CostType.NON_CHARGEABLE)
HOUSE_ALTERATION = Attribution(work_type=WorkType.ALTERATION, cause=Cause.SHOP)
CUSTOMERS_REWORK = Attribution(
    cost_type=CostType.CHARGEABLE, work_type=WorkType.REWORK, cause=Cause.CUSTOMER
)


@pytest.mark.parametrize(
    ("attribution", "billable"),
    [
        (Attribution(), 5200),
        (BY_SHOP, 5200),
        (BY_CUSTOMER, 5300),
        (ALTERATION, 5300),
        (HOUSE_ALTERATION, 0),
        (REWORK, 0),
        (CUSTOMERS_REWORK, 0),
        (NON_CHARGEABLE, 0),
    ],
)
def test_spoilage_is_in_the_price_up_to_plan_and_beyond_it_the_causers(
    attribution: Attribution, billable: int
) -> None:
    """5,000 good sheets, 300 spoiled, 200 of them planned."""
    used = sheets(5000, 300, (5000, 200), attribution=attribution)
    metric = only(job(resources=(used,)))
    assert figures(metric, "billable actual_good actual_waste") == (billable, 5000, 300)


def test_less_waste_than_planned_is_billed_as_it_was() -> None:
    assert only(job(resources=(sheets(5000, 120, (5000, 200)),))).billable == 5120


def test_without_a_plan_no_waste_is_billed() -> None:
    assert only(job(resources=(sheets(5000, 120),))).billable == 5000


@pytest.mark.parametrize(
    "material", [sheets(5000, 20), ink(800), sheets(9, component=Component.FINISHING, unit="H87")]
)
def test_what_the_customer_brought_is_neither_billed_nor_costed(material: object) -> None:
    brought = sheets().model_validate(material).model_copy(update={"customer_supplied": True})
    metric = only(job(resources=(brought,)))
    assert figures(metric, "billable actual_cost customer_supplied") == (0, 0, True)


def test_handling_of_the_customers_paper_is_billed_as_work() -> None:
    assert only(job(operations=(operation(5200, code="CSP-HANDLING", unit="ST"),))).billable == 5200


@pytest.mark.parametrize(
    ("status", "attribution", "billable"),
    [
        (PhaseStatus.SETUP, Attribution(), 1),
        (PhaseStatus.RUN, Attribution(), 1),
        (PhaseStatus.CLEANUP, Attribution(), 1),
        (PhaseStatus.STOPPED, Attribution(), 0),
        (PhaseStatus.IDLE, Attribution(), 0),
        (PhaseStatus.UNKNOWN, Attribution(), 0),
        (PhaseStatus.STOPPED, BY_SHOP, 0),
        (PhaseStatus.STOPPED, BY_CUSTOMER, 1),
        (PhaseStatus.STOPPED, ALTERATION, 0),
        (PhaseStatus.RUN, ALTERATION, 1),
        (PhaseStatus.RUN, REWORK, 0),
        (PhaseStatus.RUN, NON_CHARGEABLE, 0),
    ],
)
def test_time_is_billed_while_it_makes_something_or_the_customer_stopped_it(
    status: PhaseStatus, attribution: Attribution, billable: int
) -> None:
    metric = only(job(phases=(phase("08:00", "09:00", status, attribution=attribution),)))
    assert figures(metric, "actual_good billable") == (1, billable)


def test_what_the_shop_caused_is_billed_up_to_plan_and_no_further() -> None:
    late = phase("08:00", "10:00", attribution=BY_SHOP)
    plan = PlannedTime(device_id="XL106", status=PhaseStatus.RUN, hours=Decimal("1.5"))
    assert only(job(phases=(late,), planned_times=(plan,))).billable == Decimal("1.5")
    assert only(job(phases=(late,))).billable == 0


def test_a_plan_covers_the_plain_work_not_what_went_wrong_beside_it() -> None:
    """1.5 h planned: the hour of plain running takes the plan, the shop's hour has none."""
    phases = (phase("08:00", "09:00"), phase("09:00", "10:00", attribution=BY_SHOP))
    plan = PlannedTime(device_id="XL106", status=PhaseStatus.RUN, hours=Decimal("1.5"))
    found = {
        m.attribution.cause: figures(m, "planned billable")
        for m in metrics(job(phases=phases, planned_times=(plan,)))
    }
    assert found == {Cause.UNKNOWN: (Decimal("1.5"), 1), Cause.SHOP: (None, 0)}


def test_altered_pages_are_billed_under_their_reference() -> None:
    """The published invoice's 69 altered pages."""
    pages = operation(69, code="AA-PAGE", unit="ZP", attribution=ALTERATION)
    metric = only(job(operations=(pages,)))
    assert figures(metric, "billable attribution.change_order_ref") == (69, "CO-7")
    assert metric.attribution.work_type is WorkType.ALTERATION


def test_gaps_in_an_attribution_are_filled_where_they_have_one_meaning() -> None:
    (plain,) = metrics(job(resources=(sheets(1),)))
    assert plain.attribution == Attribution(
        cost_type=CostType.CHARGEABLE, work_type=WorkType.ORIGINAL
    )
    (again,) = metrics(job(resources=(sheets(1, attribution=REWORK),)))
    assert again.attribution.cost_type is CostType.NON_CHARGEABLE
