"""Materials: who is heard about a figure, and by what code a material is priced and costed."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from shared.events.production import Component, UsageReported
from tests.unit.metrics_extractor.builders import (
    EIGHT,
    by_code,
    figures,
    ink,
    job,
    metrics,
    only,
    report,
    sheets,
)


def test_a_stated_material_becomes_one_metric_in_its_canonical_unit() -> None:
    metric = only(job(resources=(ink(3100, 300, planned=(3000, 200), description="Process"),)))
    assert figures(metric, "component code separation") == (
        Component.INK,
        "INK-PROCESS",
        "Cyan",
    )
    assert figures(metric, "unit description") == ("KGM", "Process, Cyan")
    assert figures(metric, "planned actual_good actual_waste") == (
        Decimal("3.2"),
        Decimal("3.1"),
        Decimal("0.3"),
    )


def test_of_a_running_total_told_again_the_newest_holds_in_whatever_order_reports_come() -> None:
    """A press that signals 1,000, 1,800 and 3,100 g has used 3.1 kg at 14.20, not 5.9 kg."""
    told = [
        report(1, resources=(ink(1000, 40, planned=(3000, 100)),)),
        report(2, resources=(ink(1800, 50, planned=(3200, 100)),)),
        report(3, resources=(ink(3100),)),
    ]
    for reports in permutations(told):
        metric = only(job(), *reports)
        assert figures(metric, "planned actual_good actual_waste actual_cost") == (
            Decimal("3.3"),
            Decimal("3.1"),
            Decimal("0.05"),
            Decimal("44.73"),
        )


def test_a_total_may_be_corrected_downwards_and_of_one_instant_the_later_message_id_holds() -> None:
    at = EIGHT + timedelta(hours=1)
    first = report(1, reported_at=at, resources=(sheets(5200),))
    second = report(2, reported_at=at, resources=(sheets(5150),))
    assert only(job(), first, second).actual_good == 5150
    assert only(job(), second, first).actual_good == 5150


DIFFERENT: Mapping[str, tuple[UsageReported, UsageReported]] = {
    "resource id": (
        report(1, resources=(sheets(2000, resource_id="reel-1"),)),
        report(2, resources=(sheets(3000, resource_id="reel-2"),)),
    ),
    "sender": (
        report(1, sender_id="press-1", resources=(sheets(2000),)),
        report(1, sender_id="press-2", resources=(sheets(3000),)),
    ),
    "lot": (
        report(1, resources=(sheets(2000, lot_id="A"),)),
        report(2, resources=(sheets(3000, lot_id="B"),)),
    ),
    "side": (
        report(1, resources=(sheets(2000, side="Front"),)),
        report(2, resources=(sheets(3000, side="Back"),)),
    ),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_totals_of_different_things_add_up(what: str) -> None:
    """Two reels, two presses, two lots: nothing that was used is lost."""
    assert only(job(), *DIFFERENT[what]).actual_good == 5000


def test_totals_of_two_separations_and_of_two_stocks_are_different_totals() -> None:
    """Even where a sender has one resource id for all its ink, or changed the stock on the way."""
    codes = metrics(
        job(),
        report(1, resources=(ink(1000), sheets(2000))),
        report(2, resources=(ink(1200, separation="Black"), sheets(3000, product_id="GLOSS-135"))),
    )
    assert [(m.separation or m.code, m.actual_good) for m in codes] == [
        ("GLOSS-135", 3000),
        ("SILK-135", 2000),
        ("Black", Decimal("1.2")),
        ("Cyan", Decimal("1.0")),
    ]


def test_what_one_report_tells_in_parts_adds_up() -> None:
    """Two runs audited under one id in one report are two runs."""
    assert only(job(), report(resources=(sheets(2000), sheets(3000)))).actual_good == 5000


def test_parts_of_one_plan_in_one_report_add_up() -> None:
    front, back = sheets(planned=(400, 10), side="Front"), sheets(planned=(400, 12), side="Back")
    assert only(job(), report(resources=(front, back))).planned == 822


def test_the_completed_job_wins_figure_by_figure() -> None:
    """It says how many good sheets there were; of waste and plan only the report speaks."""
    reported = report(resources=(sheets(4800, 150, (5000, 200)),))
    metric = only(job(resources=(sheets(5000),)), reported)
    assert figures(metric, "planned actual_good actual_waste") == (5200, 5000, 150)


def test_two_lots_in_the_completed_job_add_up() -> None:
    lots = (sheets(3000, 10, lot_id="A"), sheets(2000, 5, lot_id="B"))
    assert only(job(resources=lots), report(resources=(sheets(4999),))).actual_good == 5000


def test_another_section_is_another_material() -> None:
    """A report takes its own section where the material names none."""
    completed = job(resources=(sheets(5000, section="text"),))
    by_section = {m.section: m.actual_good for m in metrics(
        completed, report(section="cover", resources=(sheets(300),)))}  # fmt: skip
    assert by_section == {"text": 5000, "cover": 300}


def test_ink_is_recognised_by_its_separation_whatever_product_is_named() -> None:
    completed = job(resources=(ink(3100),))
    assert only(completed, report(resources=(ink(2900, product_id=None),))).actual_good == Decimal(
        "3.1"
    )


def test_a_material_without_product_goes_by_separation_or_its_own_id() -> None:
    codes = by_code(
        job(
            resources=(
                ink(10, product_id=None),
                ink(10, product_id=None, separation=None, resource_id="varnish"),
                sheets(10, product_id=None, resource_id="r_7"),
            )
        )
    )
    assert set(codes) == {"Cyan", "varnish", "r_7"}
    assert codes["Cyan"].description == "Cyan"


def test_a_material_of_which_nothing_is_said_is_left_out() -> None:
    assert metrics(job(resources=(sheets(),))) == ()
    assert metrics(job(), report(resources=(sheets(),))) == ()


def test_substituted_stock_is_priced_as_quoted_and_costed_as_used() -> None:
    """5,200 sheets at 0.062 of the stock used; the plan at 0.061 of the stock quoted."""
    used = sheets(5000, 200, (5000, 200), product_id="GLOSS-135", substitute_for="SILK-135")
    metric = only(job(resources=(used,)))
    assert figures(metric, "code billable") == ("SILK-135", 5200)
    assert figures(metric, "planned_cost actual_cost") == (Decimal("317.20"), Decimal("322.40"))


def test_a_plan_and_its_substitute_stated_apart_come_together() -> None:
    plan = sheets(planned=(5000, 200))
    used = sheets(5000, 100, product_id="GLOSS-135", substitute_for="SILK-135")
    metric = only(job(resources=(plan, used)))
    assert figures(metric, "planned actual_good billable") == (5200, 5000, 5100)
    assert figures(metric, "planned_cost actual_cost") == (Decimal("317.20"), Decimal("316.20"))


def test_of_two_reports_of_one_instant_the_same_one_always_holds() -> None:
    """Otherwise a replay in another order would tell another plan."""
    at = EIGHT + timedelta(hours=1)
    a = report(1, reported_at=at, sender_id="a", resources=(sheets(planned=(1, None)),))
    b = report(1, reported_at=at, sender_id="b", resources=(sheets(planned=(2, None)),))
    assert only(job(), a, b).planned == only(job(), b, a).planned == 2


def test_long_words_are_cut_to_what_an_event_may_carry() -> None:
    assert len(only(job(resources=(ink(1, description="x" * 2000),))).description) == 2000
