"""Alerts, recording rules and dashboards ask for what is really exposed; every alert can fire.

A query over a name, label or bucket that does not exist is no error to Prometheus: it is silence.
"""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared import dashboards
from shared.events.billing import InvoiceIssued, JobPriced
from shared.events.production import JobCompleted, MetricsExtracted
from shared.generate import DASHBOARDS
from shared.topology import BY_EVENT, consumers
from tests.contract.promql import Unreadable, exposed, problems, result_labels, selectors
from tests.contract.shipped import RULES, alerts, known, panels, queries, rules

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).resolve().parent / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"


def test_every_query_asks_for_what_is_exposed() -> None:
    series = known()
    found = [f"{name}: {p}" for name, expression in queries() for p in problems(expression, series)]
    assert found == []
    assert len(list(queries())) > 200


def test_every_metric_is_shown_and_every_record_is_used() -> None:
    """Else a metric is collected for nobody."""
    used = {selector.name for _, expression in queries() for selector in selectors(expression)}
    families = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in used}
    all_families = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in exposed()}
    assert all_families - families == set()
    assert {name for name in known() if ":" in name} - used == set()


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("colophon_outbox_deep", "nobody exposes it"),
        ("rate(colophon_consumer_records[5m])", "nobody exposes it"),
        ('colophon_outbox_depth{topic="a"}', "no label topic"),
        ("max by (partition) (colophon_outbox_depth)", "no label partition"),
        ('colophon_dlq_depth{service="printer"}', 'service="printer"'),
        ('colophon_dlq_depth{service=~"pricer|approvers"}', 'service="approvers"'),
        ('colophon_dlq_depth{status="death"}', 'status="death"'),
        ("rate(colophon_outbox_depth[5m])", "rate() of a gauge"),
        ("colophon_outbox_depth[5m]", "a range without"),
        ("max_over_time(colophon_outbox_depth)", "a range without"),
        ("colophon_dlq_records_total > 0", "a counter that is not"),
        ("max_over_time(colophon_dlq_records_total[5m])", "a counter that is not"),
        ("rate(colophon_consumer_batch_size_bucket[5m])", "buckets that nobody"),
        ('rate(colophon_consumer_batch_size_bucket{le="7"}[5m])', 'le="7"'),
        ("histogram_quantile(0.9, rate(colophon_consumer_batch_size_sum[5m]))", "no buckets"),
        (
            "histogram_quantile(0.9, sum by (service) (rate(colophon_variance_ratio_bucket[5m])))",
            "without the bounds",
        ),
    ],
)
def test_a_wrong_query_is_found(expression: str, complaint: str) -> None:
    assert [p for p in problems(expression, known()) if complaint in p]


@pytest.mark.parametrize("expression", ["sum(a", "a)", "sum(a) by (b)", "{a}", "[5m]", "sum by"])
def test_what_cannot_be_read_is_refused(expression: str) -> None:
    with pytest.raises(Unreadable):
        selectors(expression)


def test_the_way_of_a_job_is_the_one_on_the_map() -> None:
    """The hops of the objective: each step from completed job to posting, by who takes it."""
    steps = {
        "metrics_extractor": BY_EVENT[JobCompleted],
        "pricer": BY_EVENT[MetricsExtracted],
        "invoicer": BY_EVENT[JobPriced],
        "ledger_writer": BY_EVENT[InvoiceIssued],
    }
    assert all(service in topic.consumers for service, topic in steps.items())
    hops = [rule["expr"] for rule in rules() if "posting_hops" in rule.get("record", "")]
    assert len(hops) == 2
    for expression in hops:
        (selector,) = selectors(expression)
        named = list(selector.values())
        assert {value for label, value in named if label == "service"} == set(steps)
        assert {value for label, value in named if label == "topic"} == {
            topic.name for topic in steps.values()
        }


def test_every_service_of_the_map_is_watched() -> None:
    names = {service.name for service in consumers()}
    jobs = {
        value
        for rule in rules()
        for selector in selectors(rule["expr"])
        for label, value in selector.values()
        if label == "job"
    }
    assert jobs == names
    (missing,) = [rule["expr"] for rule in alerts() if rule["alert"] == "ColophonServiceMissing"]
    assert missing.endswith(f"< {len(names)}")
    assert {file.stem for file in DASHBOARDS.glob("service-*.json")} == {
        f"service-{name}" for name in names
    }


def test_every_alert_says_how_bad_it_is_and_where_to_read_on() -> None:
    series = known()
    for rule in alerts():
        name, notes = rule["alert"], rule["annotations"]
        assert re.fullmatch(r"Colophon[A-Z]\w+", name)
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert notes["runbook"] == f"deploy/runbooks/{name}.md"
        assert {"summary", "description"} <= set(notes)
        used = re.findall(r"\$labels\.(\w+)", notes["summary"] + notes["description"])
        assert set(used) <= result_labels(rule["expr"], series), name


def test_panels_name_series_by_labels_that_they_have() -> None:
    series = known()
    for name, panel in panels():
        for target in panel["targets"]:
            used = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            assert set(used) <= result_labels(target["expr"], series), name


def test_dashboards_are_those_that_are_made_and_ask_the_provisioned_source() -> None:
    """Each has an address of its own; a file that nobody makes any more is a leftover."""
    assert {file.name for file in DASHBOARDS.iterdir()} == {
        name for name, _ in dashboards.dashboards()
    }
    shown = [json.loads(file.read_text("utf-8")) for file in DASHBOARDS.iterdir()]
    assert Counter(one["uid"] for one in shown).most_common(1)[0][1] == 1
    sources = yaml.safe_load(
        (GRAFANA / "provisioning/datasources/prometheus.yml").read_text("utf-8")
    )
    assert [one["uid"] for one in sources["datasources"]] == [dashboards.DATASOURCE["uid"]]
    assert {panel["datasource"]["uid"] for _, panel in panels()} == {dashboards.DATASOURCE["uid"]}


def test_panels_do_not_overlap_and_fit_the_screen() -> None:
    for file in DASHBOARDS.iterdir():
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(file.read_text("utf-8"))["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= dashboards.WIDTH
            here = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert here.isdisjoint(taken), f"{file.name}: {panel['title']}"
            taken |= here


# ---------------------------------------------------------------- promtool


def firing(moment: dict[str, Any]) -> set[tuple[str, str]]:
    """Name and severity of the alerts that a case expects at one moment."""
    labels = [sample["labels"] for sample in moment["exp_samples"]]
    names = [re.search(r'alertname="(\w+)".*severity="(\w+)"', one) for one in labels]
    return {(found[1], found[2]) for found in names if found}


def test_every_alert_has_a_case_in_which_it_fires_and_moments_before_it_does_not() -> None:
    tried: set[tuple[str, str]] = set()
    for file in CASES.glob("*.yml"):
        for case in yaml.safe_load(file.read_text("utf-8"))["tests"]:
            moments = [firing(moment) for moment in case["promql_expr_test"]]
            tried |= moments[0].union(*moments) - moments[0].intersection(*moments)
    assert tried == {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}


@pytest.mark.tools("promtool")
def test_promtool_accepts_the_rules() -> None:
    _promtool("check", "rules", *map(str, RULES))


@pytest.mark.tools("promtool")
def test_alerts_fire_when_they_must_and_only_then() -> None:
    _promtool("test", "rules", *map(str, sorted(CASES.glob("*.yml"))))


def _promtool(*arguments: str) -> None:
    run = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
