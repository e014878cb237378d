"""What adds up to one metric, and what things cost: every cost rounded once, totals their sums."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics_extractor.domain.costs import rates_in_force, table_of
from services.metrics_extractor.domain.metrics import total
from shared.events.masterdata import CostRate
from shared.events.production import Attribution, Cause, Component, PhaseStatus
from tests.unit.metrics_extractor.builders import (
    BY_CUSTOMER,
    BY_SHOP,
    COSTS,
    REWORK,
    cost_rate,
    extracted,
    figures,
    ink,
    job,
    metrics,
    only,
    operation,
    phase,
    rate,
    sheets,
)

FULL = job(
    resources=(sheets(5000, 200, (5000, 200)), ink(3100, 300, planned=(3000, None))),
    phases=(phase("08:00", "08:45", PhaseStatus.SETUP), phase("08:45", "10:21")),
    operations=(operation(10000, planned=Decimal(10000)),),
)


def test_a_job_costs_what_its_parts_cost() -> None:
    """5,200 x 0.061; 3.4 kg x 14.20; 0.75 h x 90 and 1.6 h x 112; 10,000 x 6.90 / 1,000."""
    event = extracted(FULL)
    assert [m.actual_cost for m in event.metrics] == [
        Decimal("317.20"),
        Decimal("48.28"),
        Decimal("67.50"),
        Decimal("179.20"),
        Decimal("69.00"),
    ]
    assert event.actual_cost == Decimal("681.18")
    assert event.planned_cost == Decimal("317.20") + Decimal("42.60") + Decimal("69.00")
    assert (event.cost_rate_id, event.cost_rate_version, event.currency) == ("costs", 1, "EUR")


def test_metrics_stand_in_the_order_of_components_and_are_numbered() -> None:
    found = [(m.metric_id, m.component) for m in metrics(FULL)]
    assert found == [
        ("1", Component.SUBSTRATE),
        ("2", Component.INK),
        ("3", Component.MACHINE),
        ("4", Component.MACHINE),
        ("5", Component.FINISHING),
    ]


@pytest.mark.parametrize(
    "costs", [None, table_of(cost_rate(currency="CHF"))], ids=["none", "another currency"]
)
def test_without_costs_in_the_jobs_currency_costs_are_not_known(costs: object) -> None:
    """A cost in another currency is no cost in this one; the price does not wait for it."""
    event = extracted(FULL, costs=costs)  # type: ignore[arg-type]
    assert {m.actual_cost for m in event.metrics} == {None}
    assert (event.planned_cost, event.actual_cost) == (None, None)


def test_one_unknown_code_leaves_its_metric_and_the_total_without_cost() -> None:
    event = extracted(job(resources=(sheets(10), sheets(10, product_id="TRIAL"))))
    assert [m.actual_cost for m in event.metrics] == [Decimal("0.61"), None]
    assert event.actual_cost is None


def test_nothing_used_costs_nothing_whether_or_not_it_has_a_rate() -> None:
    assert only(job(resources=(sheets(0, product_id="TRIAL"),))).actual_cost == 0


def test_a_rate_in_another_unit_of_the_kind_is_converted() -> None:
    """1.20 a minute is 72.00 an hour; and a rate per sheet says nothing about square metres."""
    lines = (
        rate(Component.MACHINE, "XL106", "1.20", "MIN"),
        rate(Component.SUBSTRATE, "SILK-135", "0.061", "ST"),
    )
    done = job(phases=(phase("08:00", "08:45"),), resources=(sheets(10, unit="MTK"),))
    found = metrics(done, costs=table_of(cost_rate(lines=lines)))
    assert [m.actual_cost for m in found] == [None, Decimal("54.00")]


def test_the_plan_stands_with_the_plainest_of_several_attributions() -> None:
    """First told or last told: the plan must not wander."""
    plan = sheets(planned=(5000, 200))
    used = [
        sheets(1000, attribution=Attribution(change_order_ref="CO-1")),
        sheets(1000, attribution=BY_CUSTOMER),
        sheets(1000, attribution=BY_SHOP),
        sheets(1000, 0, attribution=REWORK),
    ]
    for order in (used, used[::-1]):
        planned = {
            (m.attribution.cause, m.attribution.work_type): m.planned
            for m in metrics(job(resources=(plan, *order)))
            if m.planned is not None
        }
        assert [cause for cause, _ in planned] == [Cause.SHOP]


def test_a_plan_of_other_than_original_work_stays_with_that_work() -> None:
    again = sheets(planned=(100, None), attribution=REWORK)
    found = metrics(job(resources=(sheets(5000), again)))
    assert [figures(m, "actual_good planned") for m in found] == [(5000, None), (0, 100)]


def test_a_plan_that_was_not_needed_is_shown_unused() -> None:
    metric = only(job(resources=(sheets(planned=(500, 20)),)))
    assert figures(metric, "planned actual_good billable") == (520, 0, 0)


def test_a_total_needs_every_cost() -> None:
    assert total(()) is None
    assert total((Decimal(1), None)) is None
    assert total((Decimal(1), Decimal("2.50"))) == Decimal("3.50")


@settings(max_examples=40)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=12))
def test_the_total_is_the_sum_of_rounded_costs(grams: list[int]) -> None:
    """So that who adds up the metrics finds the total to the cent."""
    inks = tuple(ink(n, separation=f"S{i}") for i, n in enumerate(grams))
    event = extracted(job(resources=inks))
    costs = [m.actual_cost for m in event.metrics if m.actual_cost is not None]
    assert event.actual_cost == sum(costs, Decimal(0))
    assert all(cost == cost.quantize(Decimal("0.01")) for cost in costs)
    exact = sum((n * Decimal("14.20") / 1000 for n in grams), Decimal(0))
    assert abs(sum(costs, Decimal(0)) - exact) <= Decimal("0.005") * len(grams)


def test_costs_of_a_currency_without_decimals_have_none() -> None:
    yen = table_of(cost_rate(currency="JPY"))
    metric = metrics(job(resources=(sheets(1025),), currency="JPY"), costs=yen)[0]
    assert metric.actual_cost == Decimal(63)


def versions(*rows: tuple[str, int, int]) -> list[CostRate]:
    return [
        cost_rate(cost_rate_id=name, version=version, valid_from=date(2026, month, 1))
        for name, version, month in rows
    ]


@pytest.mark.parametrize(
    ("month", "expected"), [(1, None), (2, ("a", 1)), (3, ("a", 2)), (4, ("b", 1)), (5, ("c", 1))]
)
def test_an_entity_has_one_set_of_rates_the_one_that_began_last(
    month: int, expected: tuple[str, int] | None
) -> None:
    known = versions(("a", 1, 2), ("a", 2, 3), ("b", 1, 4), ("c", 1, 5), ("b", 2, 5))
    found = rates_in_force(known, date(2026, month, 15))
    assert (found and (found.cost_rate_id, found.version)) == expected


def test_a_table_tells_a_status_from_any_status() -> None:
    hour = Decimal(1)
    cost = {s: COSTS.cost(Component.MACHINE, "XL106", s, hour, "HUR") for s in PhaseStatus}
    assert cost.pop(PhaseStatus.RUN) == 112
    assert set(cost.values()) == {Decimal(90)}
