"""JMF and XJMF: what devices tell while they work, one report for each message and job."""

from datetime import UTC, datetime

import pytest

from services.ingest.domain.outcome import Nothing, Produced
from shared.events.production import Component, CostType, PhaseStatus, UsageReported, WorkType
from tests.unit.ingest.made import (
    TIME,
    TWO,
    amount,
    fault,
    figures,
    jmf,
    plain,
    produced,
    reason,
    report,
    resource_set,
    taken,
    xjmf,
)

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
START = "2026-03-02T08:00:00+01:00"


def info(attributes: str = 'JobID="J1" JobPartID="print"', used: str = "Amount=500 Waste=7") -> str:
    """A resource info about paper."""
    paper = f'<Resource ExternalID="SILK">{amount(used)}<Media/></Resource>'
    return f"<ResourceInfo {attributes}>{resource_set('Media', paper)}</ResourceInfo>"


def phase(attributes: str, more: str = "", device: str = "") -> str:
    """A device info with one job phase."""
    job = f'<JobPhase JobID="J1" JobPartID="print" {attributes}>{more}</JobPhase>'
    return f'<DeviceInfo Status="Production" {device}>{job}</DeviceInfo>'


# ---------------------------------------------------------------- who tells what, and when


def test_a_resource_signal_is_a_usage_report() -> None:
    event = report(xjmf(info()))
    assert (event.legal_entity_id, event.job_id, event.section) == ("DE01", "J1", "print")
    assert (event.sender_id, event.reported_at) == ("Press", AT)
    assert event.message_id == "s1@2026-03-02T09:00:00+00:00"
    (used,) = event.resources
    assert (used.component, used.product_id, used.section) == (Component.SUBSTRATE, "SILK", "print")
    assert figures(used) == (None, None, "500", "7")


def test_the_same_id_at_another_time_is_another_message() -> None:
    """Devices number their messages anew; the second S1 must not be taken for the first."""
    first = report(xjmf(info()))
    second = report(xjmf(info()).replace("T10:00", "T11:00"))
    assert first.message_id != second.message_id


def test_a_message_without_an_id_is_known_by_its_content() -> None:
    one, same = (report(xjmf(info(), header="")) for _ in range(2))
    other = report(xjmf(info(used="Amount=501"), header=""))
    assert one.message_id == same.message_id != other.message_id


def test_an_id_too_long_for_an_event_is_replaced_by_one_from_the_content() -> None:
    event = report(xjmf(info(), header=f'ID="{"s" * 190}"'))
    assert len(event.message_id) == 36


def test_a_message_of_several_jobs_is_a_report_for_each() -> None:
    outcome = produced(xjmf(info('JobID="A"') + info('JobID="B"')))
    names = [one.message_id for one in outcome.events if isinstance(one, UsageReported)]
    assert names == ["s1@2026-03-02T09:00:00+00:00/A", "s1@2026-03-02T09:00:00+00:00/B"]


def test_a_response_tells_as_a_signal_does() -> None:
    assert report(xjmf(info(), "ResponseResource")).job_id == "J1"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("QueryStatus", "QueryStatus asks or orders; it tells nothing"),
        ("CommandResource", "CommandResource asks or orders; it tells nothing"),
        ("SignalNotification", "SignalNotification Notification tells of no material or time"),
    ],
)
def test_messages_that_ask_order_or_chat_are_nothing(kind: str, why: str) -> None:
    assert why in reason(xjmf("", kind))


def test_an_empty_message_file_is_nothing() -> None:
    empty = f'<XJMF {TWO}><Header DeviceID="D" Time="{TIME}"/></XJMF>'
    assert reason(empty) == "it holds no message"


def test_the_header_of_the_file_serves_messages_without_one() -> None:
    bare = xjmf(info()).replace(f'<Header DeviceID="Press" ID="s1" Time="{TIME}"/>', "")
    assert report(bare).sender_id == "MIS"
    nobody = bare.replace(f'<Header DeviceID="MIS" Time="{TIME}"/>', "")
    assert "<SignalResource> the message has no time" in fault(nobody)


# ---------------------------------------------------------------- resources


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ('JobID="J1" Scope="Allowed"', "@Scope Allowed is what it may use, not what a job used"),
        ('JobID="J1" Scope="Present"', "@Scope Present is what lies ready, not what a job used"),
        ("", "a resource info names no job"),
    ],
)
def test_what_no_job_used_is_nothing(attributes: str, why: str) -> None:
    assert why in reason(xjmf(info(attributes)))


def test_an_estimate_is_a_plan() -> None:
    (used,) = report(xjmf(info('JobID="J1" Scope="Estimate"'))).resources
    assert figures(used) == ("500", "7", None, None)


def test_output_counts_are_no_material_and_noted() -> None:
    made = f"<Resource>{amount('Amount=5')}<Component/></Resource>"
    rset = resource_set("Component", made, "Output")
    outcome = taken(xjmf(f'<ResourceInfo JobID="J1">{rset}</ResourceInfo>'))
    assert isinstance(outcome, Nothing)
    assert outcome.notes == ("line 1: no amount of a material for job J1",)


def test_jmf_names_the_job_in_its_query_parameters() -> None:
    body = (
        '<ResourceQuParams JobID="J1" JobPartID="print"/>'
        '<ResourceInfo ResourceName="Media" Usage="Input" Unit="sheet"'
        ' Amount="500" ActualAmount="510">'
        '<MISDetails WorkType="Rework" CostType="NonChargeable"/>'
        '<Media ProductID="SILK"/></ResourceInfo>'
    )
    event = report(jmf(body))
    assert (event.job_id, event.section, event.sender_id) == ("J1", "print", "Press")
    assert event.reported_at == AT
    (used,) = event.resources
    assert figures(used) == ("500", None, "510", None)
    assert used.attribution.work_type is WorkType.REWORK
    assert used.attribution.cost_type is CostType.NON_CHARGEABLE


def test_jmf_may_describe_the_resource_not_at_all() -> None:
    body = '<ResourceInfo JobID="J1" ResourceName="Ink" ActualAmount="12" Unit="g"/>'
    (used,) = report(jmf(body)).resources
    assert (used.component, used.product_id, used.unit) == (Component.INK, None, "GRM")


def test_jmf_times_and_senders_may_stand_at_the_signal() -> None:
    body = '<ResourceInfo JobID="J1" ResourceName="Ink" ActualAmount="12"/>'
    event = report(jmf(body, attributes='Time="2026-03-02T11:30:00Z"'))
    assert event.reported_at == datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
    inherited = report(jmf(body).replace('SenderID="Press" ', ""))
    assert inherited.sender_id == "MIS"
    nobody = report(jmf(body).replace('SenderID="Press" ', "").replace('SenderID="MIS" ', ""))
    assert nobody.sender_id == "UNKNOWN"


def test_energy_is_a_meter_by_module() -> None:
    body = (
        '<ResourceInfo JobID="J1" ResourceName="MiscConsumable" ActualAmount="6.5" Unit="kWh"'
        ' ModuleID="Dryer"><MiscConsumable ConsumableType="Electricity"/></ResourceInfo>'
    )
    event = report(jmf(body))
    (meter,) = event.counters
    assert (meter.counter_id, meter.device_id, meter.kind) == (
        "Press/Dryer",
        "Press",
        "Electricity",
    )
    assert (meter.unit, plain(meter.reading), meter.read_at) == ("KWH", "6.5", AT)
    assert event.operations == ()


# ---------------------------------------------------------------- status


def test_a_status_signal_is_a_phase_that_is_still_going_on() -> None:
    event = report(xjmf(phase(f'Status="Setup" StartTime="{START}"'), "SignalStatus"))
    (found,) = event.phases
    assert (found.device_id, found.section) == ("Press", "print")
    assert (found.status, found.end) == (PhaseStatus.SETUP, None)
    assert found.start == datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


def test_signals_about_one_phase_name_it_alike() -> None:
    """So that a phase told every minute counts once."""
    first = report(xjmf(phase(f'Status="InProgress" StartTime="{START}"'), "SignalStatus"))
    later = xjmf(phase(f'Status="InProgress" StartTime="{START}" Amount="9"'), "SignalStatus")
    assert first.phases[0].phase_id == report(later.replace("T10:00", "T10:30")).phases[0].phase_id


@pytest.mark.parametrize("word", ["Completed", "Aborted"])
def test_the_end_of_a_job_phase_ends_what_began_at_its_start(word: str) -> None:
    (found,) = report(xjmf(phase(f'Status="{word}" StartTime="{START}"'), "SignalStatus")).phases
    assert (found.status, found.end) == (PhaseStatus.RUN, AT)


def test_the_device_status_serves_job_phases_of_old() -> None:
    body = (
        '<DeviceInfo DeviceStatus="Running"><Device DeviceID="XL106"/>'
        f'<JobPhase JobID="J1" StartTime="{START}" PhaseStartTime="2026-03-02T08:30:00Z"'
        ' PhaseAmount="90" PhaseWaste="4" Amount="4000"/></DeviceInfo>'
    )
    (found,) = report(jmf(body, "Status")).phases
    assert (found.status, found.device_id) == (PhaseStatus.RUN, "XL106")
    assert found.start == datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
    assert (plain(found.good), plain(found.waste)) == ("90", "4")


def test_the_counter_that_is_never_reset_is_read_with_the_phase() -> None:
    device = (
        'DeviceID="XL" ProductionCounter="7" TotalProductionCounter="900100" CounterUnit="sheet"'
    )
    event = report(
        xjmf(phase(f'Status="Setup" StartTime="{START}"', device=device), "SignalStatus")
    )
    (meter,) = event.counters
    assert (meter.counter_id, meter.kind) == ("XL/TotalProductionCounter", "ProductionCounter")
    assert (meter.unit, plain(meter.reading), meter.read_at) == ("ST", "900100", AT)


def test_of_several_jobs_on_a_device_none_is_given_its_counter() -> None:
    jobs = "".join(f'<JobPhase JobID="{j}" Status="Setup" StartTime="{START}"/>' for j in "AB")
    body = f'<DeviceInfo Status="Production" ProductionCounter="7">{jobs}</DeviceInfo>'
    outcome = produced(xjmf(body, "SignalStatus"))
    assert [one.job_id for one in outcome.events if isinstance(one, UsageReported)] == ["A", "B"]
    assert not any(one.counters for one in outcome.events if isinstance(one, UsageReported))


def test_a_counter_in_a_message_without_a_time_is_no_reading() -> None:
    body = phase(f'Status="Setup" StartTime="{START}"', device='ProductionCounter="7"')
    text = xjmf(body, "SignalStatus").replace(f' Time="{TIME}"', "")
    assert "the message has no time" in fault(text)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('<DeviceInfo Status="Idle"/>', "device Press is Idle; it names no job"),
        ('<DeviceInfo DeviceStatus="Down" DeviceID="X"/>', "device X is Down; it names no job"),
        (phase('Status="InProgress"'), "the job phase of J1 has no start or takes no time"),
        (
            phase(f'Status="Setup" StartTime="{START}"').replace('JobID="J1"', ""),
            "a job phase of device Press names no job",
        ),
    ],
)
def test_a_status_without_a_job_or_a_start_is_nothing(body: str, why: str) -> None:
    assert why in reason(xjmf(body, "SignalStatus"))


def test_operators_are_not_taken() -> None:
    person = '<Activity PersonalID="P-77" ActivityName="Washup"/><Employee PersonalID="P-77"/>'
    text = xjmf(phase(f'Status="Setup" StartTime="{START}"', person), "SignalStatus")
    outcome = taken(text.replace('ID="s1"', 'ID="s1" PersonalID="P-77" Author="Erika Muster"'))
    assert isinstance(outcome, Produced)
    said = outcome.events[0].model_dump_json() + "".join(outcome.notes)
    assert "P-77" not in said
    assert "Muster" not in said
