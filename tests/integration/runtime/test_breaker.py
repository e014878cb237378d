"""The breaker: where most records fail, stop and say so; drop nothing, flood nobody."""

from collections.abc import Iterable

import pytest

from shared.events.base import Event
from shared.runtime.breaker import State
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import DECIDED, REQUESTED, request
from tests.integration.runtime.instances import Instances, until

REST_S = 0.2
FINE = 30
FATES: dict[str, tuple[list[Event], list[Event]]] = {
    "duplicate": (
        [request(f"same{n}", 1) for n in range(FINE)],
        [request(f"same{n}", 1) for n in range(FINE)],
    ),
    "waiting": ([], [request(f"early{n}", 1, "wait:p1") for n in range(FINE)]),
}
"""What is sent before, and what then meets this fate behind the bad records."""


def send(echo: Echo, partition: int, events: Iterable[Event]) -> None:
    echo.raws([(REQUESTED, *echo.value(event)) for event in events], partition)


def resting(echo: Echo, seconds: float) -> Echo:
    """`echo` with a breaker that rests so long."""
    echo.loop.breaker.first_s = echo.loop.breaker.longest_s = seconds
    return echo


def settled(echo: Echo) -> int:
    """How many records of partition 0 have met their fate."""
    return echo.count("held_record") + sum(key.startswith("s") for key in echo.subjects())


def test_too_many_of_a_batch_stop_their_partition_alone(make_echo: MakeEcho) -> None:
    """Given a batch of which most fail, then none of its partition is written; others flow."""
    echo = resting(make_echo().joined(), 3600)
    mixed = [request(f"s{n:03}", 1, *(["reject"] if n % 3 else [])) for n in range(90)]
    send(echo, 0, mixed)
    send(echo, 1, (request(f"other{n}", 1) for n in range(90)))
    echo.gather(180)
    echo.until(lambda: len(echo.subjects()) == 90)
    assert echo.loop.breaker.state is State.OPEN
    assert metric("dlq_breaker_state") == State.OPEN
    assert metric("consumer_paused_partitions", reason="breaker") == 1
    send(echo, 1, (request(f"other{n}", 2) for n in range(90)))
    echo.until(lambda: set(echo.subjects().values()) == {"1,2,"})
    assert settled(echo) == 0


def test_too_many_in_a_row_stop_their_partition_however_small_the_batches(
    make_echo: MakeEcho,
) -> None:
    """Given batches of five that all fail, then the dead letters stay below the limit in a row."""
    echo = resting(make_echo(batch_size=5, breaker_records_min=12).joined(), 3600)
    send(echo, 0, (request(f"s{n}", 1, "reject") for n in range(60)))
    echo.until(lambda: echo.loop.breaker.state is State.OPEN)
    before = settled(echo)
    assert 0 < before < 12
    for _ in range(5):
        echo.hurry()
        echo.loop.step()
    assert settled(echo) == before


def test_an_open_breaker_lets_one_record_through_at_a_time_and_loses_none(
    make_echo: MakeEcho,
) -> None:
    """Given a breaker that opens again and again, then each rest costs one record, all are kept."""
    echo = resting(make_echo(breaker_records_min=10).joined(), REST_S)
    send(echo, 0, (request(f"s{n:03}", 1, *(["reject"] if n < 24 else [])) for n in range(30)))
    echo.gather(30)
    before, rests = 0, 0
    while echo.count("held_record") < 15:
        was_open = echo.loop.breaker.state is State.OPEN
        echo.loop.step()
        now = settled(echo)
        assert now <= before + 1
        assert now == before or not was_open
        rests += now > before
        before = now
    assert rests == 15
    echo.until(lambda: len(echo.subjects()) == 6)
    assert echo.held() == [("dead", "echo-refused")] * 24
    assert echo.loop.breaker.state is State.CLOSED
    assert metric("dlq_breaker_state") == State.CLOSED
    assert metric("consumer_paused_partitions", reason="breaker") == 0
    echo.until(lambda: len(echo.published(DECIDED)) == 6)
    send(echo, 0, (request(f"s{n:03}", 2) for n in range(24, 30)))
    echo.until(lambda: set(echo.subjects().values()) == {"1,2,"})


def test_a_breaker_closes_when_nothing_comes_after_its_bad_records(make_echo: MakeEcho) -> None:
    """Given bad records that end their partition, then it tries them all and closes once quiet.

    A bad record that comes later is one for itself.
    """
    echo = resting(make_echo(breaker_records_min=2).joined(), REST_S)
    send(echo, 0, (request(f"s{n}", 1, "reject") for n in range(3)))
    echo.gather(3)
    echo.until(lambda: len(echo.held()) == 3)
    assert metric("dlq_breaker_state") == State.OPEN
    echo.loop.breaker.quiet_s = 0.5
    echo.until(lambda: echo.loop.breaker.state is State.CLOSED)
    assert metric("dlq_breaker_state") == State.CLOSED
    assert metric("consumer_paused_partitions", reason="breaker") == 0
    send(echo, 0, [request("s3", 1, "reject")])
    echo.until(lambda: len(echo.held()) == 4)
    assert echo.loop.breaker.state is State.CLOSED


@pytest.mark.parametrize("fate", FATES)
def test_a_record_of_any_fate_but_dead_closes_the_breaker(make_echo: MakeEcho, fate: str) -> None:
    """Given records behind the bad ones that do not fail, then they go on in whole batches."""
    echo = resting(make_echo(breaker_records_min=2).joined(), REST_S)
    before, after = FATES[fate]
    send(echo, 0, before)
    echo.until(lambda: echo.reached() == echo.ends())
    bad = [request(f"s{n}", 1, "reject") for n in range(3)]
    batches, fine = metric("consumer_batch_size_count"), met(fate)
    send(echo, 0, [*bad, *after])
    echo.gather(len(bad) + FINE)
    echo.until(lambda: met(fate) == fine + FINE)
    assert echo.loop.breaker.state is State.CLOSED
    assert metric("consumer_batch_size_count") - batches < len(bad) + FINE / 2
    assert echo.held().count(("dead", "echo-refused")) == len(bad)


def test_a_parked_record_says_nothing_of_the_next(make_echo: MakeEcho) -> None:
    """Given records that queue behind a bad one, then a half-open breaker stays as it is."""
    echo = resting(make_echo(breaker_records_min=2).joined(), REST_S)
    bad, before = [request(f"s{n}", 1, "reject") for n in range(3)], met("parked")
    send(echo, 0, [*bad, *(request("s0", version) for version in (2, 3))])
    echo.until(lambda: met("parked") == before + 2)
    assert echo.loop.breaker.state is State.HALF_OPEN
    send(echo, 0, [request("fine", 1)])
    echo.until(lambda: echo.loop.breaker.state is State.CLOSED)


def met(fate: str) -> float:
    """How many records have met `fate`."""
    return metric("consumer_records_total", topic=REQUESTED, result=fate)


def test_an_open_breaker_makes_the_service_unready_and_says_so(
    echo: Echo, instances: Instances
) -> None:
    """Given a service whose breaker opens, then it is alive, not ready, and names the reason."""
    instances.ready("one", breaker_records_min=5)
    send(echo, 0, (request(f"s{n}", 1, "reject") for n in range(40)))
    until(lambda: instances.checks("one")["breaker"] is False, "the breaker in /readyz")
    assert instances.get("one", "/readyz")[0] == 503
    assert instances.get("one", "/livez")[0] == 200
    assert {name for name, is_well in instances.checks("one").items() if not is_well} == {"breaker"}
    assert instances.metric("one", "dlq_breaker_state") >= State.HALF_OPEN
    assert "breaker open" in instances.log("one")
    until(lambda: instances.metric("one", "consumer_paused_partitions", reason="breaker") == 1, "1")
    assert echo.count("held_record") < 10
    assert instances.stop("one") == 0
