"""Finishing and services: which statements of the same work are heard, and what an outlay is."""

from decimal import Decimal
from typing import Any

import pytest

from shared.events.production import Component
from tests.unit.metrics_extractor.builders import (
    by_code,
    figures,
    job,
    metrics,
    only,
    operation,
    report,
)


def freight(cost: str | None = "90.00", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    fields: dict[str, Any] = {
        "operation_id": "freight",
        "component": Component.SERVICES,
        "code": "FREIGHT",
        "unit": "LS",
        "cost": None if cost is None else Decimal(cost),
    }
    return fields | changes


def test_counted_work_is_billed_as_done_in_its_own_unit() -> None:
    metric = only(job(operations=(operation(10000, planned=Decimal(9000), description="Folding"),)))
    assert figures(metric, "component code description") == (
        Component.FINISHING,
        "FOLD",
        "Folding",
    )
    assert figures(metric, "planned actual_good billable unit") == (
        9000,
        10000,
        10000,
        "H87",
    )


def test_minutes_of_prepress_stay_minutes() -> None:
    """A rate card prices work in the unit in which the shop counts it."""
    assert only(job(operations=(operation(90, unit="MIN"),))).unit == "MIN"


def test_different_operations_of_one_code_add_up() -> None:
    reports = (
        report(1, operations=(operation(4000, operation_id="a"),)),
        report(2, operations=(operation(6000, operation_id="b"),)),
    )
    assert only(job(), *reports).actual_good == 10000


def test_an_operation_reported_again_is_restated_not_repeated() -> None:
    reports = (
        report(1, operations=(operation(4000, planned=Decimal(10000)),)),
        report(2, operations=(operation(10000),)),
    )
    metric = only(job(), *reports)
    assert figures(metric, "planned actual_good") == (10000, 10000)


def test_two_senders_may_use_the_same_operation_id() -> None:
    reports = (
        report(1, sender_id="folder-1", operations=(operation(4000),)),
        report(2, sender_id="folder-2", operations=(operation(6000),)),
    )
    assert only(job(), *reports).actual_good == 10000


def test_the_completed_job_wins_figure_by_figure() -> None:
    told = report(operations=(operation(9000, operation_id="x", planned=Decimal(8000)),))
    metric = only(job(operations=(operation(10000),)), told)
    assert figures(metric, "planned actual_good") == (8000, 10000)


def test_a_report_gives_its_section_to_operations_without_one() -> None:
    told = report(section="cover", operations=(operation(500),))
    sections = {m.section for m in metrics(job(operations=(operation(10000),)), told)}
    assert sections == {None, "cover"}


def test_an_operation_of_which_nothing_is_said_is_left_out() -> None:
    assert metrics(job(operations=(operation(),))) == ()


def test_an_outlay_in_a_lump_sum_is_one_at_cost() -> None:
    """The published invoice's freight: 901.65, neither more nor less."""
    metric = only(job(operations=(operation(**freight("901.65")),)))
    assert figures(metric, "actual_good billable") == (1, 1)
    assert metric.outlay == metric.actual_cost == Decimal("901.65")


def test_a_lump_sum_stated_twice_is_still_one() -> None:
    told = report(operations=(operation(**freight("80.00", operation_id="f2")),))
    metric = only(job(operations=(operation(1, **freight()),)), told)
    assert figures(metric, "actual_good outlay") == (1, Decimal("90.00"))


@pytest.mark.parametrize(("planned", "expected"), [("1", "90.00"), ("3", "270.00")])
def test_an_outlay_without_a_rate_is_planned_at_what_it_cost(planned: str, expected: str) -> None:
    """Otherwise every job with freight would have no planned cost at all."""
    metric = by_code(job(operations=(operation(**freight(planned=Decimal(planned))),)))["FREIGHT"]
    assert metric.planned_cost == Decimal(expected)


def test_an_outlay_planned_but_not_needed_has_no_planned_cost() -> None:
    metric = only(job(operations=(operation(0, **freight("0.00", planned=Decimal(1))),)))
    assert figures(metric, "planned_cost actual_cost") == (None, 0)
