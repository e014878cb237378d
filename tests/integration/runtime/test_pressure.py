"""What is bounded: the outbox while nothing is published, the queue behind one dead letter."""

from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from shared.codec.codec import Codec
from shared.dead_letters import Filter, decide
from shared.errors import ConfigurationError, Transient
from shared.events.base import Event
from shared.events.billing import ReviewDecided
from shared.runtime import loop
from shared.runtime.service import Tick
from shared.runtime.takeup import LANES_MAX
from shared.topology import BY_NAME
from tests.integration.runtime import bench
from tests.integration.runtime.bench import Echo, hurried, metric
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import (
    DECIDED,
    REQUESTED,
    SPEC,
    EchoStore,
    on_requested,
    policy,
    request,
)

BATCH = 20
FULL = 100
VERSIONS = range(1, 11)
SUBJECTS = [f"s{number:02}" for number in range(40)]


@pytest.fixture
def echo(make_echo: MakeEcho) -> Echo:
    """The echo service, joined, with small limits; nothing is published until a relay starts."""
    made = make_echo(outbox_rows_max=FULL, batch_size=BATCH).joined()
    made.stop_relay()
    return made


def is_pressed() -> bool:
    return metric("consumer_paused_partitions", reason="outbox") > 0


def test_a_full_outbox_stops_consumption_and_drains_in_order(echo: Echo) -> None:
    """Given no relay, then consumption stops a batch past the limit; with one, all flows in order.

    Nothing becomes a dead letter meanwhile, and the outbox never holds more.
    """
    deepest = 0

    def depth() -> int:
        nonlocal deepest
        deepest = max(deepest, echo.count("outbox"))
        return deepest

    echo.publish(*(request(subject, version) for version in VERSIONS for subject in SUBJECTS))
    echo.until(hurried(echo, lambda: depth() and is_pressed()))
    assert FULL <= deepest < FULL + BATCH
    before = echo.subjects()
    for _ in range(10):
        echo.hurry()
        echo.loop.step()
    assert echo.subjects() == before
    assert echo.held() == []
    echo.start_relay()
    everything = "".join(f"{version}," for version in VERSIONS)
    echo.until(hurried(echo, lambda: depth() and set(echo.subjects().values()) == {everything}))
    assert deepest < FULL + BATCH
    assert not is_pressed()
    echo.until(lambda: echo.count("outbox") == 0)
    echo.until(lambda: told(echo) == {subject: list(VERSIONS) for subject in SUBJECTS})


def told(echo: Echo) -> dict[str, list[int]]:
    """The versions published under each subject, in their order."""
    found: dict[str, list[int]] = {}
    for message in echo.published(DECIDED):
        event = Codec().decode(BY_NAME[DECIDED], message.value())
        assert isinstance(event, ReviewDecided)
        found.setdefault(event.subject_id, []).append(event.subject_version)
    return found


def test_consumption_goes_on_once_half_is_drained(echo: Echo) -> None:
    """Given a full outbox, then one row above half holds consumption back, half does not."""
    echo.publish(*(request(subject, version) for version in VERSIONS for subject in SUBJECTS))
    echo.until(hurried(echo, is_pressed))
    for rows, pressed in ((FULL // 2 + 1, True), (FULL // 2, False)):
        echo.query(
            "DELETE FROM outbox WHERE id IN"
            " (SELECT id FROM outbox ORDER BY id LIMIT (SELECT count(*) - :rows FROM outbox))",
            rows=rows,
        )
        echo.hurry()
        echo.loop.step()
        assert is_pressed() == pressed
    echo.until(hurried(echo, is_pressed))
    assert FULL <= echo.count("outbox") < FULL + BATCH


def test_held_records_are_not_taken_up_while_the_outbox_is_full(echo: Echo) -> None:
    """Given no relay and a fact that many wait for, then they are taken up until it is full.

    With a relay the rest follows, though nothing new comes.
    """
    waiters = [request(f"s{number:03}", 1, "wait:p1") for number in range(2 * LANES_MAX + FULL)]
    echo.publish(*waiters)
    echo.until(lambda: echo.count("held_record") == len(waiters))
    echo.publish(policy("p1"))
    echo.until(hurried(echo, is_pressed))
    for _ in range(5):
        echo.hurry()
        echo.loop.step()
    published_later = echo.count("outbox")
    assert FULL <= published_later <= FULL + LANES_MAX
    assert echo.count("held_record") == len(waiters) - published_later
    echo.start_relay()
    echo.until(lambda: len(echo.subjects()) == len(waiters))
    assert echo.held() == []


def test_no_tick_adds_to_a_full_outbox(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a tick that always has more to tell, then it rests while nothing is published."""
    turns: list[datetime] = []

    def remind(store: EchoStore, now: datetime) -> list[Event]:
        turns.append(now)
        requested = request("s1", len(turns))
        store.prefetch([requested])
        return [*on_requested(requested, store, now)] * BATCH

    monkeypatch.setattr(bench, "SPEC", replace(SPEC, ticks=(Tick("remind", remind),)))
    echo = make_echo(outbox_rows_max=FULL).joined()
    echo.stop_relay()
    echo.until(hurried(echo, is_pressed))
    told = len(turns)
    for _ in range(5):
        echo.hurry()
        echo.loop.step()
    assert len(turns) == told
    assert echo.count("outbox") < FULL + BATCH
    echo.start_relay()
    echo.until(lambda: len(turns) > told + FULL // BATCH)


def test_what_was_set_apart_does_not_fill_the_outbox(echo: Echo) -> None:
    """Given more records than may be that are too large or queue behind one, then work goes on."""
    echo.query(
        "INSERT INTO outbox (topic, key, value, headers, quarantined)"
        " SELECT :t, 'large', 'x', '[]', CASE WHEN n < 9 THEN 'too large' END"
        " FROM generate_series(1, :n) n",
        t=DECIDED,
        n=2 * FULL,
    )
    echo.publish(request("s1", 1))
    echo.until(hurried(echo, lambda: echo.subjects() == {"s1": "1,"}))
    assert not is_pressed()
    echo.query("DELETE FROM outbox WHERE key = 'large'")


def test_a_tick_that_fails_starves_no_other(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a tick that the world is never ready for, then the next one has its turn."""
    turns: list[datetime] = []

    def unready(store: EchoStore, now: datetime) -> list[Event]:
        raise Transient("echo", f"not at {now} on {store}")

    def tick(store: EchoStore, now: datetime) -> list[Event]:
        del store
        turns.append(now)
        return []

    ticks = (Tick("unready", unready), Tick("tick", tick))
    monkeypatch.setattr(bench, "SPEC", replace(SPEC, ticks=ticks))
    echo = make_echo().joined()
    already = len(turns)
    for _ in range(6):
        echo.hurry()
        echo.loop.step()
    assert len(turns) >= already + 3


def test_a_tick_with_a_bug_ends_nothing(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a tick that breaks each time, then it is told, counted and tried again.

    Meanwhile the other tick has its turns, and records are consumed.
    """
    turns: Counter[str] = Counter()

    def broken(store: EchoStore, now: datetime) -> list[Event]:
        turns["broken"] += 1
        raise LookupError(f"nothing at {now} on {store}")

    def tick(store: EchoStore, now: datetime) -> list[Event]:
        del store, now
        turns["tick"] += 1
        return []

    ticks = (Tick("broken", broken), Tick("tick", tick))
    monkeypatch.setattr(bench, "SPEC", replace(SPEC, ticks=ticks))
    told = metric("consumer_retries_total", reason="bug")
    with capture_logs() as lines:
        echo = make_echo().joined()
        echo.publish(request("s1", 1))
        echo.until(hurried(echo, lambda: echo.subjects() == {"s1": "1,"}))
        echo.until(hurried(echo, lambda: min(turns["broken"], turns["tick"]) > 2))
    assert metric("consumer_retries_total", reason="bug") == told + turns["broken"]
    failures = [line for line in lines if line["event"] == "failed"]
    assert len(failures) == turns["broken"]
    assert {line["part"] for line in failures} == {"broken"}
    assert {type(line["exc_info"]) for line in failures} == {LookupError}


def test_a_tick_that_finds_a_wrong_setting_ends_the_process(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a setting that no retry mends, then whoever runs the process is told."""

    def refuse(store: EchoStore, now: datetime) -> list[Event]:
        raise ConfigurationError(f"no key at {now} for {store}")

    monkeypatch.setattr(bench, "SPEC", replace(SPEC, ticks=(Tick("refuse", refuse),)))
    with pytest.raises(ConfigurationError, match="no key"):
        make_echo().joined()


def test_a_key_with_too_many_parked_holds_its_partition_until_somebody_decides(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a dead letter with as many behind it as may be, then its partition alone waits.

    It says so, looks again now and then, and goes on in order when the dead letter is discarded.
    """
    monkeypatch.setattr(loop, "PARKED_LOOK_S", 0.2)
    echo = make_echo(parked_per_key_max=5).joined()

    def send(partition: int, *events: Event) -> None:
        echo.raws([(REQUESTED, *echo.value(event)) for event in events], partition)

    send(0, request("s1", 1, "reject"), *(request("s1", version) for version in range(2, 7)))
    echo.until(lambda: len(echo.held()) == 6)
    with capture_logs() as logs:
        send(0, request("s1", 7), request("s2", 1))
        send(1, *(request("s3", version) for version in range(1, 30)))
        everything = "".join(f"{version}," for version in range(1, 30))
        echo.until(lambda: echo.subjects() == {"s3": everything})
        echo.until(lambda: sum(log["event"] == "key full" for log in logs) >= 3)
    assert metric("consumer_paused_partitions", reason="parked") == 1
    assert echo.count("held_record") == 6
    assert echo.subjects() == {"s3": everything}
    (letter,) = echo.letters(Filter())
    assert letter.behind == 5
    assert decide(echo.settings, [letter], "discard", "tester", "not wanted") == 1
    echo.until(lambda: echo.subjects() == {"s1": "2,3,4,5,6,7,", "s2": "1,", "s3": everything})
    echo.until(lambda: metric("consumer_paused_partitions", reason="parked") == 0)
    assert echo.held() == [("discarded", "echo-refused")]
