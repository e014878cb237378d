"""Facts and those who wait for them, at the same moment; keys that queue, while others flow."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier

import pytest
from sqlalchemy import Connection, Engine, text

from shared import db, held
from shared.codec.codec import Codec
from shared.dead_letters import Filter, decide
from shared.events.base import Event
from shared.identity import topic_of
from shared.retry import transient_reason
from shared.runtime.attempts import Attempts
from shared.runtime.batch import Batch
from shared.runtime.records import Record, arrive
from shared.runtime.service import Fact
from shared.runtime.takeup import TakeUp
from shared.topology import SERVICE
from tests.integration.runtime.bench import Echo, hurried, metric
from tests.integration.runtime.echo import REQUESTED, SPEC, policy, request
from tests.integration.runtime.instances import Instances, until
from tests.integration.runtime.lengths import PAIRS


class Side:
    """An instance that applies batches in transactions of its own, now sooner, now later."""

    def __init__(self, echo: Echo, seed: int) -> None:
        self._echo, self._dice, self._offset = echo, Random(seed), 10**6 * (seed + 1)
        self._codec = Codec()
        self.engine: Engine = db.engine(echo.settings, SERVICE[SPEC.name].role, pool_size=1)

    def apply(self, events: Sequence[Event], barrier: Barrier) -> None:
        """One batch, begun when the other side begins; again while the two are in conflict."""
        records = []
        for each in events:
            self._offset += 1
            key, value = self._echo.value(each)
            records.append(Record(topic_of(each), 0, self._offset, 0, key, value))
        barrier.wait(60)
        is_done = False
        while not is_done:
            try:
                is_done = self._attempt(records)
            except Exception as error:
                if transient_reason(error) is None:
                    raise

    def _attempt(self, records: Sequence[Record]) -> bool:
        with self.engine.begin() as connection:
            self._dawdle(connection)
            batch = Batch(SPEC, self._echo.settings, self._codec, self._echo.clock, connection)
            batch.live(arrive(self._codec, records))
            self._dawdle(connection)
        return True

    def _dawdle(self, connection: Connection) -> None:
        if self._dice.random() < 0.5:
            connection.execute(text("SELECT pg_sleep(:s)"), {"s": self._dice.uniform(0, 0.004)})


def take_up(echo: Echo) -> None:
    """Take up whatever is ready, and nothing else: no sweep looks for what was missed."""
    portion = TakeUp(SPEC, echo.settings, Codec(), echo.clock, Attempts())
    more = True
    while more:
        with echo.engine.begin() as connection:
            outcome, more = portion.run(connection)
            more = more or bool(outcome.applied)


def test_a_fact_and_its_waiter_at_the_same_moment_never_miss_each_other(echo: Echo) -> None:
    """Given pairs of a waiter and its fact in two open transactions, then none waits for ever.

    Each waiter has a second record behind it, which stays behind it.
    """
    dice = Random(5)
    waiting, arriving = Side(echo, 1), Side(echo, 2)
    barrier, number = Barrier(2), 0
    with ThreadPoolExecutor(2) as pool:
        while number < PAIRS:
            pairs = range(number, min(PAIRS, number + dice.randint(1, 9)))
            number = pairs.stop
            first = [request(f"s{n}", 1, f"wait:p{n}") for n in pairs]
            second = [request(f"s{n}", 2) for n in pairs]
            facts = [policy(f"p{n}") for n in dice.sample(pairs, len(pairs))]
            sides = ((waiting, [*first, *second]), (arriving, facts))
            for done in [pool.submit(side.apply, events, barrier) for side, events in sides]:
                done.result()
    direct = len(echo.subjects())
    assert 0 < direct < PAIRS  # some came after their fact, some before
    assert echo.query("SELECT count(*) FROM held_key WHERE NOT ready") == [(0,)]
    with echo.engine.begin() as connection:
        assert held.wake_overdue(connection, echo.clock.now()) == 0  # nothing was missed
    take_up(echo)
    assert echo.subjects() == {f"s{n}": "1,2," for n in range(PAIRS)}
    assert echo.held() == []
    assert echo.count("held_key") == 0
    for side in (waiting, arriving):
        side.engine.dispose()


def test_a_fact_may_be_longer_than_an_index_takes(echo: Echo) -> None:
    """Given the waiter and the arrival of a fact of 8,000 random digits, then they meet."""
    fact = Fact("estimate", Random(1).randbytes(4000).hex())
    with echo.engine.begin() as connection:
        assert held.meet(connection, [fact], []) == set()
        assert held.meet(connection, [], [fact]) == {fact}


def test_two_processes_meet_waiters_and_facts_in_any_order(
    echo: Echo, instances: Instances
) -> None:
    """Given waiters, facts and others shuffled, through Kafka, then all are applied, in order."""
    pairs = range(PAIRS)
    instances.ready("one", "two")
    others = [request(f"free{n}", version) for version in (1, 2) for n in range(50)]
    waiters = [request(f"s{n}", 1, f"wait:p{n}") for n in pairs]
    events: list[Event] = [*waiters, *(policy(f"p{n}") for n in pairs), *others[:50]]
    Random(6).shuffle(events)
    echo.publish(*events, *(request(f"s{n}", 2) for n in pairs), *others[50:])
    expected = {f"s{n}": "1,2," for n in pairs} | {f"free{n}": "1,2," for n in range(50)}
    until(lambda: echo.subjects() == expected, "all applied, in order")
    until(lambda: echo.count("held_key") == 0, "no key held")
    assert echo.held() == []
    for name in ("one", "two"):
        assert instances.metric(name, "consumer_records_total", result="applied") > 0
    assert all(instances.stop(name) == 0 for name in ("one", "two"))


def test_more_waiters_than_are_woken_at_once_all_have_their_turn(
    echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a fact for many keys, and bytes for one record a portion, then all are taken up."""
    monkeypatch.setattr(held, "WAKE_MAX", 3)
    monkeypatch.setattr(held, "QUEUE_BYTES_MAX", 1)
    echo.joined()
    echo.publish(*(request(f"s{n}", 1, "wait:p1") for n in range(20)))
    echo.until(lambda: len(echo.held()) == 20)
    echo.publish(policy("p1"))
    echo.until(hurried(echo, lambda: len(echo.subjects()) == 20))
    assert echo.held() == []


def test_what_is_held_of_a_topic_off_the_map_is_left_alone(echo: Echo) -> None:
    """Given a waiting record of a topic that is no more, then it ends nothing and stays."""
    echo.joined()
    echo.publish(request("s1", 1, "wait:p1"))
    echo.until(lambda: len(echo.held()) == 1)
    echo.query("UPDATE held_record SET topic = 'gone', deadline_at = now() - interval '1 hour'")
    echo.query("UPDATE held_key SET topic = 'gone', ready = true")
    echo.publish(request("s2", 1))
    echo.until(hurried(echo, lambda: echo.subjects() == {"s2": "1,"}))
    assert len(echo.held()) == 1


def test_keys_that_wait_do_not_delay_others(echo: Echo) -> None:
    """Given many waiting keys, then others flow; when the facts come, each key goes on in order."""
    echo.joined()
    echo.publish(*(request(f"s{n}", 1, f"wait:p{n}") for n in range(300)))
    echo.publish(*(request(f"s{n}", 2) for n in range(300)))
    echo.until(lambda: len(echo.held()) == 600)
    echo.publish(request("free", 1))
    echo.until(lambda: echo.subjects() == {"free": "1,"})
    assert metric("consumer_paused_partitions", reason="parked") == 0
    echo.publish(*(policy(f"p{n}") for n in range(300)))
    expected = {f"s{n}": "1,2," for n in range(300)} | {"free": "1,"}
    echo.until(lambda: echo.subjects() == expected)
    assert echo.held() == []


def test_a_long_queue_is_released_in_order_while_others_flow(echo: Echo) -> None:
    """Given hundreds behind a dead letter, when it is discarded, then nothing overtakes them.

    Live records of its key queue behind them; those of other keys are applied at once.
    """
    echo.joined()
    echo.publish(request("s1", 1, "reject"), *(request("s1", n) for n in range(2, 302)))
    echo.until(lambda: len(echo.held()) == 301)
    assert decide(echo.settings, echo.letters(Filter()), "discard", "tester", "not wanted") == 1
    overtaken = 0
    for number in range(302, 308):
        echo.publish(request("s1", number), request(f"free{number}", 1))
        echo.gather(2)
        echo.loop.step()
        subjects = echo.subjects()
        assert subjects[f"free{number}"] == "1,"
        overtaken += not subjects.get("s1", "").endswith(f",{number},")
    assert overtaken >= 3  # others were applied while the queue was long
    everything = "".join(f"{number}," for number in range(2, 308))
    echo.until(lambda: echo.subjects().get("s1") == everything)
    assert echo.held() == [("discarded", "echo-refused")]
    assert echo.count("held_key") == 0
    assert metric("consumer_records_total", topic=REQUESTED, result="parked") > 300
