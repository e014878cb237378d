"""Who may write: a zombie is refused, and a commit whose answer was lost is looked up."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from shared.codec.codec import Codec
from shared.errors import ConfigurationError
from shared.runtime import fence, loop
from shared.runtime.batch import Batch
from shared.runtime.fence import Claim, Partition
from shared.runtime.records import Record, arrive
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import DECIDED, REQUESTED, SPEC, request

SUBJECTS = [f"s{number}" for number in range(30)]


def _by_partition(records: list[Record]) -> dict[Partition, list[Record]]:
    found: dict[Partition, list[Record]] = {}
    for record in records:
        found.setdefault((record.topic.name, record.partition), []).append(record)
    return found


class Usurper:
    """Another instance that takes over one partition between our poll and our transaction.

    It applies what we hold of that partition, as its new owner would; then it may wipe the inbox,
    so that nothing but the fence stands between us and a second effect.
    """

    def __init__(self, echo: Echo, *, wipes_inbox: bool) -> None:
        self._echo, self._wipes_inbox = echo, wipes_inbox
        self.taken: Partition | None = None
        self.left: dict[Partition, list[Record]] = {}

    def arrive(self, codec: Codec, records: list[Record]) -> Any:  # noqa: ANN401 -- as `arrive`
        """In place of `arrive`: decodes as it does, but the first time somebody is faster."""
        if self.taken is None:
            by_place = _by_partition(records)
            self.taken = min(by_place)
            self._take_over(codec, by_place.pop(self.taken))
            self.left = by_place
        return arrive(codec, records)

    def _take_over(self, codec: Codec, records: list[Record]) -> None:
        assert self.taken is not None
        topic_id = self._echo.query(
            "SELECT topic_id FROM consumer_offset WHERE topic = :t LIMIT 1", t=self.taken[0]
        )[0][0]
        with self._echo.engine.begin() as connection:
            claims = fence.claim(connection, "usurper", {self.taken: 0}, {self.taken[0]: topic_id})
        with self._echo.engine.begin() as connection:
            fence.advance(connection, [(claims[self.taken], records[-1].offset + 1)])
            echo = self._echo
            batch = Batch(SPEC, echo.settings, codec, echo.clock, connection)
            batch.live(arrive(codec, records))
        if self._wipes_inbox:
            self._echo.query("TRUNCATE inbox")


@pytest.mark.parametrize("wipes_inbox", [False, True])
def test_a_zombie_is_refused_and_loses_that_partition_alone(
    echo: Echo, monkeypatch: pytest.MonkeyPatch, *, wipes_inbox: bool
) -> None:
    """Given a partition taken over after the poll, then its records have one effect, others too.

    Kafka still gives it to us, so whoever took it was late, and we take it back.
    """
    fenced = metric("consumer_fenced_total")
    usurper = Usurper(echo, wipes_inbox=wipes_inbox)
    monkeypatch.setattr(loop, "arrive", usurper.arrive)
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    echo.until(lambda: usurper.taken and len(echo.subjects()) == len(SUBJECTS))
    assert set(echo.subjects().values()) == {"1,"}
    assert metric("consumer_fenced_total") == fenced + 1
    assert usurper.left.keys() <= echo.loop.assignment.claims.keys()
    echo.publish(*(request(subject, 2) for subject in SUBJECTS))
    echo.until(lambda: set(echo.subjects().values()) == {"1,2,"})
    assert usurper.taken in echo.loop.assignment.claims
    echo.until(lambda: len(echo.published(DECIDED)) == 2 * len(SUBJECTS))


def test_an_epoch_of_another_is_not_ours_even_at_the_same_offset(echo: Echo) -> None:
    """Given a claim raised by another, when we advance at its very offset, then we are refused."""
    echo.publish(request("s1", 1))
    echo.until(lambda: echo.subjects() == {"s1": "1,"})
    (claim, *_) = echo.loop.assignment.claims.values()
    with echo.engine.connect() as connection:
        fence.advance(connection, [(claim, claim.next_offset + 1)])
        connection.rollback()
        old = Claim(claim.topic, claim.partition, claim.next_offset, claim.epoch - 1)
        for wrong in (old, claim.at(claim.next_offset + 1)):
            with pytest.raises(fence.PartitionsLost, match="another instance has taken over"):
                fence.advance(connection, [(wrong, claim.next_offset + 1)])


def test_a_partition_that_was_fenced_is_not_ready_until_kafka_confirms_it(
    echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the claim of another, then we neither read nor are ready until Kafka has decided."""
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    echo.until(lambda: len(echo.subjects()) == len(SUBJECTS))
    assignment = echo.loop.assignment
    with monkeypatch.context() as away:
        away.setattr(assignment, "_membership", lambda: None)
        echo.query("UPDATE consumer_offset SET epoch = epoch + 1 WHERE topic = :t", t=REQUESTED)
        echo.publish(*(request(subject, 2) for subject in SUBJECTS))
        echo.until(lambda: not any(topic == REQUESTED for topic, _ in assignment.claims))
        assert not assignment.is_claimed
        assert set(echo.subjects().values()) == {"1,"}
    echo.until(lambda: set(echo.subjects().values()) == {"1,2,"})
    assert assignment.is_claimed


def test_deleted_offset_rows_begin_anew_and_nothing_has_its_effect_twice(echo: Echo) -> None:
    """Given rows of `consumer_offset` deleted under us, then those partitions are read again."""
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    echo.until(lambda: len(echo.subjects()) == len(SUBJECTS))
    echo.query("DELETE FROM consumer_offset WHERE topic = :t AND partition = 0", t=REQUESTED)
    echo.publish(*(request(subject, 2) for subject in SUBJECTS))
    echo.until(lambda: set(echo.subjects().values()) == {"1,2,"})
    assert (REQUESTED, 0) in echo.loop.assignment.claims


def test_a_service_whose_database_was_set_back_ends_and_begins_from_there(
    make_echo: MakeEcho,
) -> None:
    """Given tables as they were three records ago, while we run, then it is for the start to judge.

    Where its checks let it, it reads what follows again and leaves none out.
    """
    echo = make_echo().joined()
    echo.raws(((REQUESTED, *echo.value(request(f"s{n}", 1))) for n in range(5)), partition=0)
    echo.until(lambda: len(echo.subjects()) == 5)
    (offset,) = (end for place, end in echo.reached().items() if place == (REQUESTED, 0))
    echo.query("DELETE FROM subject WHERE subject_id IN ('s2', 's3', 's4')")
    echo.query("DELETE FROM inbox WHERE topic = :t AND position >= :o", t=REQUESTED, o=offset - 3)
    echo.query(
        "UPDATE consumer_offset SET next_offset = :o WHERE topic = :t AND partition = 0",
        t=REQUESTED,
        o=offset - 3,
    )
    echo.raws(((REQUESTED, *echo.value(request(f"s{n}", 1))) for n in range(5, 8)), partition=0)
    with pytest.raises(ConfigurationError, match="the database was set back"):
        echo.until(lambda: "s7" in echo.subjects())
    echo.close()
    again = make_echo().joined()
    again.until(lambda: again.subjects() == {f"s{n}": "1," for n in range(8)})


# ---------------------------------------------------------------- commits in doubt

Cut = Callable[[Callable[[Any], None], Any, Callable[[], None]], None]


def _cut_after(commit: Callable[[Any], None], connection: Any, cut: Callable[[], None]) -> None:  # noqa: ANN401 -- psycopg's
    commit(connection)
    cut()
    connection.execute("SELECT 1")


def _cut_before(commit: Callable[[Any], None], connection: Any, cut: Callable[[], None]) -> None:  # noqa: ANN401 -- psycopg's
    cut()
    commit(connection)


@pytest.fixture
def cutting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Echo, Cut], list[int]]:
    """`cutting(echo, how)`: the connection of its next batch that commits is cut; returns pids."""

    def arrange(echo: Echo, how: Cut) -> list[int]:
        pids: list[int] = []
        commit = echo.engine.dialect.do_commit

        def do_commit(connection: Any) -> None:  # noqa: ANN401 -- psycopg's
            driver = connection.driver_connection
            if pids or not _holds_a_batch(driver):
                commit(connection)
                return
            pid = driver.info.backend_pid
            pids.append(pid)
            how(commit, driver, lambda: echo.terminate(pid))

        monkeypatch.setattr(echo.engine.dialect, "do_commit", do_commit)
        return pids

    return arrange


def _holds_a_batch(connection: Any) -> bool:  # noqa: ANN401 -- psycopg's
    found = connection.execute("SELECT count(*) FROM inbox WHERE xmin = pg_current_xact_id()::xid")
    return bool(found.fetchone()[0])


@pytest.mark.parametrize(
    ("how", "outcome"), [(_cut_after, "committed"), (_cut_before, "rolled-back")]
)
def test_a_commit_in_doubt_is_resolved_from_the_offsets(
    make_echo: MakeEcho, cutting: Callable[[Echo, Cut], list[int]], how: Cut, outcome: str
) -> None:
    """Given a connection cut around COMMIT, then every record has its effect once, none is lost."""
    other = {"committed": "rolled-back", "rolled-back": "committed"}[outcome]
    before = {o: metric("consumer_in_doubt_commits_total", outcome=o) for o in (outcome, other)}
    echo = make_echo()
    pids = cutting(echo, how)
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    echo.until(lambda: len(echo.subjects()) == len(SUBJECTS))
    echo.publish(*(request(subject, 2) for subject in SUBJECTS))
    echo.until(lambda: set(echo.subjects().values()) == {"1,2,"})
    assert len(pids) == 1
    assert metric("consumer_in_doubt_commits_total", outcome=outcome) == before[outcome] + 1
    assert metric("consumer_in_doubt_commits_total", outcome=other) == before[other]
    echo.until(lambda: len(echo.published(DECIDED)) == 2 * len(SUBJECTS))
    assert echo.held() == []


def test_a_commit_in_doubt_that_another_followed_is_not_repeated(
    make_echo: MakeEcho, cutting: Callable[[Echo, Cut], list[int]]
) -> None:
    """Given a commit in doubt and a new owner before we could look, then we let go."""
    echo = make_echo()
    fenced = metric("consumer_fenced_total")

    def cut_and_usurp(commit: Callable[[Any], None], connection: Any, cut: Any) -> None:  # noqa: ANN401 -- psycopg's
        commit(connection)
        echo.query("UPDATE consumer_offset SET epoch = epoch + 1")
        cut()
        connection.execute("SELECT 1")

    cutting(echo, cut_and_usurp)
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    echo.until(lambda: echo.subjects() and not echo.loop.assignment.claims)
    assert metric("consumer_fenced_total") > fenced
    echo.loop.assignment.close()
    second = make_echo()
    second.until(lambda: len(second.subjects()) == len(SUBJECTS))
    assert set(second.subjects().values()) == {"1,"}


def test_a_commit_that_the_server_refuses_is_no_doubt(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given COMMIT answered by a serialization failure, then the batch just runs again."""
    doubts = metric("consumer_in_doubt_commits_total", outcome="rolled-back")
    echo = make_echo()
    commit = echo.engine.dialect.do_commit
    refused: list[int] = []

    def do_commit(connection: Any) -> None:  # noqa: ANN401 -- psycopg's
        if not refused and _holds_a_batch(connection.driver_connection):
            refused.append(1)
            connection.rollback()
            raise psycopg.errors.SerializationFailure
        commit(connection)

    monkeypatch.setattr(echo.engine.dialect, "do_commit", do_commit)
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    echo.until(lambda: len(echo.subjects()) == len(SUBJECTS))
    assert set(echo.subjects().values()) == {"1,"}
    assert refused
    assert metric("consumer_in_doubt_commits_total", outcome="rolled-back") == doubts
    assert metric("consumer_retries_total", reason="serialization") > 0
