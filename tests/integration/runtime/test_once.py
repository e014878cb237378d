"""One effect for one fact, wherever and however often it is delivered, and by whom."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.codec.codec import Codec
from shared.runtime.batch import Batch
from shared.runtime.records import Record, arrive
from shared.topology import BY_NAME
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import DECIDED, POLICIES, REQUESTED, SPEC, policy, request
from tests.integration.runtime.instances import until

SUBJECTS = [f"s{number}" for number in range(20)]


def duplicates(topic: str = REQUESTED) -> float:
    return metric("consumer_records_total", topic=topic, result="duplicate")


@pytest.mark.parametrize("apart", [False, True])
def test_the_same_fact_at_other_offsets_and_partitions_has_one_effect(
    echo: Echo, *, apart: bool
) -> None:
    """Given a fact three times in three partitions, in one batch or one by one, then once."""
    before = duplicates()
    echo.joined()
    for copies, partition in enumerate((0, 1, 2, 2)):
        echo.raws([(REQUESTED, *echo.value(request("s1", 1)))], partition)
        if apart:
            echo.until(lambda n=copies: echo.subjects() and duplicates() == before + n)  # type: ignore[misc]
    echo.until(lambda: duplicates() == before + 3)
    assert echo.subjects() == {"s1": "1,"}
    echo.until(lambda: echo.count("outbox") == 0)
    assert len(echo.published(DECIDED)) == 1
    assert echo.held() == []


def test_a_topic_read_again_from_its_beginning_has_no_second_effect(make_echo: MakeEcho) -> None:
    """Given offsets set back, then every record is a duplicate, whatever fate it had had."""
    echo = make_echo().joined()
    offsets = echo.query("SELECT topic, partition, next_offset FROM consumer_offset")
    echo.publish(*(request(subject, 1) for subject in SUBJECTS), policy("p1"))
    echo.publish(request("w", 1, "wait:p1"), request("r", 1, "reject"), request("r", 2))
    echo.until(lambda: len(echo.subjects()) == len(SUBJECTS) + 1 and len(echo.held()) == 2)
    echo.until(lambda: echo.count("outbox") == 0)
    echo.until(lambda: len(echo.published(DECIDED)) == len(SUBJECTS) + 1)
    subjects = echo.subjects()
    echo.close()
    for row in offsets:
        echo.query(
            "UPDATE consumer_offset SET next_offset = :o WHERE topic = :t AND partition = :p",
            t=row.topic,
            p=row.partition,
            o=row.next_offset,
        )
    before, policies = duplicates(), duplicates(POLICIES)
    again = make_echo()
    again.until(lambda: duplicates() >= before + len(SUBJECTS) + 1)
    again.until(lambda: duplicates(POLICIES) == policies + 1)
    again.until(again.is_drained)
    again.until(lambda: again.count("outbox") == 0)
    assert again.subjects() == subjects
    assert len(again.published(DECIDED)) == len(SUBJECTS) + 1


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("note", ["", "other content"])
def test_two_instances_with_one_fact_at_the_same_time_give_it_one_effect(
    echo: Echo, *, known: bool, note: str
) -> None:
    """Given another instance that applies the fact and has not committed, then we find it after.

    Where the aggregate is new, both insert it; where it is known, only the inbox tells them apart.
    The same content is a duplicate, other content a conflict.
    """
    echo.joined()
    if known:
        echo.publish(request("s1", 1))
        echo.until(lambda: echo.subjects() == {"s1": "1,"})
    before = duplicates()
    retries = metric("consumer_retries_total", reason="concurrent-write")
    expected = {"s1": "1,2," if known else "2,"}
    echo.raws([(REQUESTED, *echo.value(request("s1", 2, note=note)))], 0)
    echo.gather(1)
    key, value = echo.value(request("s1", 2))
    record = Record(BY_NAME[REQUESTED], 1, 10**9, 0, key, value)
    with echo.engine.connect() as other, ThreadPoolExecutor(1) as pool:
        batch = Batch(SPEC, echo.settings, Codec(), echo.clock, other)
        assert len(batch.live(arrive(Codec(), [record])).applied) == 1

        def commit_once_we_wait() -> None:
            until(lambda: echo.query("SELECT FROM pg_locks WHERE NOT granted"), "a lock awaited")
            other.commit()

        committed = pool.submit(commit_once_we_wait)
        echo.until(committed.done)
        committed.result()
    if note:
        echo.until(lambda: echo.held() == [("dead", "conflict")])
    else:
        echo.until(lambda: duplicates() == before + 1)
        assert echo.held() == []
    assert echo.subjects() == expected
    assert metric("consumer_retries_total", reason="concurrent-write") == retries + 1
    echo.until(lambda: echo.count("outbox") == 0)
    echo.until(lambda: len(echo.published(DECIDED)) == (2 if known else 1))
