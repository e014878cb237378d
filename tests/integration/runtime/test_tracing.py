"""Traces: each record's way through a service, as spans of the trace that its headers name."""

import json
import subprocess
import sys
from uuid import NAMESPACE_URL, uuid5

import pytest
from confluent_kafka import Producer

from shared import kafka
from shared.local.ports import free_port
from shared.producer import publish
from shared.topology import BY_NAME, role_of
from shared.trace import parsed, traceparent
from tests.collector import Collector
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.echo import DECIDED, REQUESTED, request
from tests.integration.runtime.instances import Instances, until


def test_a_record_its_handling_and_what_comes_of_it_are_one_trace(
    echo: Echo, instances: Instances, collector: Collector
) -> None:
    """Given records that are applied, rejected and sent again, then each is a span that says so."""
    instances.ready("one")
    records = [request("s1", 1), request("s2", 1, "reject"), request("s1", 1)]
    publish(echo.settings, records, "test")
    until(lambda: len(collector.spans) >= 4, "the spans")
    assert instances.stop("one") == 0
    handled = [span for span in collector.spans if span.name == f"process {REQUESTED}"]
    assert sorted(str(span.attributes["colophon.result"]) for span in handled) == [
        "applied",
        "duplicate",
        "rejected",
    ]
    (decision,) = echo.published(DECIDED)
    headers = {name: value.decode() for name, value in decision.headers()}
    context = parsed(headers["traceparent"])
    assert context
    (sent,) = [span for span in collector.spans if span.name == f"send {DECIDED}"]
    (cause,) = [span for span in handled if span.own == sent.parent]
    assert (sent.trace, sent.own) == (context.trace, context.span)
    assert cause.attributes["colophon.result"] == "applied"
    assert cause.attributes["messaging.consumer.group.name"] == "approver"
    assert (cause.trace, cause.kind, sent.kind) == (sent.trace, "CONSUMER", "PRODUCER")
    assert cause.start_ns <= cause.end_ns
    assert sent.start_ns <= sent.end_ns
    assert {span.service for span in collector.spans} == {"approver"}
    assert len({span.own for span in collector.spans}) == len(collector.spans) == 4


def test_headers_that_hold_anything_end_neither_the_trace_nor_the_publishing(
    echo: Echo, instances: Instances, collector: Collector
) -> None:
    """Given a dead letter whose headers are noise, then its copy goes out, and what comes later.

    A copy has the headers of its record as they came, and is no event: it has no span.
    """
    instances.ready("one")
    headers: dict[str, str | bytes | None] = {
        "noise": b"\xff\xfe",
        "traceparent": traceparent(uuid5(NAMESPACE_URL, "a stranger's")),
        "ce_id": "x" * 9_000,
    }
    producer = Producer(kafka.producer(echo.settings, role_of("simulator")))
    producer.produce(REQUESTED, b"garbage", b"DE01/s1", headers=headers)
    assert producer.flush(30) == 0
    until(lambda: echo.published(BY_NAME[REQUESTED].dead_letters("approver")), "its copy")
    publish(echo.settings, [request("s2", 1)], "test")
    until(lambda: echo.published(DECIDED), "the decision")
    until(lambda: len(collector.spans) >= 3, "the spans")
    assert instances.stop("one") == 0
    told = sorted(span.name for span in collector.spans)
    assert told == [f"process {REQUESTED}", f"process {REQUESTED}", f"send {DECIDED}"]
    ids = {span.attributes["messaging.message.id"] for span in collector.spans}
    assert "x" * 200 in ids


def test_a_collector_that_is_away_costs_nothing_but_its_spans(
    echo: Echo, instances: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given nobody at the address, then all is done, one line says so, and it stops in time."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50")
    instances.ready("one")
    publish(echo.settings, (request(f"s{n}", 1) for n in range(400)), "test")
    until(echo.is_drained, "all of it done")
    until(lambda: echo.count("outbox") == 0, "all of it published")
    assert len(echo.subjects()) == 400
    until(lambda: '"event": "tracing"' in instances.log("one"), "a word about it")
    assert instances.stop("one") == 0
    told = [json.loads(line)["event"] for line in instances.log("one").splitlines()]
    assert told.count("tracing") == 1


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    """Given no such variable, then a service's process imports nothing of OpenTelemetry."""
    script = (
        "import sys\n"
        "from shared import tracing\n"
        "from shared.runtime import process\n"
        "from shared.settings import Settings\n"
        "tracing.arm(Settings(), 'pricer')\n"
        "assert tracing.export is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
