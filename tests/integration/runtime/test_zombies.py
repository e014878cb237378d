"""SIGSTOP past the session's end at every step: the new owner proceeds, the zombie is refused."""

import signal
from collections.abc import Iterator

import pytest

from shared.events.base import Event
from shared.runtime.faults import Point
from shared.runtime.relay import Relay
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.echo import DECIDED, SPEC, policy, request
from tests.integration.runtime.instances import Instances, until

# Who is stopped in the same round shares the partitions.
ROUNDS = (
    (Point.POLLED, Point.BEGUN, Point.FENCED),
    (Point.HANDLED, Point.WRITTEN, Point.COMMITTED),
    (Point.LOOKED_UP, Point.CLAIMED, Point.COPIED),
    (Point.TAKEN_UP,),
)
IN_TRANSACTION = (Point.POLLED, Point.BEGUN, Point.FENCED, Point.HANDLED, Point.WRITTEN)
"""Whoever goes on here tries to write what is not its own any more."""
SUBJECTS = [f"s{number}" for number in range(12)]


@pytest.fixture
def relay(echo: Echo) -> Iterator[Relay]:
    """The relay that leads: it lives in this process, which nobody stops."""
    relay = Relay(echo.settings, SPEC.name)
    relay.start()
    until(lambda: relay.is_leader, "the lead")
    yield relay
    relay.stop()
    relay.join(10)


@pytest.mark.parametrize("points", ROUNDS, ids="+".join)
def test_a_zombie_is_refused_by_the_fence_alone(
    echo: Echo, instances: Instances, relay: Relay, points: tuple[Point, ...]
) -> None:
    """Given stopped processes, a new owner and an empty inbox, then going on doubles no effect."""
    instances.start_at(points, "stop", echo.owners)
    echo.publish(*work(1))
    until(lambda: all(map(instances.is_stopped, points)), "all to be stopped")
    instances.ready("owner")
    echo.publish(*work(2))
    until(lambda: echo.is_drained() and echo.committed() == echo.ends(), "the owner to proceed")
    echo.query("TRUNCATE inbox")
    for point in points:
        instances.send(point, signal.SIGCONT)
    until(lambda: all(lost(instances, point) for point in points), "all to learn of it")
    for point in points:
        instances.wait_ready(point)
        assert refused(instances, point) or point not in IN_TRANSACTION
    assert echo.committed() == echo.ends(), "an offset ran back"
    echo.publish(*work(3))
    until(lambda: echo.is_drained() and not echo.count("outbox"), "everything done")
    assert echo.subjects() == dict.fromkeys((*SUBJECTS, "mended"), "1,2,3,")
    assert echo.held() == [("replayed", "echo-refused")] * 3
    assert len(echo.published(DECIDED)) == 3 * (len(SUBJECTS) + 1)


def work(version: int) -> list[Event]:
    """Records for every partition of both topics, one of them to be taken up again."""
    return [
        *(request(subject, version) for subject in SUBJECTS),
        request("mended", version, "reject"),
        request("mended", version),
        *(policy(f"p{version}-{other}") for other in range(6)),
    ]


def lost(instances: Instances, name: str) -> float:
    """How often Kafka has told it that its partitions were lost."""
    return instances.metric(name, "consumer_rebalances_total", type="lost")


def refused(instances: Instances, name: str) -> float:
    """How many of its transactions were: by the fence, or with the connection that was cut."""
    return (
        instances.metric(name, "consumer_fenced_total")
        + instances.metric(name, "consumer_retries_total", reason="transaction-limit")
        + instances.metric(name, "consumer_in_doubt_commits_total", outcome="rolled-back")
    )
