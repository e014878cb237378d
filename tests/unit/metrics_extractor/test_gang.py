"""Gang runs: the parts of all jobs are exactly the whole, in sheets, hours and cents."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics_extractor.domain.gang import part_of
from services.metrics_extractor.domain.sources import shares_of
from services.metrics_extractor.domain.units import NINE_PLACES
from services.metrics_extractor.domain.usage import Share
from shared.errors import Rejected
from shared.events.production import Component, GangShare, PhaseStatus, PlannedTime
from tests.unit.metrics_extractor.builders import (
    extracted,
    figures,
    ink,
    job,
    metrics,
    operation,
    phase,
    report,
    sheets,
)

SHEET = "gang-1"


def share(job_id: str, copies: str | int, area: str | int = 1, sheet: str = SHEET) -> GangShare:
    return GangShare(sheet_id=sheet, job_id=job_id, copies=Decimal(copies), area=Decimal(area))


JOBS = (share("J-1", 4, "0.0625"), share("J-2", 2, "0.125"), share("J-3", 1, "0.25"))


def test_a_share_is_area_times_copies_in_the_order_of_job_ids() -> None:
    expected = Share(Decimal("0.25"), Decimal("0.25"), Decimal("0.75"))
    assert shares_of("J-2", JOBS) == shares_of("J-2", JOBS[::-1]) == {SHEET: expected}


def test_a_job_twice_on_a_sheet_has_both_shares() -> None:
    assert shares_of("J-1", (*JOBS, share("J-1", 1, "0.25")))[SHEET].own == Decimal("0.5")


def test_shared_sheets_stay_whole_and_sum_to_the_run() -> None:
    """1,000 sheets over three equal jobs: nobody is billed a third of a sheet."""
    good = []
    for job_id in ("J-1", "J-2", "J-3"):
        run = job(job_id=job_id, resources=(sheets(1000, section=SHEET),), gang_shares=JOBS)
        (metric,) = metrics(run)
        good.append(metric.actual_good)
    assert good == [333, 334, 333]


def test_everything_of_the_sheet_is_shared_and_nothing_else() -> None:
    whole = job(
        resources=(
            sheets(900, 30, (900, 60), section=SHEET),
            ink(300, section=SHEET),
            sheets(77, section="own"),
        ),
        phases=(phase("08:00", "09:30", section=SHEET),),
        operations=(
            operation(
                1, component=Component.SERVICES, code="FREIGHT", unit="LS", cost=Decimal("100.00"),
                section=SHEET,
            ),
        ),
        gang_shares=JOBS,
    )  # fmt: skip
    by_subject = {(m.component, m.section): m for m in metrics(whole)}
    own = by_subject[Component.SUBSTRATE, SHEET]
    assert figures(own, "planned actual_good actual_waste billable") == (320, 300, 10, 310)
    assert by_subject[Component.INK, SHEET].actual_good == Decimal("0.1")
    assert by_subject[Component.MACHINE, SHEET].actual_good == Decimal("0.5")
    assert by_subject[Component.SERVICES, SHEET].outlay == Decimal("33.33")
    assert by_subject[Component.SUBSTRATE, "own"].actual_good == 77


def test_a_sheet_on_which_nothing_was_used_is_refused() -> None:
    """A slip in its id would bill this job for the sheets of all."""
    slipped = job(resources=(sheets(1000, section="gang-2"),), gang_shares=JOBS)
    with pytest.raises(Rejected) as refused:
        extracted(slipped)
    assert (refused.value.code, refused.value.facts) == (
        "gang-sheet-unused",
        {"sheet_id": SHEET},
    )


def test_a_reports_shares_hold_for_what_the_report_says() -> None:
    """The press reports the sheet as a whole; the completed job adds what is its own."""
    told = report(
        section=SHEET, resources=(sheets(1000),), phases=(phase("08:00", "09:30"),),
        planned_times=(PlannedTime(device_id="XL106", status=PhaseStatus.RUN, hours=Decimal(3)),),
        gang_shares=JOBS,
    )  # fmt: skip
    done = job(resources=(sheets(50, section="own"), ink(5, section=SHEET)))
    found = {(m.component, m.section): m for m in metrics(done, told)}
    assert found[Component.SUBSTRATE, SHEET].actual_good == 333
    assert figures(found[Component.MACHINE, SHEET], "planned actual_good") == (1, Decimal("0.5"))
    assert found[Component.SUBSTRATE, "own"].actual_good == 50
    assert found[Component.INK, SHEET].actual_good == Decimal("0.005")


def test_the_completed_jobs_shares_hold_for_reports_that_say_nothing_of_them() -> None:
    told = report(resources=(sheets(1000, section=SHEET),))
    assert metrics(job(gang_shares=JOBS), told)[0].actual_good == 333


def test_a_reports_own_shares_go_before_the_completed_jobs() -> None:
    """The press knows best with whom its sheet was shared."""
    pair = (share("J-1", 1), share("J-2", 1))
    told = report(resources=(sheets(1000, section=SHEET),), gang_shares=pair)
    assert metrics(job(gang_shares=JOBS), told)[0].actual_good == 500


def test_own_and_shared_time_in_one_section_add_up() -> None:
    told = report(phases=(phase("08:00", "09:30", section=SHEET),), gang_shares=JOBS)
    done = job(phases=(phase("10:00", "11:00", section=SHEET),))
    assert metrics(done, told)[0].actual_good == Decimal("1.5")


WEIGHTS = st.lists(st.integers(1, 10**6).map(lambda n: Decimal(n) / 1000), min_size=1, max_size=12)


@settings(max_examples=60)
@given(WEIGHTS, st.integers(0, 10**12), st.sampled_from([Decimal(1), Decimal("0.01"), NINE_PLACES]))
def test_parts_sum_exactly_and_none_is_off_by_more_than_a_step(
    weights: list[Decimal], steps: int, step: Decimal
) -> None:
    total, whole, before = steps * step, sum(weights, Decimal(0)), Decimal(0)
    parts = []
    for weight in weights:
        part = part_of(total, Share(before, weight, whole), step)
        assert part >= 0
        assert abs(part - total * weight / whole) <= step
        assert part % step == 0
        parts.append(part)
        before += weight
    assert sum(parts) == total


@settings(max_examples=30)
@given(st.integers(1, 10**6), st.lists(st.integers(1, 500), min_size=2, max_size=8))
def test_all_jobs_of_a_sheet_find_the_same_split_on_their_own(run: int, copies: list[int]) -> None:
    """Each job is extracted alone, from its own event, and the sheets still add up."""
    ids = [f"J-{number}" for number in range(len(copies))]
    gang = tuple(share(job_id, n) for job_id, n in zip(ids, copies, strict=True))
    good = Decimal(0)
    for job_id in ids:
        done = job(job_id=job_id, resources=(sheets(run, section=SHEET),), gang_shares=gang)
        good += metrics(done)[0].actual_good
    assert good == run
