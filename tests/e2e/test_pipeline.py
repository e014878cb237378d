"""From completed jobs to posted invoices, mails and reminders, checked by independent readers."""

import re
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.clock import monotonic
from shared.metrics import REGISTRY
from shared.testing import read_topic
from tests.collector import Collector
from tests.e2e.pipeline import Pipeline

POSTED = "accounting.invoice-posted.v1"
ROOT = Path(__file__).resolve().parent.parent.parent


def test_jobs_become_posted_invoices_and_every_check_passes(
    collector: Collector, pipeline: Pipeline
) -> None:
    """Given simulated jobs and one of every special case, then `verify` finds nothing."""
    pipeline.simulate(60)
    stories = pipeline.special_cases()
    pipeline.settle()
    report = pipeline.verify()
    assert report.is_sound, report.findings
    posted = pipeline.query("SELECT count(*) FROM ledger_writer.posted_document")[0][0]
    issued = pipeline.query("SELECT count(*) FROM invoicer.invoice")[0][0]
    assert posted == issued > 50
    paths = {row.path for row in pipeline.query("SELECT DISTINCT path FROM pricer.job")}
    assert paths >= {"STRAIGHT_THROUGH", "ACTUAL_WITHIN_CAP", "REVIEW", "HOLD"}
    assert stories.keys() >= {"duplicate", "conflict", "late-estimate", "not-billable"}
    _accounting_reads_what_was_posted(pipeline, issued)
    _metrics_are_those_of_the_list(pipeline)
    _traces_lead_from_the_job_to_the_books(pipeline)
    _each_posting_is_at_the_end_of_its_spans(pipeline, collector)
    _reminders_fall_due_once(pipeline)
    assert set(pipeline.system.fleet.stop()) == {0}


def _accounting_reads_what_was_posted(pipeline: Pipeline, issued: int) -> None:
    """The README's script, as accounting would run it."""
    found = re.search(
        r"<!-- script -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert found, "the README has no script"
    assert len(found[1].splitlines()) <= 40
    broker = pipeline.system.settings.kafka_bootstrap_servers
    done = subprocess.run(
        [sys.executable, "-c", found[1], broker],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == issued
    assert all(re.search(r" (JPY \d+|[A-Z]{3} \d+\.\d\d)$", line) for line in lines)


def _traces_lead_from_the_job_to_the_books(pipeline: Pipeline) -> None:
    """Every posting is in a trace that something published to the pipeline began."""

    def traces(topic: str) -> set[str]:
        records: list[Any] = read_topic(pipeline.system.settings, topic)
        return {dict(record.headers())["traceparent"].decode()[3:35] for record in records}

    begun = traces("production.job-completed.v1") | traces("production.quality-decided.v1")
    posted = traces(POSTED)
    assert len(posted) > 50
    assert len(posted & begun) / len(posted) > 0.8  # the others' last cause was master data


def _each_posting_is_at_the_end_of_its_spans(pipeline: Pipeline, collector: Collector) -> None:
    """The collector can draw a job's way, span below span, from the door to accounting."""
    posted = len(read_topic(pipeline.system.settings, POSTED))
    deadline, rest = monotonic() + 60, Event()
    while len(sent := [one for one in collector.spans if one.name == f"send {POSTED}"]) < posted:
        assert monotonic() < deadline, f"{len(sent)} spans of {posted}"
        rest.wait(0.1)
    by_id = {span.own: span for span in collector.spans}
    ways = []
    for last in sent:
        way = [last]
        while above := by_id.get(way[-1].parent):
            assert above.trace == last.trace
            way.append(above)
        ways.append(tuple(dict.fromkeys(span.service for span in way)))
    usual = ("ledger_writer", "invoicer", "pricer", "metrics_extractor")
    assert ways.count(usual) / len(ways) > 0.8  # the others' last cause was master data


def _metrics_are_those_of_the_list(pipeline: Pipeline) -> None:
    known = {family.name for family in REGISTRY.collect()}
    for child in pipeline.system.fleet.children.values():
        connection = HTTPConnection("127.0.0.1", child.port, timeout=10)
        connection.request("GET", "/metrics")
        body = connection.getresponse().read().decode()
        connection.close()
        exposed = {family.name for family in text_string_to_metric_families(body)}
        assert exposed <= known
        assert "colophon_consumer_records" in exposed


def _reminders_fall_due_once(pipeline: Pipeline) -> None:
    pipeline.let_reminders_fall_due()
    rows = pipeline.query(
        "SELECT invoice_id, stage, count(*) AS n FROM dunning_scheduler.reminder GROUP BY 1, 2"
    )
    assert rows
    assert all(row.n == 1 for row in rows)
    assert pipeline.verify().is_sound


@pytest.mark.parametrize("seed", [1])
def test_services_killed_at_any_moment_lose_and_double_nothing(
    pipeline: Pipeline, seed: int
) -> None:
    """Given work in flight, when each service is killed and restarted, then `verify` passes."""
    pipeline.simulate(250, seed)
    for name in list(pipeline.system.fleet.children):
        pipeline.until_more(name)  # in the middle of its work
        pipeline.system.fleet.kill(name)
        pipeline.system.fleet.start(name)
    pipeline.system.fleet.wait_ready()
    pipeline.let_leases_run_out()
    pipeline.settle()
    report = pipeline.verify()
    assert report.is_sound, report.findings
