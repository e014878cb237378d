"""Database or broker away: no record is at fault, no process dies, and all goes on after it."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from shared import outbox
from shared.clock import monotonic
from shared.codec.codec import Codec
from shared.errors import Transient
from shared.events.base import Event
from shared.events.billing import ReviewDecided
from shared.runtime.service import Tick
from shared.topology import BY_NAME
from tests.integration.runtime import bench
from tests.integration.runtime.bench import LIMIT_S, Echo, metric
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import AT, DECIDED, REQUESTED, SPEC, EchoStore, request
from tests.integration.runtime.instances import Instances, until
from tests.integration.runtime.lengths import AWAY_S
from tests.integration.runtime.proxy import Lines, Proxy

SUBJECTS = [f"s{number}" for number in range(12)]
BY_OTHERS = range(101, 121)
HANGS_MAX_S = 50.0  # a loop that hangs for a minute is dead, and says so


@pytest.mark.parametrize("how", [Proxy.cut, Proxy.swallow])
@pytest.mark.parametrize("server", ["broker", "database"])
def test_an_outage_costs_time_and_nothing_else(
    echo: Echo, instances: Instances, lines: Lines, server: str, how: Callable[[Proxy], None]
) -> None:
    """Given work while a server is away, then we are unready, and later all is done in order."""
    survive(echo, instances, lines, server, how, AWAY_S[server])


def test_a_batch_that_is_tried_again_holds_up_no_chore(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one batch that the world is not ready for, then lag is shown and ticks go on."""
    prefetch, attempts = EchoStore.prefetch, Counter[str]()
    ticks: list[datetime] = []

    def unready(store: EchoStore, events: Sequence[Event]) -> None:
        prefetch(store, events)
        assert echo.loop.database_ok != bool(attempts["made"]), "chores have healed the batch"
        attempts["made"] += 1
        if len(ticks) < 2 or not metric("consumer_lag_records", topic=REQUESTED, partition="0"):
            assert attempts["made"] < 10, "nothing else was done meanwhile"
            echo.hurry()
            raise Transient("database-connection", "not yet")

    def tick(store: EchoStore, now: datetime) -> list[Event]:
        del store
        ticks.append(now)
        return []

    monkeypatch.setattr(bench, "SPEC", replace(SPEC, ticks=(Tick("look", tick),)))
    echo = make_echo().joined()
    ticks.clear()
    monkeypatch.setattr(EchoStore, "prefetch", unready)
    echo.raws([(REQUESTED, *echo.value(request("s1", 1)))], partition=0)
    echo.until(lambda: echo.subjects() == {"s1": "1,"})


def test_a_database_that_vanishes_is_given_up_by_the_system(echo: Echo) -> None:
    """Given a server whose machine is gone, then its silence ends our wait, long before hours."""
    with echo.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        told = {name: int(n) for name, n in driver.info.get_parameters().items() if n.isdigit()}
    silence_s = told["keepalives_idle"] + told["keepalives_interval"] * told["keepalives_count"]
    assert silence_s <= 20
    assert told["tcp_user_timeout"] <= 20_000


def survive(
    echo: Echo,
    instances: Instances,
    lines: Lines,
    server: str,
    how: Callable[[Proxy], None],
    seconds: float,
) -> None:
    """One process lives through an outage of `server` that lasts `seconds`."""
    instances.ready("one", **lines.changes)
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    until(echo.is_drained, "the first records")
    how(getattr(lines, server))
    started = monotonic()
    for version in BY_OTHERS:
        decide(echo, SUBJECTS[0], version)
    echo.publish(*(request(subject, 2) for subject in SUBJECTS))
    until(lambda: not instances.checks("one").get(culprit(server, how), True), "it to be unready")
    lives_s = min(seconds, HANGS_MAX_S) if culprit(server, how) == "loop" else seconds
    until(lambda: is_past(instances, started + lives_s), "it to live", seconds + LIMIT_S)
    until(lambda: monotonic() > started + seconds, "the end of the outage", seconds + LIMIT_S)
    assert echo.subjects() == dict.fromkeys(SUBJECTS, "1,")
    getattr(lines, server).restore()
    until(lambda: echo.is_drained() and not echo.count("outbox"), "everything done")
    instances.wait_ready("one")
    assert echo.subjects() == dict.fromkeys(SUBJECTS, "1,2,")
    assert echo.held() == []
    assert len(logged(instances)) < seconds * 10
    decided = {subject: [1, 2] for subject in SUBJECTS} | {SUBJECTS[0]: [1, *BY_OTHERS, 2]}
    assert decisions(echo) == decided


def logged(instances: Instances) -> list[dict[str, str]]:
    """Its log lines, each an event with keys: the Kafka client's own would not be."""
    return [json.loads(line) for line in instances.log("one").splitlines()]


def is_past(instances: Instances, moment: float) -> bool:
    """Whether it is that late; the process lives all the while."""
    assert instances.get("one", "/livez")[0] == 200
    return monotonic() > moment


def culprit(server: str, how: Callable[[Proxy], None]) -> str:
    """The check that fails: what a database that hangs holds up is the loop itself."""
    return "loop" if (server, how) == ("database", Proxy.swallow) else server


def decide(echo: Echo, subject: str, version: int) -> None:
    """What a service with a clock or an HTTP side does: an event by a transaction of its own."""
    event = ReviewDecided(
        legal_entity_id="DE01",
        subject_kind="price",
        subject_id=subject,
        subject_version=version,
        decision_id=str(version),
        decided_at=AT,
        decided_by="another",
        approved=True,
    )
    with echo.engine.begin() as connection:
        outbox.write(connection, [outbox.outgoing(Codec(), event, SPEC.name, None)])


def decisions(echo: Echo) -> dict[str, list[int]]:
    """The versions decided of each subject in the order of their publication, each once."""
    found: dict[str, list[int]] = {}
    for message in echo.published(DECIDED):
        event = Codec().decode(BY_NAME[DECIDED], message.value())
        assert isinstance(event, ReviewDecided)
        versions = found.setdefault(event.subject_id, [])
        if event.subject_version not in versions:
            versions.append(event.subject_version)
    return found
