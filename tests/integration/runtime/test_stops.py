"""SIGTERM: finish or roll back, commit, leave the group, exit 0 in 10 s, nothing redelivered."""

import signal
from contextlib import ExitStack

import pytest

from shared.clock import monotonic
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.echo import request
from tests.integration.runtime.instances import Instances, until
from tests.integration.runtime.proxy import Lines, Proxy, lines_to

SUBJECTS = [f"s{number}" for number in range(12)]
VERSIONS = range(1, 101)
OUTAGES = [(server, how) for server in ("broker", "database") for how in (Proxy.cut, Proxy.swallow)]


def test_a_stop_in_full_flow_leaves_nothing_to_do_again(echo: Echo, instances: Instances) -> None:
    """Given a stop between two batches of many, then the next instance goes on without a repeat."""
    instances.ready("one", batch_size=20)
    echo.publish(*(request(subject, v) for v in VERSIONS for subject in SUBJECTS))
    until(lambda: echo.count("inbox") > 100, "some batches")
    assert instances.stop("one") == 0
    assert echo.members() == 0, "it did not leave the group"
    left = len(VERSIONS) * len(SUBJECTS) - echo.count("inbox")
    assert left > 0, "it had finished before it was stopped"
    assert echo.count("outbox") == 0
    assert echo.committed() == echo.reached()
    instances.ready("two")
    until(echo.is_drained, "the rest")
    assert instances.metric("two", "consumer_records_total", result="duplicate") == 0
    assert instances.metric("two", "consumer_records_total", result="applied") == left


def test_a_stop_ends_in_time_whatever_is_away(echo: Echo, instances: Instances) -> None:
    """Given instances cut off from a server in every way, then each ends, and no effect is lost."""
    with ExitStack() as stack:
        names = {f"{server} {how.__name__}": (server, how) for server, how in OUTAGES}
        ways = {name: stack.enter_context(lines_to(echo.settings)) for name in names}
        for name in names:
            instances.start(name, **ways[name].changes)
        for name in names:
            instances.wait_ready(name)
        for name, (server, how) in names.items():
            how(getattr(ways[name], server))
        echo.publish(*(request(subject, 1) for subject in SUBJECTS))
        until(lambda: not any(instances.is_ready(name) for name in names), "all to be unready")
        started = monotonic()
        for name in names:
            instances.send(name, signal.SIGTERM)
        assert {name: instances.wait(name) for name in names} == dict.fromkeys(names, 0)
        assert monotonic() - started < 10.0
    instances.ready("next")
    until(echo.is_drained, "everything done")
    assert echo.subjects() == dict.fromkeys(SUBJECTS, "1,")


@pytest.mark.parametrize("server", ["broker", "database"])
def test_a_second_stop_aborts_at_once(
    echo: Echo, instances: Instances, lines: Lines, server: str
) -> None:
    """Given a stop that takes its time because a server hangs, then another one ends it."""
    instances.ready("one", **lines.changes)
    getattr(lines, server).swallow()
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    until(lambda: not instances.is_ready("one"), "it to be unready")
    instances.send("one", signal.SIGTERM)
    until(lambda: '"stop asked"' in instances.log("one"), "the first stop to be noticed")
    instances.send("one", signal.SIGTERM)
    assert instances.wait("one", 3.0) == 1
