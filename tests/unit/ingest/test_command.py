"""The command: what it prints, what it publishes, and its exit codes."""

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from services.ingest import main
from services.ingest.domain.outcome import Nothing, Produced
from shared.errors import ConfigurationError, Transient
from shared.events.base import Event
from shared.events.masterdata import Contact
from shared.events.production import JobCompleted, QualityDecided, UsageReported
from shared.settings import Settings
from shared.topology import BY_EVENT
from tests.unit.ingest.made import (
    TIME,
    amount,
    audited,
    kinds,
    paper,
    resource_set,
    xjdf,
    xjmf,
)
from tests.unit.ingest.test_messages import info

Run = Callable[..., Result]


class Broker:
    """What was published, and what it answers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.settings: Settings | None = None
        self.error: Exception | None = None

    def publish(
        self,
        settings: Settings,
        events: Iterable[Event],
        source: str,
        progress: Callable[[int], None],
    ) -> int:
        if self.error:
            raise self.error
        assert source == "ingest"
        self.settings = settings
        self.events += events
        progress(len(self.events))
        return len(self.events)


@pytest.fixture(name="broker")
def made_broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(main, "publish", broker.publish)
    return broker


@pytest.fixture(name="run")
def made_run(broker: Broker) -> Run:
    app = typer.Typer()
    app.command()(main.command(lambda: Settings(kafka_bootstrap_servers="own:9092")))

    def run(*arguments: object) -> Result:
        environment = {"COLUMNS": "80", "NO_COLOR": "1"}
        return CliRunner().invoke(app, [str(one) for one in arguments], env=environment)

    return run


@pytest.fixture(name="job")
def made_job(tmp_path: Path) -> Path:
    file = tmp_path / "job.xjdf"
    file.write_text(xjdf())
    return file


def written(folder: Path, name: str, text: str) -> Path:
    """A file with this text."""
    file = folder / name
    file.write_text(text)
    return file


def test_files_are_published_in_their_order(
    run: Run, broker: Broker, tmp_path: Path, job: Path
) -> None:
    usage = written(tmp_path, "usage.xjmf", xjmf(info()))
    result = run(usage, job, "--legal-entity", "DE01")
    assert result.exit_code == 0
    assert kinds(tuple(broker.events)) == ["UsageReported", "JobCompleted"]
    assert broker.settings is not None
    assert broker.settings.kafka_bootstrap_servers == "own:9092"
    assert "Files: 2. 2 became 2 events (published), 0 nothing, 0 in error." in result.stdout


def test_a_dry_run_publishes_nothing_and_needs_neither_server_nor_entity(
    run: Run, broker: Broker, job: Path
) -> None:
    result = run("--dry-run", job)
    assert result.exit_code == 0
    assert broker.events == []
    assert "LEGAL-ENTITY/J1" in result.stdout
    assert "1 became 1 events (not published)" in result.stdout


def test_job_files_need_an_entity_before_anything_is_published(
    run: Run, broker: Broker, job: Path
) -> None:
    result = run(job)
    assert result.exit_code == 2
    assert "--legal-entity" in result.stderr
    assert broker.events == []


def test_json_names_its_entity_itself(run: Run, broker: Broker, tmp_path: Path) -> None:
    decision = {
        "legal_entity_id": "GB01",
        "sender_id": "qc",
        "message_id": "Q",
        "decided_at": "2026-03-02T10:00:00Z",
        "job_id": "J",
        "quality": "PASSED",
    }
    value = json.dumps({"topic": BY_EVENT[QualityDecided].name, "value": decision})
    assert run(written(tmp_path, "q.json", value)).exit_code == 0
    assert kinds(tuple(broker.events)) == ["QualityDecided"]


def test_a_bad_file_is_told_and_the_good_ones_are_published(
    run: Run, broker: Broker, tmp_path: Path, job: Path
) -> None:
    bad = written(tmp_path, "bad.jdf", "<JDF>\n<AuditPool")
    result = run(bad, job, "--legal-entity", "DE01")
    assert result.exit_code == 1
    assert len(broker.events) == 1
    assert "error: line 2: <AuditPool> is not well-formed XML" in result.stdout
    assert "1 in error" in result.stdout


def test_what_becomes_nothing_is_well_and_says_why(
    run: Run, broker: Broker, tmp_path: Path
) -> None:
    result = run(written(tmp_path, "plan.xjdf", xjdf(audits="")), "--legal-entity", "DE01")
    assert result.exit_code == 0
    assert "nothing: a plan: job J1 states no material used" in result.stdout
    assert broker.events == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("none.jdf",), "none.jdf: there is no such file"),
        (("{job}", "--time-zone", "Europe/Nowhere"), "Europe/Nowhere is no time zone"),
        (("{job}", "--time-zone", "../secret"), "is no time zone"),
    ],
)
def test_wrong_use_is_exit_code_2(
    run: Run, job: Path, arguments: tuple[str, ...], why: str
) -> None:
    result = run(*(one.format(job=job) for one in arguments), "--legal-entity", "DE01")
    assert result.exit_code == 2
    assert why in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "why"),
    [
        (Transient("kafka", "no broker answers"), 1, "ingest the same files again"),
        (ConfigurationError("set COLOPHON_X"), 2, "set COLOPHON_X"),
    ],
)
def test_a_broker_that_refuses_is_said_plainly(
    run: Run, broker: Broker, job: Path, error: Exception, code: int, why: str
) -> None:
    broker.error = error
    result = run(job, "--legal-entity", "DE01")
    assert result.exit_code == code
    assert why in result.stderr
    assert "Traceback" not in result.output


def test_json_output_holds_everything(run: Run, tmp_path: Path, job: Path) -> None:
    bad = written(tmp_path, "bad.jdf", "<JDF")
    plan = written(tmp_path, "plan.xjdf", xjdf(audits=""))
    result = run("--json", "--legal-entity", "DE01", job, plan, bad)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["summary"] == {
        "files": 3,
        "files_with_events": 1,
        "files_without": 1,
        "files_in_error": 1,
        "events": 1,
        "published": 1,
    }
    made, nothing, error = document["files"]
    assert made["outcome"] == "events"
    (event,) = made["events"]
    assert event["topic"] == BY_EVENT[JobCompleted].name
    assert event["key"] == "DE01/J1"
    assert event["value"]["revision"] == 1772442000000
    assert nothing["outcome"] == "nothing"
    assert "a plan" in nothing["reason"]
    assert (error["outcome"], error["faults"][0]["line"]) == ("error", 1)


def test_people_in_contact_data_are_not_printed(run: Run, broker: Broker, tmp_path: Path) -> None:
    contact = {
        "contact_id": "P-1",
        "revision": 1,
        "customer_id": "C-1",
        "recorded_at": "2026-03-02T10:00:00Z",
        "name": "Erika Muster",
        "email": "erika@muster.example",
    }
    value = json.dumps({"topic": BY_EVENT[Contact].name, "value": contact})
    file = written(tmp_path, "contact.json", value)
    for arguments in (("--json",), ()):
        result = run(*arguments, file)
        assert result.exit_code == 0
        assert "P-1" in result.stdout
        assert "uster" not in result.stdout
    assert isinstance(broker.events[0], Contact)
    assert broker.events[0].name == "Erika Muster"


def test_a_long_outcome_is_cut_and_says_so(run: Run, tmp_path: Path) -> None:
    lots = "".join(f'<PartAmount Amount="1"><Part LotID="L{n}"/></PartAmount>' for n in range(60))
    text = xjmf(info()).replace('<PartAmount Amount="500" Waste="7"></PartAmount>', lots)
    result = run("--dry-run", written(tmp_path, "lots.xjmf", text))
    assert "lot L30" in result.stdout
    assert "... and 22 lines more; --json shows all" in result.stdout


def test_counters_and_shares_are_shown(run: Run, tmp_path: Path) -> None:
    reading = 'ProductionCounter="7" CounterUnit="sheet"'
    phase = f'<JobPhase JobID="A" Status="Setup" StartTime="{TIME}"/>'
    device = f"<DeviceInfo {reading}>{phase}</DeviceInfo>"
    status = written(tmp_path, "status.xjmf", xjmf(device, "SignalStatus"))
    gang = '<Resource><NodeInfo><GangSource JobID="A" Copies="4"/></NodeInfo></Resource>'
    used = audited(paper(amount("Amount=5")))
    shared = written(tmp_path, "gang.xjdf", xjdf(resource_set("NodeInfo", gang), used))
    said = run("--dry-run", status, shared).stdout
    assert "counter Press/ProductionCounter: 7 ST (ProductionCounter)" in said
    assert "on sheet gang: job A with 4 copies of area 1" in said


# ---------------------------------------------------------------- the sample files


def test_the_samples_are_two_finished_jobs_one_under_way_and_a_plan() -> None:
    files = sorted(main.samples().iterdir())
    outcomes = dict(zip((file.name for file in files), main.read_all(files, "DE01"), strict=True))
    events = [e for one in outcomes.values() if isinstance(one, Produced) for e in one.events]
    jobs = {event.job_id: event for event in events if isinstance(event, JobCompleted)}
    assert jobs.keys() == {"S-2503-01", "S-2503-02"}
    assert {e.job_id for e in events if isinstance(e, QualityDecided)} == jobs.keys()
    assert {e.job_id for e in events if isinstance(e, UsageReported)} == {"S-2503-02", "S-2503-03"}
    assert isinstance(outcomes["poster-plan.xjdf"], Nothing)
    for job in jobs.values():
        assert job.customer_id
        assert all(item.delivered for item in job.items)
        assert sum(drop.quantity for drop in job.deliveries) == job.items[0].delivered
    assert jobs["S-2503-02"].resources[0].substitute_for == "PAP-SILK-135"
    assert jobs["S-2503-02"].reports_expected == 1


def test_samples_are_told_in_full_at_any_width(run: Run, broker: Broker) -> None:
    """What does not fit goes on in the next line: nothing is cut at 80 columns."""
    files = sorted(main.samples().iterdir())
    result = run("--dry-run", *files)
    assert not broker.events
    said = " ".join(result.output.split())
    for words in (
        "brochure.jdf JDF 1.5 production.job-completed.v1",
        "INK Cyan INK-PROCESS (print): planned 2800 good + 0 waste; used 2791.4 good + 52.3 waste",
        "SUBSTRATE PAP-GLOSS-135 instead of PAP-SILK-135",
        "drop Depot-Nord: 60000 of item leaflet to DE",
        "SETUP on XL106-2: 2025-03-14T13:20:00+00:00 to still going on",
        "FINISHING FOLD: planned 4000, done 4120 H87",
    ):
        assert words in said
    assert max(map(len, result.output.splitlines())) <= 80


def test_the_demo_ingests_samples_and_sums_up_with_every_error_in_full(
    broker: Broker, tmp_path: Path
) -> None:
    said = io.StringIO()
    console = Console(file=said, width=80)
    wrong = written(tmp_path, "wrong.jdf", "<JDF")
    files = [*sorted(main.samples().iterdir()), wrong]
    assert main.ingest_files(Settings(), files, console) == len(files) == 9
    assert len(broker.events) == 8
    lines = said.getvalue().splitlines()
    assert lines[0] == "Files: 9. 7 became 8 events (published), 1 nothing, 1 in error."
    assert lines[1:5] == [
        "      2 production.job-completed.v1",
        "      2 production.quality-decided.v1",
        "      3 production.usage-reported.v1",
        "      1 sales.estimate-accepted.v1",
    ]
    assert "error: line 1" in said.getvalue()
