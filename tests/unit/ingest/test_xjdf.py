"""XJDF tickets: the body is the plan, the audit pool the actual, a finished run closes it."""

from datetime import UTC, datetime

import pytest

from shared.events.production import (
    EndStatus,
    JobCompleted,
    PhaseStatus,
    Quality,
    UsageReported,
    WorkType,
)
from tests.unit.ingest.made import (
    LEAFLET,
    PRINTING,
    RUN,
    TIME,
    amount,
    audited,
    completed,
    fault,
    kinds,
    paper,
    plain,
    produced,
    reason,
    report,
    resource_set,
    status,
    xjdf,
)


# ---------------------------------------------------------------- what closes a ticket
def test_a_finished_run_completes_the_job() -> None:
    customer = (
        '<Resource><CustomerInfo CustomerID="C-1" CustomerOrderID="PO-9" CustomerJobName="Cards"/>'
        "</Resource>"
    )
    ids = (
        '<GeneralID IDUsage="EstimateID" IDValue="E-1"/>'
        '<GeneralID IDUsage="Currency" IDValue="EUR"/>'
    )
    job = completed(xjdf(ids + LEAFLET + resource_set("CustomerInfo", customer)))
    assert (job.legal_entity_id, job.job_id) == ("DE01", "J1")
    assert (job.customer_id, job.order_ref) == ("C-1", "PO-9")
    assert (job.estimate_ref, job.currency) == ("E-1", "EUR")
    assert job.description == "Cards"
    assert job.started_at == datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    assert job.completed_at == datetime(2026, 3, 2, 8, 55, tzinfo=UTC)
    assert (job.end_status, job.quality) == (EndStatus.COMPLETED, Quality.UNKNOWN)
    assert job.reports_expected is None


def test_the_revision_is_the_newest_audit_time_in_utc_milliseconds() -> None:
    header = '<Header DeviceID="MIS" Time="2026-03-02T10:00:00.5Z"/>'
    later = f"<AuditNotification>{header}</AuditNotification>"
    first, second = completed(xjdf()), completed(xjdf(audits=RUN + later))
    assert first.revision == 1772442000000
    assert second.revision == 1772445600500


def test_a_missing_customer_and_item_stay_missing() -> None:
    job = completed(xjdf())
    assert (job.customer_id, job.items, job.description) == (None, (), "J1")


@pytest.mark.parametrize(
    ("ends", "whole"),
    [
        (("Aborted",), EndStatus.ABORTED),
        (("Completed", "Completed"), EndStatus.COMPLETED),
        (("Aborted", "Completed"), EndStatus.COMPLETED),
        (("Completed", "Aborted"), EndStatus.ABORTED),
    ],
)
def test_the_last_run_says_how_the_job_ended(ends: tuple[str, ...], whole: EndStatus) -> None:
    runs = "".join(
        f'<AuditProcessRun><Header DeviceID="Press" Time="{TIME}"/>'
        f'<ProcessRun End="2026-03-02T0{hour}:00:00Z" EndStatus="{end}"/></AuditProcessRun>'
        for hour, end in enumerate(ends, 1)
    )
    assert completed(xjdf(audits=runs)).end_status is whole


def test_one_aborted_sheet_aborts_the_job() -> None:
    runs = "".join(
        f'<AuditProcessRun><Header DeviceID="Press" Time="{TIME}"/>'
        f'<ProcessRun End="{TIME}" EndStatus="{end}"><Part SheetName="{sheet}"/></ProcessRun>'
        "</AuditProcessRun>"
        for sheet, end in (("S1", "Aborted"), ("S2", "Completed"))
    )
    assert completed(xjdf(audits=runs)).end_status is EndStatus.ABORTED


def test_a_run_that_only_tested_closes_nothing() -> None:
    tried = RUN.replace("Completed", "FailedTestRun")
    assert "no finished run" in reason(xjdf(audits=tried))


def test_a_corrected_audit_is_left_out() -> None:
    wrong = audited(paper(amount("Amount=900")), header='ID="r1"')
    right = audited(paper(amount("Amount=800")), header='ID="r2" refID="r1"')
    (used,) = report(xjdf(audits=wrong + right)).resources
    assert plain(used.actual_good) == "800"


def test_a_work_step_reports_its_figures_beside_completing() -> None:
    """The next step's completion replaces this one; what was printed must not vanish with it."""
    used = audited(paper(amount("Amount=500")))
    outcome = produced(xjdf(audits=used + RUN, attributes=f'JobPartID="print" {PRINTING}'))
    reported, job = outcome.events
    assert isinstance(reported, UsageReported)
    assert isinstance(job, JobCompleted)
    assert reported.resources == job.resources
    assert (reported.section, job.resources[0].section) == ("print", "print")
    assert job.reports_expected == 1


def test_a_work_step_that_used_nothing_completes_alone() -> None:
    assert completed(xjdf(attributes='JobPartID="plan" Types="Preflight"')).job_id == "J1"


def test_reports_that_the_sender_announces_are_expected() -> None:
    announced = '<GeneralID IDUsage="ReportsExpected" IDValue="3"/>'
    assert completed(xjdf(announced)).reports_expected == 3
    for wrong in ("0", "-1", "many", "1234567"):
        assert "no count of reports" in fault(xjdf(announced.replace("3", wrong)))


def test_an_open_ticket_reports_what_it_states_and_says_why_it_is_open() -> None:
    outcome = produced(xjdf(audits=audited(paper(amount("Amount=500 Waste=7")))))
    assert kinds(outcome.events) == ["UsageReported"]
    assert outcome.notes == ("not a completed job: its audit pool holds no finished process run",)


def test_the_same_ticket_has_the_same_message_id_and_another_a_different_one() -> None:
    one = report(xjdf(audits=audited(paper(amount("Amount=500")))))
    same = report(xjdf(audits=audited(paper(amount("Amount=500.0")))))
    other = report(xjdf(audits=audited(paper(amount("Amount=501")))))
    assert one.message_id == same.message_id != other.message_id


def test_figures_without_a_job_or_without_a_time_are_refused() -> None:
    used = audited(paper(amount("Amount=500")))
    assert "@JobID is missing" in fault(xjdf(audits=used).replace('JobID="J1"', ""))
    assert "no audit has a time" in fault(xjdf(audits=used.replace(f'Time="{TIME}"', "")))


def test_a_revision_before_1970_is_refused() -> None:
    assert "no revision before 1970" in fault(xjdf(audits=RUN.replace("2026", "1969")))


# ---------------------------------------------------------------- time
def test_phases_last_until_the_next_or_the_end_of_the_run() -> None:
    audits = (
        status('Status="InProgress" StartTime="2026-03-02T08:30:00Z" Amount="500" Waste="9"')
        + status('Status="Setup" StartTime="2026-03-02T06:00:00Z"')
        + RUN
    )
    setup, run = completed(xjdf(audits=audits)).phases
    assert (setup.status, setup.end) == (PhaseStatus.SETUP, datetime(2026, 3, 2, 8, 30, tzinfo=UTC))
    assert (run.status, run.end) == (PhaseStatus.RUN, datetime(2026, 3, 2, 8, 55, tzinfo=UTC))
    assert (run.device_id, plain(run.good), plain(run.waste)) == ("Press", "500", "9")


def test_a_stated_end_holds_and_a_repeated_phase_counts_once() -> None:
    stated = status(
        'Status="Cleanup" StartTime="2026-03-02T08:30:00Z" EndTime="2026-03-02T08:40:00Z"'
    )
    (phase,) = completed(xjdf(audits=stated + stated + RUN)).phases
    assert (phase.status, phase.end) == (
        PhaseStatus.CLEANUP,
        datetime(2026, 3, 2, 8, 40, tzinfo=UTC),
    )


def test_a_phase_after_the_run_or_of_an_open_ticket_has_no_end() -> None:
    late = status('Status="InProgress" StartTime="2026-03-02T12:00:00Z"')
    assert completed(xjdf(audits=late + RUN)).phases[0].end is None
    assert report(xjdf(audits=late)).phases[0].end is None


def test_statuses_that_take_no_time_are_no_phases() -> None:
    for attributes in (
        'Status="Waiting" StartTime="2026-03-02T06:00:00Z"',
        'Status="Completed" StartTime="2026-03-02T06:00:00Z"',
        'Status="InProgress"',
    ):
        assert completed(xjdf(audits=status(attributes) + RUN)).phases == ()


def test_a_phase_that_ends_before_it_starts_is_refused() -> None:
    wrong = status('Status="Setup" StartTime="2026-03-02T08:30:00Z" EndTime="2026-03-02T08:00:00Z"')
    assert "<JobPhase> ends at" in fault(xjdf(audits=wrong))


def test_a_phase_has_its_part_and_its_attribution() -> None:
    inner = '<MISDetails WorkType="Rework"/><Part SheetName="S1"/>'
    audit = status('Status="InProgress" StartTime="2026-03-02T06:00:00Z"', inner)
    (phase,) = report(xjdf(audits=audit, attributes='JobPartID="Body" Types="Product"')).phases
    assert (phase.section, phase.attribution.work_type) == ("Body/S1", WorkType.REWORK)


def test_planned_run_time_is_the_total_less_make_ready_and_wash_up() -> None:
    device = resource_set("Device", '<Resource><Device DeviceID="XL"/></Resource>')
    info = 'SetupDuration="PT50M" CleanupDuration="PT10M" TotalDuration="P0DT1H57M30.5S"'
    node = resource_set(
        "NodeInfo", f'<Resource><Part SheetName="S1"/><NodeInfo {info}/></Resource>'
    )
    job = completed(xjdf(device + node))
    assert [
        (one.device_id, one.section, one.status, plain(one.hours)) for one in job.planned_times
    ] == [
        ("XL", "S1", PhaseStatus.SETUP, "0.833333333"),
        ("XL", "S1", PhaseStatus.RUN, "0.958472222"),
        ("XL", "S1", PhaseStatus.CLEANUP, "0.166666667"),
    ]


def test_make_ready_longer_than_the_total_plans_no_run() -> None:
    node = resource_set(
        "NodeInfo", '<Resource><NodeInfo SetupDuration="PT2H" TotalDuration="PT1H"/></Resource>'
    )
    outcome = produced(xjdf(node))
    (job,) = outcome.events
    assert isinstance(job, JobCompleted)
    assert [one.status for one in job.planned_times] == [PhaseStatus.SETUP]
    assert "exceed @TotalDuration" in outcome.notes[0]


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("found", "instead", "why"),
    [
        ('Amount="500"', 'Amount="five"', '<PartAmount> @Amount "five" is not a number'),
        ('Amount="500"', 'Amount="-5"', "is negative"),
        ('Amount="500"', 'Amount="1e40"', "is too large"),
        ('Amount="500"', f'Amount="{"1" * 200}"', "is not a number"),
        (f'Time="{TIME}"', 'Time="yesterday"', '<Header> @Time "yesterday" is no ISO 8601 time'),
        (f'Time="{TIME}"', 'Time="2026-02-30T10:00:00Z"', "is no time"),
        (f'Time="{TIME}"', 'Time="0001-01-01T00:00:00+14:00"', "is no time"),
        (f'Time="{TIME}"', 'Time="2026-03-02T10:00:00"', "has no zone: name it with --time-zone"),
        ('DeviceID="Press"', f'DeviceID="{"P" * 65}"', "@DeviceID is longer than 64 characters"),
        ('JobID="J1"', f'JobID="{"J" * 201}"', "@JobID is longer than 200 characters"),
        ('"SILK"', f'"{"S" * 65}"', "is longer than 64 characters"),
        ('JobPartID="p"', f'JobPartID="{"p" * 199}"', "its part is longer than 200 characters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(found: str, instead: str, why: str) -> None:
    pool = amount("Amount=500", '<Part SheetName="S1"/>')
    good = xjdf(audits=audited(paper(pool)), attributes='JobPartID="p" Types="Product"')
    assert kinds(produced(good).events) == ["UsageReported"]
    assert why in fault(good.replace(found, instead))


@pytest.mark.parametrize("text", ["PT", "P1Y", "P2M", "1H", "PT1.5H", "P1W", "-PT1H"])
def test_a_duration_of_no_fixed_length_is_refused(text: str) -> None:
    node = resource_set("NodeInfo", f'<Resource><NodeInfo SetupDuration="{text}"/></Resource>')
    assert "is no duration" in fault(xjdf(node))


def test_times_without_a_zone_are_read_in_the_one_that_is_named() -> None:
    audits = audited(paper(amount("Amount=5"))).replace("+01:00", "")
    event = report(xjdf(audits=audits), zone="America/New_York")
    assert event.reported_at == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def test_long_ids_are_shortened_the_same_way_every_time() -> None:
    pool = amount("Amount=5", f'<Part SheetName="{"S" * 150}" LotID="{"L" * 100}"/>')
    one, same = (report(xjdf(audits=audited(paper(pool)))).resources[0] for _ in range(2))
    assert one.resource_id == same.resource_id
    assert len(one.resource_id) == 36
