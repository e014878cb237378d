"""Machine time: an instant of a device counts once, and an hour is an hour by any clock."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.metrics_extractor.domain.times import ANY_DEVICE, Span, Spent, hours, time_spent
from shared.events.production import Attribution, Cause, PhaseStatus, PlannedTime
from tests.unit.metrics_extractor.builders import (
    BY_CUSTOMER,
    by_code,
    figures,
    job,
    metrics,
    only,
    phase,
    report,
)

SETUP, RUN, STOPPED = PhaseStatus.SETUP, PhaseStatus.RUN, PhaseStatus.STOPPED


def planned(hours: str, device_id: str | None = "XL106", **changes: object) -> PlannedTime:
    fields = {"device_id": device_id, "status": RUN, "hours": Decimal(hours)}
    return PlannedTime.model_validate(fields | changes)


def hours_of(*args: object) -> dict[PhaseStatus, Decimal]:
    return {m.status: m.actual_good for m in metrics(*args)}  # type: ignore[arg-type]


def test_make_ready_and_run_are_hours_by_device_and_status() -> None:
    """0.75 h and 1.6 h, as in the worked rate-card job."""
    phases = (phase("08:00", "08:45", SETUP), phase("08:45", "10:21"))
    assert hours_of(job(phases=phases)) == {SETUP: Decimal("0.75"), RUN: Decimal("1.6")}


def test_repeated_and_overlapping_phases_count_once() -> None:
    phases = (phase("08:00", "09:00"), phase("08:00", "09:00"), phase("08:30", "09:30"))
    assert only(job(phases=phases)).actual_good == Decimal("1.5")


def test_phases_that_touch_do_not_overlap() -> None:
    phases = (phase("08:00", "09:00"), phase("09:00", "10:00"))
    assert only(job(phases=phases)).actual_good == 2


def test_a_stop_within_a_run_interrupts_it() -> None:
    """Run time that a stop covers is no run time: it must not be billed."""
    phases = (phase("08:00", "12:00"), phase("09:00", "09:30", STOPPED))
    assert hours_of(job(phases=phases)) == {RUN: Decimal("3.5"), STOPPED: Decimal("0.5")}


def test_of_two_that_began_together_the_shorter_interrupts_the_longer() -> None:
    phases = (phase("08:00", "12:00"), phase("08:00", "08:30", STOPPED))
    assert hours_of(job(phases=phases)) == {RUN: Decimal("3.5"), STOPPED: Decimal("0.5")}


def test_two_devices_work_at_the_same_time() -> None:
    phases = (phase("08:00", "09:00"), phase("08:00", "09:00", device_id="SM52"))
    assert {m.code: m.actual_good for m in metrics(job(phases=phases))} == {"XL106": 1, "SM52": 1}


def test_time_is_right_on_the_night_when_the_clocks_go_forward() -> None:
    """01:30 to 03:30 in Berlin on 29 March 2026 is one hour, told in any zone."""
    start = datetime.fromisoformat("2026-03-29T01:30+01:00")
    end = datetime.fromisoformat("2026-03-29T03:30+02:00")
    across = phase("08:00", None).model_copy(update={"start": start, "end": end})
    assert only(job(phases=(across,), completed_at=end)).actual_good == 1


def test_a_completed_phase_replaces_what_was_reported_of_it() -> None:
    """By id, though the reported start differs; by start, though the reported id differs."""
    told = report(
        phases=(
            phase("08:01", "11:00", phase_id="p1"),
            phase("11:00", "12:00", phase_id="other"),
        )
    )
    done = job(
        phases=(phase("08:00", "10:00", phase_id="p1"), phase("11:00", "11:30", phase_id="p2"))
    )
    assert only(done, told).actual_good == Decimal("2.5")


def test_of_two_reports_of_a_phase_the_newer_holds() -> None:
    """A press that reports a running phase again and again does not run longer for it."""
    older = report(1, phases=(phase("08:00", "11:00"),))
    newer = report(2, phases=(phase("08:00", "09:00"),))
    assert only(job(), older, newer).actual_good == 1


def test_an_open_phase_ends_where_its_device_begins_the_next() -> None:
    phases = (phase("08:00", None, SETUP), phase("08:30", "10:00"))
    assert hours_of(job(phases=phases)) == {SETUP: Decimal("0.5"), RUN: Decimal("1.5")}


def test_an_open_phase_with_no_next_ends_with_the_job() -> None:
    assert only(job(phases=(phase("08:00", None),))).actual_good == 4
    assert metrics(job(phases=(phase("13:00", None),))) == ()


def test_a_report_gives_its_section_to_phases_and_plans_without_one() -> None:
    told = report(
        section="cover", phases=(phase("08:00", "09:00"),), planned_times=(planned("0.8"),)
    )
    metric = only(job(), told)
    assert figures(metric, "section actual_good planned") == ("cover", 1, Decimal("0.8"))


def test_time_of_other_attribution_is_a_metric_of_its_own() -> None:
    phases = (phase("08:00", "09:00"), phase("09:00", "10:00", attribution=BY_CUSTOMER))
    causes = {m.attribution.cause: m.actual_good for m in metrics(job(phases=phases))}
    assert causes == {Cause.UNKNOWN: 1, Cause.CUSTOMER: 1}


def test_the_completed_jobs_plan_holds_before_the_newest_reports() -> None:
    reports = (
        report(1, planned_times=(planned("9"), planned("0.25", status=SETUP))),
        report(2, planned_times=(planned("7"), planned("0.5", status=SETUP))),
    )
    done = job(planned_times=(planned("1.5"), planned("0.1")))
    assert {m.status: m.planned for m in metrics(done, *reports)} == {
        RUN: Decimal("1.6"),
        SETUP: Decimal("0.5"),
    }


def test_a_plan_for_no_device_goes_to_the_only_one_that_did_the_work() -> None:
    plan = (planned("1.5", None),)
    one = by_code(job(phases=(phase("08:00", "09:00"),), planned_times=plan))
    assert one["XL106"].planned == Decimal("1.5")
    assert one["XL106"].description == "XL106, run"
    two = by_code(
        job(
            phases=(phase("08:00", "09:00"), phase("08:00", "09:00", device_id="SM52")),
            planned_times=plan,
        )
    )
    assert figures(two[ANY_DEVICE], "planned billable") == (Decimal("1.5"), 0)


@given(st.integers(min_value=0, max_value=10**12))
def test_hours_are_off_by_less_than_a_microsecond(microseconds: int) -> None:
    assert abs(hours(microseconds) * 3_600_000_000 - microseconds) <= Decimal("1.8")


SPANS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.sampled_from([SETUP, RUN, STOPPED]),
        st.integers(0, 60),
        st.integers(0, 30),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(SPANS)
def test_the_parts_are_the_union_of_each_devices_spans(
    drawn: list[tuple[str, PhaseStatus, int, int]],
) -> None:
    """Checked minute by minute: no instant lost, none counted twice, whatever overlaps."""
    spans = [
        Span(start, start + length, Spent(device, None, status, Attribution()))
        for device, status, start, length in drawn
    ]
    expected: dict[str, set[int]] = defaultdict(set)
    for span in spans:
        expected[span.subject.device_id] |= set(range(span.start, span.end))
    spent: dict[str, int] = defaultdict(int)
    for subject, minutes in time_spent(spans).items():
        spent[subject.device_id] += minutes
    assert {device: n for device, n in spent.items() if n} == {
        device: len(minutes) for device, minutes in expected.items() if minutes
    }


@settings(max_examples=40)
@given(SPANS, st.randoms(use_true_random=False))
def test_the_order_of_telling_says_nothing(
    drawn: list[tuple[str, PhaseStatus, int, int]], dice: Random
) -> None:
    spans = [
        Span(start, start + length, Spent(device, None, status, Attribution()))
        for device, status, start, length in drawn
    ]
    starts = [(s.subject.device_id, s.start, s.end) for s in spans]
    assume(len(set(starts)) == len(starts))
    shuffled = list(spans)
    dice.shuffle(shuffled)
    assert dict(time_spent(shuffled)) == dict(time_spent(spans))


def test_a_run_goes_on_after_each_of_many_stops() -> None:
    stops = tuple(phase(f"{h:02}:00", f"{h:02}:30", STOPPED) for h in range(8, 12))
    assert hours_of(job(phases=(phase("08:00", "12:00"), *stops))) == {STOPPED: 2, RUN: 2}
