"""Materials: who is heard about a figure, and by what code a material is priced and costed."""

from datetime import timedelta
from decimal import Decimal

from shared.events.production import Component
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


def test_reports_add_up_in_use_and_the_newest_plan_holds() -> None:
    """A plan told twice is no second plan; sheets used twice are used twice."""
    older = report(1, resources=(sheets(1000, 20, (4000, 100)),))
    newer = report(2, resources=(sheets(2000, 30, (5000, 200)),))
    for reports in ((older, newer), (newer, older)):
        metric = only(job(), *reports)
        assert figures(metric, "planned actual_good actual_waste") == (5200, 3000, 50)


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
