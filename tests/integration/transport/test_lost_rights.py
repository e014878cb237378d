"""A service that loses a right while it works: unready, said why, nothing lost, dead or skipped."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from confluent_kafka.admin import AdminClient
from structlog.testing import capture_logs

from shared import kafka, rights
from shared.rights import Right
from shared.settings import Settings
from shared.topology import SERVICE
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.echo import DECIDED, REQUESTED, SPEC, request
from tests.integration.transport.withdraw import withdraw

APPROVER = SERVICE[SPEC.name]
READ = Right(APPROVER.role, "read", "topic", REQUESTED)
WRITE = Right(APPROVER.role, "write", "topic", DECIDED)
JOIN = Right(APPROVER.role, "read", "group", SPEC.name)
COMMIT = Right(APPROVER.role, "write", "transactional id", kafka.relay_id(SPEC.name))


@pytest.fixture
def echo(locked: Settings) -> Iterator[Echo]:
    """One instance with all its rights, at work."""
    made = Echo(locked)
    yield made
    made.close()


@pytest.fixture
def withheld(superuser: AdminClient) -> Iterator[Callable[[Right], None]]:
    """`withheld(right)`: taken away from the service until given back, at the latest at the end."""
    with ExitStack() as stack:

        def withhold(right: Right) -> None:
            withdraw(superuser, right)
            stack.callback(rights.grant, superuser, [right])

        yield withhold


def is_authorized(echo: Echo) -> bool:
    """What readiness says, as if nobody had asked for a while."""
    echo.loop.assignment._asked_at = 0.0
    echo.loop.assignment.broker_answers()
    assert echo._relay
    return echo.loop.assignment.is_authorized and not echo._relay.is_refused


def nothing_but_decided(echo: Echo, subject: str, versions: str) -> None:
    """Every request had its effect once, in order, and nothing became a dead letter."""
    echo.until(lambda: echo.subjects().get(subject) == versions)
    echo.until(lambda: not echo.count("outbox"))
    assert echo.held() == []


def test_a_topic_that_may_no_longer_be_read(
    echo: Echo, superuser: AdminClient, withheld: Callable[[Right], None]
) -> None:
    echo.joined().publish(request("read", 1))
    echo.until(lambda: echo.subjects().get("read") == "1,")
    assert is_authorized(echo)
    with capture_logs() as logs:
        withheld(READ)
        echo.until(lambda: not is_authorized(echo))
        echo.publish(request("read", 2))
        echo.until(lambda: [one for one in logs if "missing" in one])
    (said,) = (one for one in logs if "missing" in one)
    assert said["event"] == "not authorized"
    assert said["missing"] == [f"{APPROVER.role} may read topic {REQUESTED}"]
    assert "colophon topics apply" in said["advice"]
    rights.grant(superuser, [READ])
    echo.until(lambda: is_authorized(echo))
    nothing_but_decided(echo, "read", "1,2,")


def test_a_group_that_may_no_longer_be_joined(
    echo: Echo, superuser: AdminClient, withheld: Callable[[Right], None]
) -> None:
    """If it failed: Kafka's client would have died within a process that looks well."""
    echo.joined().publish(request("group", 1))
    echo.until(lambda: echo.subjects().get("group") == "1,")
    with capture_logs() as logs:
        withheld(JOIN)
        echo.until(lambda: not echo.loop.assignment.is_claimed)
        echo.publish(request("group", 2))
        echo.until(lambda: [one for one in logs if one["event"] == "not authorized"])
    assert "Group authorization failed" in str([one.get("error") for one in logs])
    rights.grant(superuser, [JOIN])
    nothing_but_decided(echo.joined(), "group", "1,2,")


@pytest.mark.parametrize("right", [WRITE, COMMIT])
def test_what_may_no_longer_be_published(
    echo: Echo, superuser: AdminClient, withheld: Callable[[Right], None], right: Right
) -> None:
    """If it failed: what was decided would be lost, or the service would look well and be mute."""
    name, asked = right.kind, request(right.kind, 1)
    echo.joined()
    echo.until(lambda: echo.is_drained() and not echo.count("outbox"))  # what others left there
    withheld(right)
    echo.stop_relay()
    echo.start_relay()
    echo.publish(asked)
    echo.until(lambda: not is_authorized(echo))
    echo.until(lambda: echo.subjects().get(name) == "1,")
    assert [row.key for row in echo.query("SELECT key FROM outbox")] == [echo.value(asked)[0]]
    rights.grant(superuser, [right])
    echo.until(lambda: is_authorized(echo))
    nothing_but_decided(echo, name, "1,")
