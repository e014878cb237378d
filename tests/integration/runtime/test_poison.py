"""Poisoned records among sound ones: just those are kept, at a bounded price, in one advance."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from threading import Event as Waiter

import pytest
from confluent_kafka import Producer
from sqlalchemy import Engine, event, text

from shared import db, kafka
from shared.clock import monotonic
from shared.dead_letters import Filter, decide, mend
from shared.events.base import Event
from shared.events.billing import ReviewRequested
from shared.runtime import takeup
from shared.runtime.attempts import RACES_MAX
from shared.settings import Settings
from shared.topology import BY_NAME, role_of
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import DECIDED, REQUESTED, EchoStore, policy, request

RECORDS = 500
COPIES = f"{REQUESTED}.approver.dlq"
LIMIT_BYTES = BY_NAME[REQUESTED].max_message_bytes


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Every statement of `engine`, as it is executed."""
    seen: list[str] = []

    def note(*args: object) -> None:
        seen.append(str(args[2]))

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def rejected(subject: str) -> ReviewRequested:
    return request(subject, 1, "reject")


def refused(subject: str) -> ReviewRequested:
    return request(subject, 1, total=2_000_000)


def bug(subject: str) -> ReviewRequested:
    return request(subject, 1, "bug")


def grown(subject: str) -> ReviewRequested:
    return request(subject, 1, "grow")


def aged(subject: str) -> ReviewRequested:
    return request(subject, 1, "age")


def invalid(subject: str) -> ReviewRequested:
    return request(subject, 1).model_copy(update={"requested_by": "x" * 3000})


def test_a_key_too_long_for_an_index_holds_up_its_own_records_alone(echo: Echo) -> None:
    """Given a broken record and one more under 10,000 random bytes, then both are kept in order."""
    key = Random(1).randbytes(10_000)
    echo.raws([(REQUESTED, key, b"garbage"), (REQUESTED, key, b"more")], partition=0)
    echo.publish(*(request(f"s{number}", 1) for number in range(12)))
    echo.until(lambda: len(echo.subjects()) == 12)
    rows = echo.query("SELECT state, key, octet_length(lane) FROM held_record ORDER BY id")
    assert [(state, bytes(kept)) for state, kept, _ in rows] == [("dead", key), ("parked", key)]
    assert {size for *_, size in rows} == {1000}
    for still in (1, 0):
        assert decide(echo.settings, echo.letters(Filter()), "discard", "tester", "hostile") == 1
        echo.until(partial(lambda left: _undecided(echo) == left, still))


def _undecided(echo: Echo) -> int:
    return sum(state != "discarded" for state, _ in echo.held())


# ---------------------------------------------------------------- k of 500


@pytest.mark.parametrize(
    ("poison", "code", "attempts"),
    [
        (rejected, "echo-refused", 1),
        (invalid, "field-invalid", 1),
        (grown, "figure-out-of-bounds", 1),
        (aged, "figure-out-of-bounds", 1),
        (refused, "database-refused", 1),
        (bug, "handler-bug", 4),
    ],
)
@pytest.mark.parametrize("bad", [1, 7])
def test_just_the_poisoned_of_a_batch_are_kept(
    echo: Echo, poison: Callable[[str], Event], code: str, attempts: int, bad: int
) -> None:
    """Given k poisoned records in a batch of 500, then k dead letters and one commit.

    However many they are: what rejects costs no attempt, a bug three, for all of them together; a
    refusal of the database is halved down to each inside the one transaction.
    """
    chosen = set(Random(bad).sample(range(RECORDS), bad))
    batches, halves = metric("consumer_batch_size_count"), metric("consumer_bisect_attempts_total")
    echo.joined()
    echo.publish(*((poison if n in chosen else _sound)(f"s{n}") for n in range(RECORDS)))
    echo.gather(RECORDS)
    with statements(echo.engine) as seen:
        echo.until(lambda: len(echo.held()) == bad)
    assert echo.held() == [("dead", code)] * bad
    assert set(echo.subjects()) == {f"s{n}" for n in range(RECORDS) if n not in chosen}
    assert metric("consumer_batch_size_count") == batches + 1
    advances = [sql for sql in seen if sql.startswith("UPDATE consumer_offset")]
    assert len(advances) == attempts
    halved = metric("consumer_bisect_attempts_total") - halves
    assert (halved > 0) == (poison is refused)
    assert halved <= bad * 10  # 500 is halved nine times down to one
    assert len(seen) <= 40 * attempts + 20 * halved
    echo.until(lambda: len(echo.published(DECIDED)) == RECORDS - bad)
    assert len(echo.published(COPIES)) == bad


def _sound(subject: str) -> Event:
    return request(subject, 1)


def test_poison_of_every_kind_in_one_batch(echo: Echo) -> None:
    """Given every kind of poison, and sound records behind it, then each has its own reason."""
    kinds = {"a": rejected, "b": invalid, "c": refused, "d": bug}
    echo.joined()
    batch: list[Event] = [kind(key) for key, kind in kinds.items()]
    batch += [request(key, 2) for key in (*kinds, "sound")]
    echo.publish(*Random(7).sample([request(f"s{n}", 1) for n in range(50)], 50), *batch)
    echo.gather(59)
    echo.until(lambda: len(echo.subjects()) == 51)
    found = {letter.key: (letter.code, letter.behind) for letter in echo.letters(Filter())}
    assert found == {
        "DE01/a": ("echo-refused", 1),
        "DE01/b": ("field-invalid", 1),
        "DE01/c": ("database-refused", 1),
        "DE01/d": ("handler-bug", 1),
    }


def test_arithmetic_that_fails_is_a_bug_unless_a_figure_grew(echo: Echo) -> None:
    """Given what the decimal module gives one name, then only a figure's growth is the record's."""
    echo.publish(*(request(word, 1, word) for word in ("round", "divide", "convert")))
    echo.until(lambda: len(echo.held()) == 3)
    assert {letter.key: letter.code for letter in echo.letters(Filter())} == {
        "DE01/round": "figure-out-of-bounds",
        "DE01/divide": "handler-bug",
        "DE01/convert": "handler-bug",
    }


# ---------------------------------------------------------------- never to be written


@contextmanager
def altered(echo: Echo, alter: str, restore: str) -> Iterator[None]:
    """The service's tables as a hand has changed them."""
    echo.query(alter)
    yield
    echo.query(restore)


@pytest.mark.parametrize("together", [True, False])
def test_a_second_unique_constraint_refuses_one_record(echo: Echo, *, together: bool) -> None:
    """Given two subjects of one total where it must be unique, then the later is a dead letter."""
    unique = "CREATE UNIQUE INDEX subject_total ON subject (total)"
    with altered(echo, unique, "DROP INDEX subject_total"):
        echo.joined()
        records = [request("s1", 1, total=7), request("s2", 1, total=7), request("s3", 1, total=8)]
        batches = [records] if together else [[record] for record in records]
        for batch in batches:
            echo.raws(((REQUESTED, *echo.value(event)) for event in batch), partition=0)
            echo.gather(len(batch))
            echo.until(echo.is_drained)
    assert echo.subjects() == {"s1": "1,", "s3": "1,"}
    (row,) = echo.query("SELECT key, state, code, message FROM held_record")
    assert (bytes(row.key), row.state, row.code) == (b"DE01/s2", "dead", "database-refused")
    assert "subject_total" in row.message


def test_a_value_too_large_for_an_index_is_one_records_fault(echo: Echo) -> None:
    """Given an index that takes all totals but one, then just that record is a dead letter."""
    wide = " || ".join(f"md5(total::text || '-{number}')" for number in range(100))
    index = f"CREATE INDEX subject_wide ON subject ((CASE WHEN total = 7 THEN {wide} END))"
    with altered(echo, index, "DROP INDEX subject_wide"):
        echo.publish(*(request(f"s{number}", 1, total=number) for number in range(5, 10)))
        echo.until(lambda: len(echo.subjects()) == 4)
    (row,) = echo.query("SELECT key, state, code, message FROM held_record")
    assert (bytes(row.key), row.state, row.code) == (b"DE01/s7", "dead", "database-refused")
    assert "subject_wide" in row.message


NO_UPDATE = """
    CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER no_update BEFORE UPDATE ON subject
    FOR EACH ROW WHEN (OLD.subject_id = 's3') EXECUTE FUNCTION skip()
"""


@pytest.mark.parametrize("held", [False, True])
def test_a_row_that_can_never_be_written_is_found_and_its_record_kept(
    echo: Echo, *, held: bool
) -> None:
    """Given a row whose change never arrives, then just its record is given up, live or held."""
    subjects = [f"s{number}" for number in range(8)]
    echo.publish(*(request(subject, 1) for subject in subjects))
    echo.until(lambda: len(echo.subjects()) == 8)
    retries = metric("consumer_retries_total", reason="concurrent-write")
    reasons = ["wait:p"] if held else []
    with altered(echo, NO_UPDATE, "DROP FUNCTION skip CASCADE"):
        echo.publish(*(request(subject, 2, *reasons) for subject in subjects))
        if held:
            echo.until(lambda: len(echo.held()) == 8)
            echo.publish(policy("p"))
        echo.until(lambda: echo.held() == [("dead", "handler-bug")])
        echo.until(echo.is_drained)
    assert echo.subjects() == {subject: "1," if subject == "s3" else "1,2," for subject in subjects}
    (row,) = echo.query("SELECT key, attempts, message FROM held_record")
    assert (bytes(row.key), row.attempts) == (b"DE01/s3", RACES_MAX)
    assert "rows of subject" in row.message
    assert metric("consumer_retries_total", reason="concurrent-write") >= retries + RACES_MAX


# ---------------------------------------------------------------- too slow


def _in_the_database(store: EchoStore) -> None:
    store.connection.execute(text("SELECT pg_sleep(2)"))


def _in_our_code(store: EchoStore) -> None:
    del store
    Waiter().wait(1.0)


@pytest.mark.parametrize("dawdle", [_in_the_database, _in_our_code])
def test_a_record_that_takes_the_transaction_over_its_limit_is_found_and_kept(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch, dawdle: Callable[[EchoStore], None]
) -> None:
    """Given one record that is too slow, in SQL or around it, then just that is given up.

    The batch is halved down to it without long rests: a smaller portion is another attempt.
    """
    prefetch = EchoStore.prefetch

    def slow(store: EchoStore, events: Sequence[Event]) -> None:
        prefetch(store, events)
        if any(e.reasons for e in events if isinstance(e, ReviewRequested)):
            dawdle(store)

    monkeypatch.setattr(db, "IDLE_IN_TRANSACTION_MS", 300)
    monkeypatch.setattr(EchoStore, "prefetch", slow)
    echo = make_echo(transaction_limit_s=0.3).joined()
    echo.publish(*(request(f"s{n}", 1, *(["slow"] if n == 2 else [])) for n in range(8)))
    echo.gather(8)
    started = monotonic()
    echo.until(lambda: echo.held() == [("dead", "handler-timeout")])
    echo.until(lambda: len(echo.subjects()) == 7)
    assert monotonic() - started < 30
    (row,) = echo.query("SELECT key, attempts FROM held_record")
    assert (bytes(row.key), row.attempts) == (b"DE01/s2", 3)
    assert set(echo.subjects().values()) == {"1,"}
    echo.until(lambda: len(echo.published(DECIDED)) == 7)


def test_a_held_record_that_takes_too_long_is_given_up_too(
    make_echo: MakeEcho, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one of many waiting records that is too slow when its fact has come, then just it."""
    prefetch = EchoStore.prefetch

    def slow(store: EchoStore, events: Sequence[Event]) -> None:
        prefetch(store, events)
        subjects = [e.subject_id for e in events if isinstance(e, ReviewRequested)]
        if "s3" in subjects and store.policies.get("p"):
            _in_the_database(store)

    monkeypatch.setattr(EchoStore, "prefetch", slow)
    monkeypatch.setattr(takeup, "LANES_MAX", 8)
    monkeypatch.setattr(takeup, "RECORDS_PER_LANE_MAX", 2)
    echo = make_echo(transaction_limit_s=0.3).joined()
    echo.publish(*(request(f"s{n}", version, "wait:p") for version in (1, 2) for n in range(6)))
    echo.until(lambda: len(echo.held()) == 12)
    echo.publish(policy("p"))
    echo.until(lambda: ("dead", "handler-timeout") in echo.held() and len(echo.held()) == 2)
    (letter,) = echo.letters(Filter())
    assert (letter.key, letter.behind) == ("DE01/s3", 1)
    assert echo.subjects() == {f"s{n}": "1,2," for n in range(6) if n != 3}


def test_handlers_that_hang_are_given_up_one_after_the_other(make_echo: MakeEcho) -> None:
    """Given several that never return, then each is broken into, neighbours have one effect."""
    echo = make_echo(record_limit_s=0.1).joined()
    echo.publish(*(request(f"s{n}", 1, *(["hang"] if n % 3 == 0 else [])) for n in range(9)))
    echo.gather(9)
    echo.until(lambda: echo.held() == [("dead", "handler-timeout")] * 3)
    assert echo.subjects() == {f"s{n}": "1," for n in range(9) if n % 3}
    echo.until(lambda: len(echo.published(DECIDED)) == 6)


# ---------------------------------------------------------------- too large


@pytest.fixture
def publish_compressed(echo_settings: Settings) -> Callable[..., None]:
    """`publish_compressed(key, value, headers)`: the broker's limit is of the compressed batch."""
    producer = Producer(kafka.producer(echo_settings, role_of("simulator")))

    def publish(key: str, value: bytes, headers: dict[str, bytes | None]) -> None:
        producer.produce(REQUESTED, value, key.encode(), headers=list(headers.items()))
        assert producer.flush(30) == 0

    return publish


def test_a_record_at_the_limit_of_its_topic_is_kept_and_copied(
    echo: Echo, publish_compressed: Callable[..., None]
) -> None:
    """Given noise as large as the topic takes, then it is kept whole, with a copy of it."""
    value = Random(1).randbytes(LIMIT_BYTES - 500)
    headers = {"trace": b"\x00\xff", "nothing": None}
    publish_compressed("DE01/large", value, headers)
    echo.publish(request("s1", 1))
    echo.until(lambda: echo.subjects() == {"s1": "1,"} and len(echo.held()) == 1)
    (row,) = echo.query("SELECT value, code FROM held_record")
    assert (bytes(row.value), row.code) == (value, "framing-unknown")
    echo.until(lambda: echo.published(COPIES))
    (copy,) = echo.published(COPIES)
    assert copy.value() == value
    assert list(copy.headers())[:2] == list(headers.items())


@pytest.mark.parametrize("size", [LIMIT_BYTES + 1, 10 * 1024 * 1024])
def test_a_record_too_large_to_be_copied_is_kept_in_the_table_alone(
    echo: Echo, publish_compressed: Callable[..., None], size: int
) -> None:
    """Given a record that only compression brought in, then it is kept, its key alone waits."""
    value = b"garbage " * (size // 8 + 1)
    publish_compressed("DE01/large", value, {})
    echo.publish(request("large", 2), request("s1", 1), request("s2", 1, "reject"))
    echo.until(lambda: len(echo.held()) == 3)
    echo.until(lambda: echo.subjects() == {"s1": "1,"})
    (row,) = echo.query("SELECT value FROM held_record WHERE code = 'framing-unknown'")
    assert bytes(row.value) == value
    echo.until(lambda: echo.count("outbox") == 0)
    assert [copy.key() for copy in echo.published(COPIES)] == [b"DE01/s2"]
    letter = next(one for one in echo.letters(Filter()) if one.key == "DE01/large")
    assert letter.behind == 1
    assert mend(echo.settings, letter, request("large", 1), "tester", "sent small") == 1
    echo.until(lambda: echo.subjects() == {"s1": "1,", "large": "1,2,"})


# ---------------------------------------------------------------- headers


@pytest.mark.tools("kcat")
def test_headers_that_no_client_can_read_hold_up_nothing(echo: Echo, tmp_path: Path) -> None:
    """Given a header whose name is no UTF-8, then its record has its effect, and the next too.

    The Kafka client raises then, whatever it is asked for of the headers; what it raises differs
    once the interpreter has specialised the call, so it is asked for sound ones often before.
    """
    echo.publish(*(request("s3", number) for number in range(1, 101)))
    echo.until(lambda: echo.subjects().keys() == {"s3"} and echo.is_drained())
    key, value = echo.value(request("s1", 1))
    (tmp_path / "value").write_bytes(value)
    broker = echo.settings.kafka_bootstrap_servers.encode()
    to = [b"-b", broker, b"-t", REQUESTED.encode(), b"-k", key, b"-H", b"\xff\xfe=x"]
    subprocess.run([b"kcat", b"-P", *to, bytes(tmp_path / "value")], check=True, timeout=60)
    echo.publish(request("s1", 2), request("s2", 1))
    echo.until(lambda: echo.is_drained() and "s2" in echo.subjects())
    assert echo.subjects()["s1"] == "1,2,"
    assert echo.held() == []
