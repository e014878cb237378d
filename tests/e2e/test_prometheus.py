"""What we ship for Prometheus and Grafana, on a running pipeline and a real Prometheus."""

from collections.abc import Iterator

import pytest

from shared.topology import consumers
from tests.contract.promql import selectors
from tests.contract.shipped import panels
from tests.e2e.pipeline import Pipeline
from tests.e2e.prometheus import Prometheus

# What shows nothing while nothing is wrong; every other panel must show something.
OF_FAULTS = {
    "ALERTS",
    "colophon_consumer_bisect_attempts_total",
    "colophon_consumer_fenced_total",
    "colophon_consumer_in_doubt_commits_total",
    "colophon_consumer_paused_partitions",
    "colophon_consumer_retries_total",
    "colophon_dlq_replayed_total",
    "colophon_mail_ambiguous_total",
    "colophon_outbox_relay_fenced_total",
    "colophon_waiting_events",
}


@pytest.mark.tools("prometheus")
def test_every_rule_and_panel_works_on_a_running_pipeline(pipeline: Pipeline) -> None:
    """Given work and dead letters, then rules evaluate, panels show, an alert is on its way."""
    address = pipeline.system.start_prometheus()
    assert address
    prometheus = Prometheus(address)
    prometheus.until(f"sum(colophon:service_ready:max) == {len(consumers())}")
    pipeline.simulate(20)
    pipeline.special_cases()
    pipeline.settle()
    pipeline.let_reminders_fall_due()
    prometheus.until('ALERTS{alertname="ColophonDeadLetters", alertstate="pending"}')
    for query in shown():
        if OF_FAULTS & names(query):
            prometheus.query(query)  # it understands, and need not find anything
        else:
            prometheus.until(query)
    assert prometheus.query('ALERTS{alertstate="firing"}') == []
    groups = prometheus.ask("rules")["groups"]
    broken = [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    assert broken == []


def shown() -> Iterator[str]:
    """The queries of all panels, as Grafana would send them."""
    for _, panel in panels():
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m")


def names(query: str) -> set[str]:
    return {selector.name for selector in selectors(query)}
