"""SIGKILL between every two steps of consumer and relay: nothing lost, every effect once."""

import signal
from collections.abc import Iterable

from shared.codec.codec import Codec
from shared.events.base import Event
from shared.runtime.faults import Point
from shared.runtime.loop import ConsumerLoop
from shared.runtime.records import Headers, headers_from
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.conftest import DEAD_LETTERS, empty_tables
from tests.integration.runtime.echo import DECIDED, SPEC, policy, request
from tests.integration.runtime.instances import Instances, until

# Who dies in the same round shares the partitions. The relay leads alone.
ROUNDS = (
    (Point.POLLED, Point.BEGUN, Point.FENCED),
    (Point.HANDLED, Point.WRITTEN, Point.COMMITTED),
    (Point.LOOKED_UP, Point.CLAIMED, Point.COPIED),
    (Point.TAKEN_UP,),
    (Point.SELECTED,),
    (Point.PRODUCED,),
    (Point.PUBLISHED,),
    (Point.DELETED,),
)
TABLES = {
    "subject": "*",
    "policy": "*",
    "awaited": "*",
    "inbox": "message_id, fingerprint, topic, partition, position",
    "consumer_offset": "topic, partition, next_offset, topic_id",
    "held_key": "topic, lane, ready",
    "held_record": "topic, lane, row_number() OVER (PARTITION BY topic, lane ORDER BY id),"
    " state, partition, position, key, value, headers, message_id, fact_kind, fact_key, stage,"
    " code, message",
}

Output = dict[tuple[str, bytes | None], list[str]]


def test_every_point_has_its_round() -> None:
    """Given a new crash point, then this file has to let a process die there."""
    assert sorted(point for points in ROUNDS for point in points) == sorted(Point)


def test_a_kill_at_every_point_leaves_no_trace(echo: Echo, instances: Instances) -> None:
    """Given a process killed at each point, then tables and output are as of an undisturbed run."""
    for number, points in enumerate(ROUNDS, 1):
        instances.start_at(points, "kill", echo.owners)
        echo.publish(*work(number))
        for point in points:
            assert instances.wait(point) == -signal.SIGKILL, instances.log(point)
    instances.start("survivor")
    until(lambda: echo.is_drained() and not echo.count("outbox"), "everything done")
    assert instances.stop("survivor") == 0
    assert echo.subjects() == effects()
    tables, output = snapshot(echo), published(echo)
    wanted_tables, wanted_output = undisturbed(echo)
    assert tables == wanted_tables
    assert output == wanted_output


def work(number: int) -> list[Event]:
    """Records of every fate, for every partition of both topics."""
    return [
        *(request(f"s{subject}", number) for subject in range(12)),
        request("s0", number),
        request("s1", number, note="another"),
        request(f"refused{number}", 1, "reject"),
        request(f"refused{number}", 2),
        request(f"waits{number}", 1, f"wait:p{number}"),
        request(f"waits{number}", 2),
        request(f"waits-on{number}", 1, "wait:never"),
        request(f"mended{number}", 1, "reject"),
        request(f"mended{number}", 1),
        *(policy(f"q{number}-{other}") for other in range(6)),
        policy(f"p{number}"),
    ]


def effects() -> dict[str, str]:
    """What each subject must have seen after all rounds: every version once, in order."""
    rounds = range(1, len(ROUNDS) + 1)
    every = "".join(f"{number}," for number in rounds)
    return (
        {f"s{subject}": every for subject in range(12)}
        | {f"waits{number}": "1,2," for number in rounds}
        | {f"mended{number}": "1," for number in rounds}
    )


def snapshot(echo: Echo) -> dict[str, list[str]]:
    """Every table, less times and numbers that differ between two runs."""
    return {
        table: sorted(str(tuple(row)) for row in echo.query(f"SELECT {columns} FROM {table}"))  # noqa: S608 -- of a test
        for table, columns in TABLES.items()
    }


def published(echo: Echo) -> Output:
    """What readers see of each key: message ids in order, each the first time."""
    return _by_key(
        (topic, message.key(), message.headers())
        for topic in (DECIDED, *DEAD_LETTERS)
        for message in echo.published(topic)
    )


def undisturbed(echo: Echo) -> tuple[dict[str, list[str]], Output]:
    """Tables and outbox of one process that reads the same records in peace."""
    empty_tables(echo.settings)
    loop = ConsumerLoop(SPEC, echo.settings, echo.clock, echo.engine, Codec())
    while not echo.is_drained():
        loop.step()
    loop.assignment.close()
    rows = echo.query("SELECT topic, key, headers FROM outbox ORDER BY id")
    return snapshot(echo), _by_key((r.topic, r.key, headers_from(r.headers)) for r in rows)


def _by_key(records: Iterable[tuple[str, bytes | None, Headers]]) -> Output:
    found: Output = {}
    for topic, key, headers in records:
        known = dict(headers)
        message_id = str(known.get("dlq.id") or known["ce_id"])
        ids = found.setdefault((topic, key), [])
        if message_id not in ids:
            ids.append(message_id)
    return found
