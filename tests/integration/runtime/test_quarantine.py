"""Records too large for the broker: set apart with their key, said, tried again; others go on."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from shared import outbox
from shared.outbox import Outgoing
from shared.runtime import gauges, relay
from shared.runtime.relay import Relay
from shared.settings import Settings
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.echo import DECIDED, SPEC
from tests.integration.runtime.instances import until

LIMIT_BYTES = 1_114_112
TOO_LARGE = LIMIT_BYTES + 1
Published = dict[bytes, list[int]]


@pytest.fixture
def topic_limit(echo_settings: Settings) -> Iterator[Callable[[int], None]]:
    """`topic_limit(bytes)`: what an operator does about it; as before at the end."""
    admin = AdminClient({"bootstrap.servers": echo_settings.kafka_bootstrap_servers})

    def change(size: int) -> None:
        entry = ConfigEntry(
            "max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET
        )
        topic = ConfigResource(ResourceType.TOPIC, DECIDED, incremental_configs=[entry])
        for done in admin.incremental_alter_configs([topic]).values():
            done.result()

    yield change
    change(LIMIT_BYTES)


def record(key: str, size: int) -> Outgoing:
    """A record that does not compress."""
    return Outgoing(DECIDED, key.encode(), _noise(size), "[]")


def _noise(size: int) -> bytes:
    with open("/dev/urandom", "rb") as source:  # noqa: PTH123 -- a device
        return source.read(size)


def write(echo: Echo, *records: Outgoing) -> None:
    with echo.engine.begin() as connection:
        outbox.write(connection, records)


def published(echo: Echo) -> Published:
    """The sizes published under each key."""
    found: Published = {}
    for message in echo.published(DECIDED):
        found.setdefault(message.key(), []).append(len(message.value()))
    return found


def set_apart(echo: Echo) -> int:
    """How many records are set apart, as the gauge says it."""
    with echo.engine.begin() as connection:
        gauges.show(connection, SPEC.name)
    return int(metric("outbox_quarantined_rows"))


@pytest.mark.parametrize("size", [TOO_LARGE, 17 * 1024 * 1024])
def test_a_record_too_large_is_set_apart_with_its_key_alone(
    echo: Echo, start_relay: Callable[[], Relay], size: int
) -> None:
    """Given one that the broker (or our own client) refuses, then others go on, its key waits."""
    records = [record(f"k{number:02}", 10 + number) for number in range(20)]
    write(echo, *records[:10], record("big", 5), record("big", size), record("big", 6), *records)
    start_relay()
    until(lambda: echo.count("outbox") == 2, "all but the large record and what follows it")
    write(echo, record("big", 7), record("k00", 99))
    until(lambda: echo.count("outbox") == 3, "the others go on")
    assert set_apart(echo) == 1
    assert metric("outbox_depth") == 3
    others = {b"k%02d" % n: [10 + n] * (2 if n < 10 else 1) for n in range(1, 20)}
    expected = {b"big": [5], b"k00": [10, 10, 99], **others}
    until(lambda: published(echo) == expected, "all others, in order")
    (row,) = echo.query("SELECT quarantined FROM outbox WHERE quarantined IS NOT NULL")
    assert "large" in row.quarantined.lower()


def test_once_the_topic_takes_it_the_record_and_its_key_go_on_by_themselves(
    echo: Echo,
    start_relay: Callable[[], Relay],
    topic_limit: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a record set apart, when the topic's limit is raised, then the key goes on in order."""
    monkeypatch.setattr(relay, "_TRY_AGAIN_S", 0.1)
    write(echo, record("big", TOO_LARGE), record("big", 6), record("huge", 4 * TOO_LARGE))
    start_relay()
    until(lambda: set_apart(echo) == 2, "both set apart")
    topic_limit(2 * LIMIT_BYTES)
    until(lambda: echo.count("outbox") == 1, "the smaller one published")
    until(lambda: published(echo) == {b"big": [TOO_LARGE, 6]}, "the key in its order")
    assert set_apart(echo) == 1


def test_a_new_leader_tries_again_at_once(
    echo: Echo, start_relay: Callable[[], Relay], topic_limit: Callable[[int], None]
) -> None:
    """Given a record set apart and a limit raised, when the service restarts, then it goes on."""
    write(echo, record("big", TOO_LARGE), record("big", 6))
    first = start_relay()
    until(lambda: set_apart(echo) == 1, "set apart")
    first.stop()
    first.join(30)
    topic_limit(2 * LIMIT_BYTES)
    start_relay()
    until(lambda: echo.count("outbox") == 0, "all published")
    until(lambda: published(echo) == {b"big": [TOO_LARGE, 6]}, "the key in its order")
    assert set_apart(echo) == 0


def test_a_portion_is_bounded_in_bytes(
    echo: Echo, start_relay: Callable[[], Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given many large records, then no portion holds more than its limit and one record."""
    portions: list[list[int]] = []
    send = relay._send

    def watched(producer: Producer, rows: Any) -> None:  # noqa: ANN401 -- as `_send`
        portions.append([len(row[3] or b"") for row in rows])
        send(producer, rows)

    monkeypatch.setattr(relay, "_send", watched)
    monkeypatch.setattr(relay, "BYTES_MAX", 1_000_000)
    sizes = [400_000, 400_000, 10, 400_000, 900_000, 900_000, 900_000, *([1000] * 50)]
    erased = Outgoing(DECIDED, b"a", None, "[]")
    write(echo, *(record("a", size) for size in sizes[:4]), erased)
    write(echo, *(record("a", size) for size in sizes[4:]))
    start_relay()
    until(lambda: echo.count("outbox") == 0, "all published")
    assert [len(portion) for portion in portions] == [4, 3, 51]
    expected = [*sizes[:4], None, *sizes[4:]]
    until(
        lambda: [m.value() and len(m.value()) for m in echo.published(DECIDED)] == expected,
        "all in order",
    )
