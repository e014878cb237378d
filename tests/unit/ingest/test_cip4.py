"""Files of CIP4 and of real presses: each has one outcome, stated here.

They stand beside the project, never in it. If one of these fails, a file that a print shop could
send today is misread.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from services.ingest.domain.outcome import Failed, Nothing, Produced
from services.ingest.handler import read_file
from services.ingest.render import as_json
from shared.events.production import Component, JobCompleted, PhaseStatus, UsageReported
from tests.unit.ingest.made import ENTITY, figures, kinds

pytestmark = pytest.mark.handbook


@pytest.fixture(name="cip4")
def cip4_folder(handbook_data: Path) -> Path:
    return handbook_data / "cip4"


def reports(file: Path) -> tuple[UsageReported, ...]:
    """The usage reports that a file becomes, and nothing else."""
    outcome = read_file(file, legal_entity_id=ENTITY)
    assert isinstance(outcome, Produced), outcome
    assert set(kinds(outcome.events)) == {"UsageReported"}
    return tuple(event for event in outcome.events if isinstance(event, UsageReported))


NOTHING = {
    "jdflibj/Elk_ConventionalPrinting.jdf": "2000 ST of MAG STA 200 SRA1 planned",
    "jdflibj/SaddleStitchBooklet_MixedMedia2.jdf": "1 of ID345 ordered",
    "jdflibj/bookintent.jdf": "a job without @JobID",
    "jdflibj/jmf__JMF1.jmf": "device 6261 is Setup; it names no job",
    "jdflibj/km2.jdf": "its 3 finished process runs state no material used",
    "jdflibj/sammel18.jdf": "drop drop-6: 1000 of F01-01_ui_1x1_1_AU301516635",
    "jdflibj/sammel18.xjdf": "1000 of F01-01_ui_1x1_1_AU301516637 ordered",
    "xjdf_schema_samples/Activity.xjmf": "the job phase of j1 has no start",
    "xjdf_schema_samples/Idle.xjmf": "device EngView is Idle; it names no job",
    "xjdf_schema_samples/further/book-auditpool.xjdf": "no machine time, no finished run",
    "xjdf_schema_samples/further/book-product-simple-1.xjdf": "1000 of 1 ordered",
    "xjdf_schema_samples/processes/SimpleGangOut.xjdf": "job job states no material used",
    "xjdf_schema_samples/processes/deliverydrops.xjdf": (
        "job splitDelivery states no material used, no machine time, no finished run"
        " (30 of IDBook ordered; drop Drop1: 10 of IDBook; drop Drop2: 20 of IDBook)"
    ),
}
EVENTS = {
    "jdflibj/ink.jmf",
    "jdflibj/kwh.jmf",
    "xjdf_schema_samples/Completed.xjmf",
    "xjdf_schema_samples/Running.xjmf",
    "xjdf_schema_samples/jmf/paperResourceSignal.xjmf",
    "xjdf_schema_samples/jmf/statusSignal.xjmf",
    "xjdf_schema_samples/jmf/statusSignalSetup.xjmf",
    "xjdf_schema_samples/structure/PaperAuditActual.xjdf",
}
ERRORS = {"jdflibj/corrupt.jdf"}


@pytest.mark.parametrize(("name", "why"), NOTHING.items())
def test_a_plan_or_an_idle_device_is_nothing_with_its_reason(
    cip4: Path, name: str, why: str
) -> None:
    outcome = read_file(cip4 / name, legal_entity_id=ENTITY)
    assert isinstance(outcome, Nothing), outcome
    assert why in outcome.reason


def test_every_file_has_an_expected_outcome(cip4: Path) -> None:
    files = {
        str(file.relative_to(cip4))
        for file in cip4.rglob("*")
        if file.is_file() and file.suffix != ".md"
    }
    assert files == NOTHING.keys() | EVENTS | ERRORS


def test_a_corrupt_file_is_an_error_with_its_line_and_element(cip4: Path) -> None:
    outcome = read_file(cip4 / "jdflibj/corrupt.jdf", legal_entity_id=ENTITY)
    assert isinstance(outcome, Failed)
    assert outcome.source.endswith("corrupt.jdf")
    (fault,) = outcome.faults
    assert (fault.line, fault.element) == (19, "LayoutElement")
    assert "not well-formed" in fault.message


def test_ink_by_separation_planned_and_actual_good_and_waste(cip4: Path) -> None:
    (report,) = reports(cip4 / "jdflibj/ink.jmf")
    assert report.job_id == "118830"
    assert (report.sender_id, report.section) == ("4405", "IC_CV__000_ST141395_F2-1.C")
    assert {one.unit for one in report.resources} == {"GRM"}
    assert {one.component for one in report.resources} == {Component.INK}
    assert {(one.separation, one.product_id): figures(one) for one in report.resources} == {
        ("Cyan", "106111"): ("0.82323721", "0.5945602", "1.14338501", "1.90564168"),
        ("Black", "106112"): ("3.46467678", "2.50226656", "4.81205108", "8.02008513"),
        ("Yellow", "106106"): ("12.66359712", "9.14593125", "17.58832933", "29.31388222"),
        ("Magenta", "106108"): ("9.62091423", "6.94843806", "13.36238088", "22.2706348"),
    }


def test_energy_is_a_meter_and_its_reading_is_rounded_aloud(cip4: Path) -> None:
    outcome = read_file(cip4 / "jdflibj/kwh.jmf", legal_entity_id=ENTITY)
    assert isinstance(outcome, Produced)
    (event,) = outcome.events
    assert isinstance(event, UsageReported)
    assert event.job_id == "191015"
    readings = {one.counter_id: (one.kind, one.unit, one.reading) for one in event.counters}
    assert readings == {
        "4003/E_CutStar%401": ("Electricity", "KWH", Decimal("11.738374023")),
        "4003/E_PrintingPress%401": ("Electricity", "KWH", Decimal("6542.751")),
        "4003/E_DryStar%401": ("Electricity", "KWH", Decimal("42.721191406")),
    }
    assert outcome.notes == (
        "line 15: @ActualAmount 42.721191405999996 rounded half up to nine decimals",
    )


def test_audited_paper_that_differs_from_the_plan_is_a_substitute(cip4: Path) -> None:
    (report,) = reports(cip4 / "xjdf_schema_samples/structure/PaperAuditActual.xjdf")
    assert report.job_id == "PaperAudit"
    (paper,) = report.resources
    assert (paper.component, paper.section) == (Component.SUBSTRATE, "S1")
    assert (paper.product_id, paper.substitute_for) == ("Paper-90", "Paper-80")
    assert paper.description == "Paper 90 g/m²"
    assert figures(paper) == ("400", None, "400", "21")


def test_paper_lots_stay_apart(cip4: Path) -> None:
    (report,) = reports(cip4 / "xjdf_schema_samples/jmf/paperResourceSignal.xjmf")
    assert report.job_id == "Job1"
    assert {one.lot_id: figures(one) for one in report.resources} == {
        "Lot1": (None, None, "4500", "66"),
        "Lot2": (None, None, "2200", "22"),
    }
    assert {one.product_id for one in report.resources} == {"MIS-ID"}


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("jmf/statusSignalSetup.xjmf", [PhaseStatus.SETUP]),
        ("jmf/statusSignal.xjmf", [PhaseStatus.RUN]),
        ("Running.xjmf", [PhaseStatus.RUN]),
        ("Completed.xjmf", [PhaseStatus.RUN, PhaseStatus.RUN]),
    ],
)
def test_status_signals_are_phases(cip4: Path, name: str, statuses: list[PhaseStatus]) -> None:
    found = reports(cip4 / "xjdf_schema_samples" / name)
    assert [phase.status for report in found for phase in report.phases] == statuses


def test_a_completed_status_ends_the_phase_that_was_going_on(cip4: Path) -> None:
    running, ended = reports(cip4 / "xjdf_schema_samples/Completed.xjmf")
    assert running.phases[0].end is None
    assert ended.phases[0].end == ended.reported_at
    assert running.phases[0].phase_id == ended.phases[0].phase_id


def test_no_two_files_report_under_one_message_id(cip4: Path) -> None:
    """Two samples call their signal S1; taken for one message, the second would be a conflict."""
    found = [report for name in sorted(EVENTS) for report in reports(cip4 / name)]
    names = [(report.sender_id, report.message_id) for report in found]
    assert len(names) == len(set(names)) == 9


def test_none_of_them_is_a_completed_job_and_no_operator_is_named(cip4: Path) -> None:
    files = sorted(file for file in cip4.rglob("*.*") if file.suffix != ".md")
    outcomes = [read_file(file, legal_entity_id=ENTITY) for file in files]
    events = [
        one for outcome in outcomes if isinstance(outcome, Produced) for one in outcome.events
    ]
    assert not [one for one in events if isinstance(one, JobCompleted)]
    said = as_json(outcomes, published=0)
    for name in ("Cikoja", "Ivan", "4225", "Administrator"):
        assert name not in said
