"""What a process tells: whether it lives, whether it is ready, and every metric there is."""

import json
import os
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from shared import metrics
from shared.clock import monotonic
from shared.runtime import relay
from shared.runtime.loop import ConsumerLoop
from shared.runtime.process import ServiceProcess
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.echo import DECIDED, REQUESTED, SPEC, policy, request
from tests.integration.runtime.instances import Instances, until
from tests.integration.runtime.proxy import Lines

# The contract with the people on call: dashboards and alerts are built on these names.
PROMISED = """
    consumer_lag_records consumer_lag_seconds consumer_records_total consumer_batch_size
    consumer_batch_duration_seconds end_to_end_latency_seconds consumer_retries_total
    consumer_bisect_attempts_total consumer_fenced_total consumer_in_doubt_commits_total
    consumer_rebalances_total consumer_paused_partitions consumer_last_progress_timestamp_seconds
    dlq_records_total dlq_depth dlq_oldest_age_seconds dlq_parked_keys dlq_breaker_state
    dlq_replayed_total waiting_events waiting_oldest_age_seconds
    outbox_depth outbox_oldest_age_seconds outbox_publish_latency_seconds outbox_relay_is_leader
    outbox_relay_fenced_total outbox_quarantined_rows db_transaction_seconds ready
""".split()

# What only a fault brings; the traffic below brings all others.
OF_FAULTS = {
    "consumer_fenced_total",
    "consumer_in_doubt_commits_total",
    "end_to_end_latency_seconds",
    "outbox_relay_fenced_total",
}


def test_a_running_process_exposes_what_is_promised_and_nothing_else(
    echo: Echo, instances: Instances
) -> None:
    """Given traffic of every fate, then each metric is on the list with its type and meaning."""
    instances.ready("one")
    echo.publish(request("s1", 1), request("s1", 1), request("s2", 1, "wait:never"))
    echo.publish(request("s3", 1, "reject"), request("s3", 2), request("s3", 1))
    echo.publish(request("s4", 1, total=2_000_000), request("s5", 1, "bug"), policy("p1"))
    until(lambda: echo.is_drained() and len(echo.published(DECIDED)) == 3, "every fate")
    until(lambda: instances.metric("one", "waiting_events"), "the gauges to be set")
    exposed = instances.families("one")
    listed = [m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)]
    assert names(exposed) == names(family for each in listed for family in each.describe())
    sampled = {sample.name for family in exposed for sample in family.samples}
    missing = {
        name for name in PROMISED if not {f"colophon_{name}", f"colophon_{name}_count"} & sampled
    }
    assert missing == OF_FAULTS


def names(families: Iterator[Metric] | list[Metric]) -> set[tuple[str, str, str]]:
    """Name, type and meaning."""
    return {(family.name, family.type, family.documentation) for family in families}


@pytest.fixture
def process(echo: Echo) -> Iterator[ServiceProcess]:
    """A process that answers probes about the instance in ours."""
    made = ServiceProcess(SPEC, echo.settings.model_copy(update={"http_port": 0}))
    made.health.start()
    yield made
    made._stop()
    os.close(made._bell)


def get(process: ServiceProcess, path: str) -> tuple[int, dict[str, bool]]:
    """Status and checks."""
    status, body = fetch(process, path)
    checks: dict[str, bool] = json.loads(body)
    return status, checks


def scraped(process: ServiceProcess, check: str) -> float:
    """What Prometheus hears of a check of readiness."""
    families = text_string_to_metric_families(fetch(process, "/metrics")[1])
    samples = [sample for family in families for sample in family.samples]
    (value,) = (
        sample.value
        for sample in samples
        if sample.name == "colophon_ready" and sample.labels["check"] == check
    )
    return value


def fetch(process: ServiceProcess, path: str) -> tuple[int, str]:
    """Status and body."""
    connection = HTTPConnection("127.0.0.1", process.health.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


Fault = Callable[[ConsumerLoop], None]


def _stall(seconds: float) -> Fault:
    def stall(loop: ConsumerLoop) -> None:
        loop.heartbeat_at = monotonic() - seconds

    return stall


def _lose_the_database(loop: ConsumerLoop) -> None:
    loop.database_ok = False


def _trip(loop: ConsumerLoop) -> None:
    loop.breaker.open([(REQUESTED, 0)], monotonic())


def _wait_for_a_claim(loop: ConsumerLoop) -> None:
    loop.assignment._unclaimed.add((REQUESTED, 0))


@pytest.mark.parametrize(
    ("fault", "check", "live"),
    [
        (_stall(6), "loop", 200),
        (_stall(61), "loop", 503),
        (_lose_the_database, "database", 200),
        (_trip, "breaker", 200),
        (_wait_for_a_claim, "assigned", 200),
    ],
)
def test_what_makes_a_process_unready_and_what_dead(
    echo: Echo, process: ServiceProcess, fault: Fault, check: str, live: int
) -> None:
    """Given one thing wrong, then readiness names it, and only a loop that hangs is dead."""
    assert get(process, "/livez") == (200, {"loop": True})
    assert get(process, "/readyz") == (503, {"started": False})
    process._loop = echo.joined().loop
    fault(echo.loop)
    assert get(process, "/livez")[0] == live
    assert (scraped(process, check), scraped(process, "workers")) == (0, 1)
    status, checks = get(process, "/readyz")
    assert status == 503
    assert not checks[check]
    assert all(checks[other] for other in ("broker", "workers"))


def test_a_relay_that_fails_makes_a_process_unready_until_it_works(
    echo: Echo, process: ServiceProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a relay that cannot do its work, then readiness says so; the process is not dead."""
    process._loop = echo.joined().loop
    process._relay.start()
    until(lambda: get(process, "/readyz") == (200, dict.fromkeys(process._checks(), True)), "ready")
    with monkeypatch.context() as patched:
        patched.setattr(relay, "_LEAD", "SELECT no_such_function()")
        until(lambda: not get(process, "/readyz")[1]["relay"], "the failure")
        assert get(process, "/livez")[0] == 200
    until(lambda: get(process, "/readyz")[0] == 200, "the relay at work again")


def test_a_process_waits_for_servers_that_are_away_at_its_start(
    echo: Echo, instances: Instances, lines: Lines
) -> None:
    """Given neither server at the start, then it lives unready, and works once they are there."""
    lines.broker.cut()
    lines.database.cut()
    instances.start("one", **lines.changes)
    until(lambda: instances.checks("one") == {"started": False}, "it to answer")
    lines.database.restore()
    until(lambda: "broker" in instances.checks("one"), "it to start")
    assert not instances.checks("one")["broker"]
    assert instances.get("one", "/livez")[0] == 200
    lines.broker.restore()
    instances.wait_ready("one")
    echo.publish(request("s1", 1))
    until(lambda: echo.subjects() == {"s1": "1,"}, "work")
