"""Several instances: one keeps a partition and reads on, one takes over, one stands by."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from shared import kafka
from shared.clock import monotonic
from shared.errors import Transient
from shared.retry import Backoff
from shared.runtime import loop
from shared.runtime.fence import Partition
from shared.runtime.transaction import transact
from shared.topology import consumed_by
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.conftest import PARTITIONS, MakeEcho
from tests.integration.runtime.echo import DECIDED, SPEC, policy, request
from tests.integration.runtime.instances import Instances, until
from tests.integration.runtime.proxy import Lines

SUBJECTS = [f"s{number}" for number in range(30)]
FAILOVER_MAX_S = 15.0
SESSION_S = 3.0


def test_a_rebalance_delivers_nothing_of_a_kept_partition_again(make_echo: MakeEcho) -> None:
    """Given records all the while another joins and leaves, then each is delivered once."""
    first, second = make_echo(), make_echo()
    delivered = watched(first)
    publish(first, 1)
    first.until(first.is_drained)
    before = set(first.loop.assignment.claims)
    first.until(lambda: second.loop.assignment.claims, second)
    publish(first, 2)
    first.until(first.is_drained, second)
    kept = set(first.loop.assignment.claims)
    assert kept < before
    assert kept.isdisjoint(second.loop.assignment.claims)
    second.loop.assignment.close()
    publish(first, 3)
    first.until(lambda: first.is_drained() and set(first.loop.assignment.claims) == before)
    assert first.subjects() == dict.fromkeys(SUBJECTS, "1,2,3,")
    assert {places[:2] for places in delivered} >= kept
    assert not [place for place, times in delivered.items() if times > 1 and place[:2] in kept]


def watched(echo: Echo) -> Counter[tuple[str, int, int]]:
    """How often each record is delivered to `echo`, from now on."""
    seen: Counter[tuple[str, int, int]] = Counter()
    intake = echo.loop._intake
    sort = intake._record

    def record(message: Message) -> object:
        if message.error() is None:
            seen[message.topic() or "", message.partition() or 0, message.offset() or 0] += 1
        return sort(message)

    intake._record = record  # type: ignore[assignment,method-assign]  # a spy
    return seen


def publish(echo: Echo, version: int) -> None:
    """A version of every subject, and policies: records for every partition of both topics."""
    echo.publish(*(request(subject, version) for subject in SUBJECTS))
    echo.publish(*(policy(f"p{version}-{other}") for other in range(12)))


def test_a_revoke_during_back_off_resumes_only_what_is_still_ours(
    echo: Echo, instances: Instances, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given partitions that go to another while we rest, then each goes on with its new owner."""
    echo.joined()
    every = set(echo.loop.assignment.claims)
    fenced = metric("consumer_fenced_total")
    revoked: set[Partition] = set()
    forget = echo.loop.assignment.after_drop

    def note(places: Iterable[Partition]) -> None:
        revoked.update(places)
        forget(frozenset(places))

    echo.loop.assignment.after_drop = note
    echo.loop._backoff = Backoff(longest_s=0.5)

    def away(*arguments: object) -> object:
        if not revoked:
            raise Transient("database-connection", "away for us alone")
        return transact(*arguments)  # type: ignore[arg-type]  # as called

    monkeypatch.setattr(loop, "transact", away)
    instances.start("other")
    publish(echo, 1)
    echo.until(lambda: echo.is_drained() and instances.is_ready("other"))
    ours = set(echo.loop.assignment.claims)
    assert ours
    assert ours == every - revoked
    assert echo.loop.assignment._paused == {}
    applied = {"ours": metric_of_ours(), "theirs": metric_of(instances)}
    publish(echo, 2)
    echo.until(lambda: echo.is_drained() and not echo.count("outbox"))
    assert echo.subjects() == dict.fromkeys(SUBJECTS, "1,2,")
    assert metric_of_ours() > applied["ours"]
    assert metric_of(instances) > applied["theirs"]
    assert metric("consumer_fenced_total") == fenced
    assert len(echo.published(DECIDED)) == 2 * len(SUBJECTS)


def metric_of_ours() -> float:
    """Records applied by the instance in this process."""
    return metric("consumer_batch_size_sum")


def metric_of(instances: Instances) -> float:
    """Records applied by the other."""
    return instances.metric("other", "consumer_batch_size_sum")


def test_a_lost_partition_is_never_committed(
    make_echo: MakeEcho, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a broker that we do not reach for a session, then we let go without a last word."""
    echo = make_echo(**lines.changes).joined()
    lost = metric("consumer_rebalances_total", type="lost")
    last_words = []
    commit = echo.loop.assignment.commit

    def note(*, wait: bool) -> None:
        last_words.append(wait)
        commit(wait=wait)

    monkeypatch.setattr(echo.loop.assignment, "commit", note)
    lines.broker.swallow()
    until_s = monotonic() + SESSION_S + 1.0
    echo.until(lambda: monotonic() > until_s)
    lines.broker.restore()
    echo.until(lambda: metric("consumer_rebalances_total", type="lost") > lost)
    assert not any(last_words)
    monkeypatch.undo()
    echo.until(lambda: len(echo.loop.assignment.claims) == 2 * PARTITIONS)


@pytest.fixture
def crowd(echo: Echo) -> Iterator[list[Consumer]]:
    """Members of the group that hold a partition each, so that none is left."""
    topics = [topic.name for topic in consumed_by(SPEC.name)]
    with ExitStack() as stack:
        members = []
        for _ in range(len(topics) * PARTITIONS):
            member = Consumer(kafka.consumer(echo.settings, SPEC.name))
            stack.callback(member.close)
            member.subscribe(topics)
            members.append(member)
        until(lambda: _are_full(members), "a partition for each")
        yield members


def _are_full(members: list[Consumer]) -> bool:
    for member in members:
        member.poll(0.0)
    return all(len(member.assignment()) == 1 for member in members)


@pytest.mark.parametrize("late", ["_on_assign", "_on_revoke", "_on_lost"])
def test_what_a_client_given_up_still_hears_is_none_of_its_successors_business(
    echo: Echo, late: str
) -> None:
    """Given a client that failed and left late, then what Kafka tells it changes nothing for us.

    If it failed: we would drop what Kafka has just assigned, and stand still until it does so anew.
    """
    assignment = echo.joined().loop.assignment
    given_up, places = assignment.consumer, set(assignment.claims)
    assignment.abandon()
    assignment._look_at = 0.0
    echo.until(lambda: assignment.consumer is not given_up and assignment.is_claimed)
    claims = dict(assignment.claims)
    assert claims.keys() == places
    getattr(assignment, late)(given_up, [TopicPartition(*place) for place in places])
    assert assignment.claims == claims
    assert assignment.is_claimed
    publish(echo, 1)
    echo.until(echo.is_drained)


def test_who_stands_by_is_ready(echo: Echo, instances: Instances, crowd: list[Consumer]) -> None:
    """Given more instances than partitions, then the last is ready, and takes over when needed."""
    instances.ready("standby")
    assert not echo.reached(), "it has claimed a partition"
    publish(echo, 1)
    for member in crowd:
        member.unsubscribe()
    until(echo.is_drained, "it to take over")


def test_another_takes_over_after_a_kill(echo: Echo, instances: Instances) -> None:
    """Given two instances, when one is killed, then the other does its work soon."""
    instances.ready("one", "two")
    publish(echo, 1)
    until(echo.is_drained, "the first records")
    assert all(instances.metric(name, "consumer_batch_size_sum") for name in ("one", "two"))
    killed = monotonic()
    instances.kill("one")
    publish(echo, 2)
    until(lambda: echo.is_drained() and not echo.count("outbox"), "the second records")
    assert monotonic() - killed < FAILOVER_MAX_S
    assert echo.subjects() == dict.fromkeys(SUBJECTS, "1,2,")
