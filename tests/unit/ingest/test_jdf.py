"""JDF 1.x tickets: links hold plan and actual, audit pools say more, a finished root closes."""

from datetime import UTC, datetime

import pytest

from shared.events.production import (
    Attribution,
    Cause,
    Component,
    CostType,
    EndStatus,
    JobCompleted,
    PhaseStatus,
    Quality,
    UsageReported,
    WorkType,
)
from tests.unit.ingest.made import (
    ENDED,
    TIME,
    completed,
    fault,
    figures,
    jdf,
    kinds,
    plain,
    produced,
    reason,
    report,
)
from tests.unit.ingest.made_jdf import CARDS, GLOSS, MAKES, SILK, audit, conditions, link, node


# ---------------------------------------------------------------- what closes a ticket
def test_a_completed_root_with_a_finished_run_completes_the_job() -> None:
    customer = (
        '<CustomerInfo ID="ci" CustomerID="C-1" CustomerOrderID="PO" CustomerJobName="Cards"/>'
    )
    ids = '<GeneralID IDUsage="EstimateID" IDValue="E-1"/>'
    links = '<CustomerInfoLink rRef="ci" Usage="Input"/>'
    job = completed(jdf(customer, links, nodes=ids + node(audits=ENDED)))
    assert (job.job_id, job.customer_id, job.order_ref) == ("J1", "C-1", "PO")
    assert (job.estimate_ref, job.description) == ("E-1", "Cards")
    assert job.completed_at == datetime(2026, 3, 2, 8, 55, tzinfo=UTC)
    assert job.started_at == datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    assert (job.end_status, job.quality) == (EndStatus.COMPLETED, Quality.UNKNOWN)
    assert job.revision == 1772442000000


def test_customer_and_node_information_may_be_children_as_before_jdf_1_3() -> None:
    inline = '<CustomerInfo CustomerID="C-2"/><NodeInfo SetupDuration="PT1H"/>'
    job = completed(jdf(nodes=inline + node(audits=ENDED)))
    assert job.customer_id == "C-2"
    assert [(one.status, plain(one.hours)) for one in job.planned_times] == [
        (PhaseStatus.SETUP, "1")
    ]


def test_an_empty_customer_id_is_a_missing_one() -> None:
    customer = '<CustomerInfo CustomerID=" "/>'
    assert completed(jdf(nodes=customer + node(audits=ENDED))).customer_id is None


def test_a_root_under_way_leaves_the_ticket_open() -> None:
    """A finished step of a job is not a finished job; billing it would be too early."""
    used = link("m1", 'ActualAmount="500"')
    open_root = 'Type="Product" Status="InProgress"'
    outcome = produced(jdf(SILK, nodes=node(used, ENDED), more=open_root))
    assert kinds(outcome.events) == ["UsageReported"]
    assert outcome.notes == ('not a completed job: the root node is at @Status "InProgress"',)


def test_finished_runs_of_an_open_ticket_without_figures_are_nothing() -> None:
    text = jdf(nodes=node(audits=ENDED), more='Type="Product" Status="Waiting"')
    assert "job J1 is not over" in reason(text)


@pytest.mark.parametrize(
    ("states", "closed"),
    [(("Completed", "Completed"), True), (("Completed", "Waiting"), False), ((), False)],
)
@pytest.mark.parametrize("status", ["Pool", "Part"])
def test_a_state_held_by_parts_is_over_when_all_of_them_are(
    status: str, states: tuple[str, ...], *, closed: bool
) -> None:
    if status == "Pool":
        parts = "".join(f'<PartStatus Status="{one}"/>' for one in states)
        held = f"<StatusPool>{parts}</StatusPool>"
    else:
        held = "".join(f'<NodeInfo NodeStatus="{one}"/>' for one in states)
    used = link("m1", 'ActualAmount="500"')
    more = f'Type="Product" Status="{status}"'
    events = produced(jdf(SILK, nodes=held + node(used, ENDED), more=more)).events
    assert (JobCompleted in map(type, events)) is closed


def test_a_test_run_closes_nothing() -> None:
    tried = ENDED.replace("Completed", "FailedTestRun")
    assert "no finished run" in reason(jdf(audits=tried))


def test_a_ticket_without_a_status_is_closed_by_its_runs() -> None:
    assert completed(jdf(audits=ENDED, more='Type="Product"')).job_id == "J1"


def test_a_spawned_work_step_reports_beside_completing() -> None:
    step = 'Type="ConventionalPrinting" JobPartID="print" Status="Completed"'
    outcome = produced(jdf(SILK, link("m1", 'ActualAmount="500"'), ENDED, more=step))
    assert kinds(outcome.events) == ["UsageReported", "JobCompleted"]
    reported, job = outcome.events
    assert isinstance(reported, UsageReported)
    assert isinstance(job, JobCompleted)
    assert (reported.section, job.reports_expected) == ("print", 1)


def test_a_plan_is_nothing_and_says_what_it_plans() -> None:
    text = jdf(CARDS + SILK, MAKES.format('Amount="1000"'), nodes=node(link("m1", 'Amount="50"')))
    why = reason(text)
    assert "1000 of cards ordered" in why
    assert "50 ST of SILK planned" in why


def test_badly_written_times_of_a_plan_do_no_harm() -> None:
    created = '<Created TimeStamp="2002-05-28T15:53:14CEST"/>'
    assert "a plan" in reason(jdf(audits=created))
    assert "is no ISO 8601 time" in fault(jdf(audits=created + ENDED))


def test_a_corrected_audit_is_left_out() -> None:
    wrong = audit(link("m1", 'ActualAmount="900"'), 'ID="r1"')
    right = audit(link("m1", 'ActualAmount="800"'), 'ID="r2" refID="r1"')
    (used,) = completed(jdf(SILK, audits=wrong + right + ENDED)).resources
    assert plain(used.actual_good) == "800"


def test_the_sender_is_a_device_or_a_program_but_never_a_person() -> None:
    used = link("m1", 'ActualAmount="5"')
    press = '<Device ID="d" DeviceID="XL106"/>'
    created = f'<Created TimeStamp="{TIME}" AgentName="MIS 7" Author="Erika Muster"/>'
    assert report(jdf(SILK, used, created)).sender_id == "MIS 7"
    assert report(jdf(SILK + press, used + link("d", name="Device"), created)).sender_id == "XL106"
    nobody = f'<Created TimeStamp="{TIME}" Author="Erika Muster"/>'
    assert report(jdf(SILK, used, nobody)).sender_id == "UNKNOWN"
    assert "Muster" not in report(jdf(SILK, used, nobody)).model_dump_json()


# ---------------------------------------------------------------- materials
def test_one_link_holds_plan_and_actual() -> None:
    (used,) = report(jdf(SILK, link("m1", 'Amount="500" ActualAmount="510"'), _created())).resources
    assert figures(used) == ("500", None, "510", None)
    assert (used.product_id, used.description) == ("SILK", "Silk")


def _created() -> str:
    return f'<Created TimeStamp="{TIME}"/>'


def test_good_and_waste_are_conditions() -> None:
    plan = link("m1", inner=conditions("Amount", "4000", "400"))
    used = audit(link("m1", inner=conditions("ActualAmount", "4150", "230")))
    (found,) = completed(jdf(SILK, nodes=node(plan, used + ENDED))).resources
    assert figures(found) == ("4000", "400", "4150", "230")
    assert found.section == "print"


def test_an_audit_replaces_what_the_link_says_was_used() -> None:
    """Presses write the total into both; adding them would charge the paper twice."""
    both = link("m1", 'Amount="500" ActualAmount="510"')
    (found,) = completed(jdf(SILK, both, audit(link("m1", 'ActualAmount="510"')) + ENDED)).resources
    assert figures(found) == ("500", None, "510", None)


def test_the_second_link_of_an_audit_is_the_link_before() -> None:
    links = link("m2", 'ActualAmount="510"') + link("m1", 'Amount="500"')
    plan = link("m1", 'Amount="500"')
    (found,) = completed(jdf(SILK + GLOSS, plan, audit(links) + ENDED)).resources
    assert (found.product_id, found.substitute_for) == ("GLOSS", "SILK")
    assert figures(found) == ("500", None, "510", None)


def test_old_audits_that_know_amount_alone_mean_what_was_used() -> None:
    (found,) = completed(jdf(SILK, audits=audit(link("m1", 'Amount="77"')) + ENDED)).resources
    assert figures(found) == (None, None, "77", None)


def test_audits_without_links_and_of_unknown_resources_say_little() -> None:
    empty = audit("<Comment/>", 'ID="r1"')
    unknown = audit(link("nowhere", 'ActualAmount="5"'), 'ID="r2"')
    (found,) = completed(jdf(audits=empty + unknown + ENDED)).resources
    assert (found.product_id, plain(found.actual_good)) == (None, "5")


def test_ink_takes_its_product_from_the_partition() -> None:
    ink = (
        '<Ink ID="i" Unit="g"><Ink SheetName="S1"><Ink Separation="Cyan" ProductID="106111"/>'
        '<Ink Separation="Black" ProductID="106112"/></Ink><Comment/></Ink>'
    )
    pool = (
        '<AmountPool><PartAmount ActualAmount="3.5"><Part SheetName="S1" Separation="Black"/>'
        '</PartAmount><PartAmount ActualAmount="2"><Part SheetName="S2" Separation="Cyan"/>'
        "</PartAmount></AmountPool>"
    )
    first, second = report(jdf(ink, link("i", inner=pool, name="Ink"), _created())).resources
    assert (first.separation, first.product_id, first.section) == ("Black", "106112", "S1")
    assert (second.separation, second.product_id, second.section) == ("Cyan", None, "S2")


def test_roll_media_is_measured_in_metres() -> None:
    roll = SILK.replace("/>", ' MediaUnit="Roll"/>')
    (found,) = report(jdf(roll, link("m1", 'ActualAmount="250.5"'), _created())).resources
    assert (found.unit, plain(found.actual_good)) == ("MTR", "250.5")


def test_customer_paper_is_marked_on_materials_and_items() -> None:
    intent = '<MediaIntent ID="mi"><BuyerSupplied Preferred="true"/></MediaIntent>'
    text = jdf(intent + SILK + CARDS, MAKES.format('Amount="9" ActualAmount="9"'), ENDED)
    job = completed(
        text.replace("<ComponentLink", link("m1", 'ActualAmount="5"') + "<ComponentLink")
    )
    assert [one.customer_supplied for one in job.resources] == [True]
    assert [one.customer_supplied for one in job.items] == [True]
    one = SILK.replace("/>", '><GeneralID IDUsage="CustomerSupplied" IDValue="true"/></Media>')
    (used,) = report(jdf(one, link("m1", 'ActualAmount="5"'), _created())).resources
    assert used.customer_supplied


def test_plates_and_exposed_media_are_counted() -> None:
    plates = '<Media ID="p" MediaType="Plate" ProductID="PLATE"/><ExposedMedia ID="x"/>'
    links = link("p", 'ActualAmount="8"') + link("x", 'ActualAmount="4"', name="ExposedMedia")
    event = report(jdf(plates, links, _created()))
    assert [(one.component, one.code) for one in event.operations] == [
        (Component.SERVICES, "PLATE"),
        (Component.SERVICES, "Plate"),
    ]
    assert event.resources == ()


def test_clicks_of_a_job_counter_begin_at_zero() -> None:
    """The extractor bills differences; a counter of the job alone has begun with the job."""
    meter = '<UsageCounter ID="u" Scope="Job" CounterTypes="Impressions Color"/>'
    used = audit(link("u", 'ActualAmount="62500"', name="UsageCounter"))
    began, now = completed(jdf(meter, audits=used + ENDED)).counters
    assert (plain(began.reading), plain(now.reading)) == ("0", "62500")
    assert (now.kind, now.unit, began.counter_id) == ("Impressions Color", "H87", now.counter_id)
    assert began.read_at < now.read_at


def test_a_lifetime_meter_is_one_reading() -> None:
    meter = '<UsageCounter ID="u" Scope="Lifetime" CounterUnit="page"/>'
    used = audit(link("u", 'ActualAmount="900100"', name="UsageCounter"))
    (now,) = completed(jdf(meter, audits=used + ENDED)).counters
    assert (now.kind, now.unit, plain(now.reading)) == ("UsageCounter", "ZP", "900100")


def test_a_meter_whose_time_of_reading_nobody_states_is_no_reading() -> None:
    meter = '<UsageCounter ID="u"/>'
    linked = link("u", 'ActualAmount="5"', name="UsageCounter")
    assert "a plan" in reason(jdf(meter, linked))


# ---------------------------------------------------------------- time
def phase_time(attributes: str, inner: str = "") -> str:
    """A phase audit of an hour."""
    times = 'Start="2026-03-02T07:00:00+01:00" End="2026-03-02T08:00:00+01:00"'
    return f'<PhaseTime TimeStamp="{TIME}" {times} {attributes}>{inner}</PhaseTime>'


def test_phase_times_name_device_status_part_and_who_pays() -> None:
    inner = (
        '<Device DeviceID="XL106"/><Part SheetName="S1"/><MISDetails WorkType="Alteration"'
        ' CostType="Chargeable" WorkTypeDetails="CustomerRequest"/>'
        '<GeneralID IDUsage="ChangeOrderID" IDValue="CO-1"/>'
        '<ComponentLink rRef="c1" Usage="Output"><AmountPool>'
        '<PartAmount ActualAmount="90"><Part Condition="Good"/></PartAmount>'
        '<PartAmount ActualAmount="4"><Part Condition="Waste"/></PartAmount></AmountPool>'
        '</ComponentLink><ComponentLink rRef="zz" Usage="Input" ActualAmount="5"/>'
    )
    (phase,) = completed(
        jdf(CARDS, nodes=node(audits=phase_time('Status="InProgress"', inner) + ENDED))
    ).phases
    assert (phase.device_id, phase.section, phase.status) == ("XL106", "print/S1", PhaseStatus.RUN)
    assert (plain(phase.good), plain(phase.waste)) == ("90", "4")
    assert phase.attribution == Attribution(
        cost_type=CostType.CHARGEABLE,
        work_type=WorkType.ALTERATION,
        cause=Cause.CUSTOMER,
        change_order_ref="CO-1",
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Setup", PhaseStatus.SETUP),
        ("TestRunInProgress", PhaseStatus.SETUP),
        ("InProgress", PhaseStatus.RUN),
        ("Cleanup", PhaseStatus.CLEANUP),
        ("Stopped", PhaseStatus.STOPPED),
        ("Suspended", PhaseStatus.STOPPED),
    ],
)
def test_statuses_are_what_the_time_was_spent_on(word: str, status: PhaseStatus) -> None:
    (phase,) = completed(jdf(audits=phase_time(f'Status="{word}"') + ENDED)).phases
    assert phase.status is status


def test_the_device_is_the_modules_the_nodes_or_unknown() -> None:
    press = '<Device ID="d" DeviceID="XL106"/>'
    phase = phase_time('Status="Setup"')
    module = phase_time('Status="Setup"', '<ModulePhase DeviceID="M1"/>')
    linked = link("d", name="Device")
    assert completed(jdf(press, linked, module + ENDED)).phases[0].device_id == "M1"
    assert completed(jdf(press, linked, phase + ENDED)).phases[0].device_id == "XL106"
    assert completed(jdf(audits=phase + ENDED)).phases[0].device_id == "UNKNOWN"


def test_a_phase_needs_both_times() -> None:
    phase = phase_time('Status="Setup"').replace('Start="2026-03-02T07:00:00+01:00"', "")
    assert "<PhaseTime> @Start is missing" in fault(jdf(audits=phase + ENDED))


def test_waiting_is_no_phase() -> None:
    assert completed(jdf(audits=phase_time('Status="Waiting"') + ENDED)).phases == ()


def test_planned_times_know_device_and_sheet() -> None:
    pool = (
        '<Device ID="d" DeviceID="XL106"/><NodeInfo ID="ni" PartIDKeys="SheetName">'
        '<NodeInfo SheetName="S1" TotalDuration="PT90M"/></NodeInfo>'
    )
    links = link("d", name="Device") + link("ni", name="NodeInfo")
    job = completed(jdf(pool, nodes=node(links, ENDED)))
    assert [(one.device_id, one.section, plain(one.hours)) for one in job.planned_times] == [
        ("XL106", "print/S1", "1.5")
    ]
