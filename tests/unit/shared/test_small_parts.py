"""Ids, clocks, back-off, the breaker, durations, documents: the small parts under it all."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.clock import FixedClock, OffsetClock, SystemClock, clock_from, local_date
from shared.documents import DocumentMissing, DocumentStore
from shared.durations import duration
from shared.errors import ConcurrentWrite, ConfigurationError, Rejected, Transient
from shared.ids import cause_id, index_key, record_key
from shared.retry import Backoff, is_data_error, transient_reason
from shared.runtime.attempts import Attempts
from shared.runtime.breaker import Breaker, State
from shared.runtime.fence import Partition
from shared.runtime.patience import PatientThread

PLACE, OTHER, UNREAD = ("topic", 0), ("topic", 1), ("topic", 2)


@given(st.lists(st.text(max_size=6), max_size=4), st.lists(st.text(max_size=6), max_size=4))
def test_ids_are_equal_only_for_equal_causes(left: list[str], right: list[str]) -> None:
    assert (cause_id("k", *left) == cause_id("k", *right)) == (left == right)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=4))
def test_no_part_of_a_key_can_forge_another(parts: list[str]) -> None:
    assert record_key(*parts).count("/") == len(parts) - 1


def test_a_key_that_is_too_long_for_an_index_still_tells_one_from_another() -> None:
    key = b"DE01/" + b"x" * 995
    assert index_key(key) == key
    longer, another = index_key(key + b"y"), index_key(key + b"z")
    assert longer.startswith(b"DE01/xxx")
    assert len(longer) == len(another) == 1000
    assert longer != another


def test_business_time_moves_ahead_for_all_and_never_back(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    one, two = OffsetClock(file), OffsetClock(file)
    assert two.offset() == timedelta()
    one.advance(timedelta(days=14))
    assert two.offset() == timedelta(days=14)
    assert two.now() - SystemClock().now() > timedelta(days=13, hours=23)
    with pytest.raises(ValueError, match="never runs back"):
        one.advance(timedelta(seconds=-1))
    assert clock_from(None) == SystemClock()
    assert clock_from(file) == two
    assert FixedClock(datetime(2026, 1, 1, tzinfo=UTC)).now().year == 2026


def test_a_local_date_is_the_zones_own() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert local_date(late, "Europe/Berlin") == date(2026, 3, 2)
    assert local_date(late, "Pacific/Tongatapu") == date(2026, 3, 2)
    assert local_date(late, "America/New_York") == date(2026, 3, 1)


def test_back_off_grows_to_its_limit_and_starts_over() -> None:
    backoff = Backoff(first_s=0.1, longest_s=1.0)
    rests = [backoff.next_s() for _ in range(50)]
    assert 0.05 <= rests[0] <= 0.1
    assert all(0.5 <= rest <= 1.0 for rest in rests[5:])
    backoff.reset()
    assert backoff.next_s() <= 0.1


def _database(cause: Exception) -> DBAPIError:
    return DBAPIError("SELECT", {}, cause)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Transient("smtp", "away"), "smtp"),
        (PoolTimeout("full"), "database-pool"),
        (InvalidRequestError("lost"), "database-connection"),
        (_database(psycopg.OperationalError("gone")), "database-connection"),
        (_database(psycopg.errors.DeadlockDetected("x")), "deadlock"),
        (_database(psycopg.errors.SerializationFailure("x")), "serialization"),
        (_database(psycopg.errors.IdleInTransactionSessionTimeout("x")), "transaction-limit"),
        (_database(psycopg.errors.QueryCanceled("x")), "statement-timeout"),
        (_database(psycopg.errors.CheckViolation("x")), None),
        (
            _database(psycopg.errors.ProgramLimitExceeded("the queue is full")),
            "database-connection",
        ),
        (ValueError("a bug"), None),
    ],
)
def test_only_the_worlds_faults_are_tried_again(error: Exception, reason: str | None) -> None:
    assert transient_reason(error) == reason


def test_a_refused_value_is_some_records_fault() -> None:
    assert is_data_error(_database(psycopg.errors.CheckViolation("x")))
    assert not is_data_error(_database(psycopg.OperationalError("x")))


def _has_more(place: Partition) -> bool:
    return place == UNREAD


def test_the_breaker_opens_rests_probes_and_closes() -> None:
    breaker = Breaker(records_min=10, share=0.5, first_s=10)
    assert breaker.tripped_by([(PLACE, True)] * 9) == set()
    assert breaker.tripped_by([(PLACE, True)] * 5 + [(PLACE, False)] * 5) == {PLACE}
    assert breaker.tripped_by([(PLACE, True)] * 5 + [(PLACE, False)] * 6) == set()
    breaker.open([PLACE], now=100.0)
    assert breaker.state == int(State.OPEN)
    assert breaker.half_open(101.0, _has_more) == []
    assert breaker.half_open(111.0, _has_more) == [PLACE]
    assert breaker.state == int(State.HALF_OPEN)
    assert breaker.is_probing(PLACE)
    assert not breaker.is_probing(OTHER)
    breaker.close(PLACE)
    assert breaker.state == int(State.CLOSED)


def test_a_half_open_breaker_closes_when_nothing_has_failed_for_long() -> None:
    breaker = Breaker(records_min=3, share=0.5, first_s=10, quiet_s=60)
    breaker.note([(PLACE, True)] * 2)
    breaker.open([PLACE], now=100.0)
    assert breaker.half_open(111.0, _has_more) == [PLACE]
    breaker.open([PLACE], now=112.0)
    assert breaker.half_open(133.0, _has_more) == [PLACE]
    assert breaker.half_open(192.0, _has_more) == []
    assert breaker.is_probing(PLACE)
    assert breaker.half_open(193.0, _has_more) == []
    assert breaker.state == int(State.CLOSED)
    assert breaker.tripped_by([(PLACE, True)] * 2) == set()


def test_a_half_open_breaker_is_not_quiet_where_nothing_can_be_read() -> None:
    breaker = Breaker(records_min=3, share=0.5, first_s=10, quiet_s=60)
    breaker.open([PLACE, UNREAD], now=100.0)
    assert sorted(breaker.half_open(111.0, _has_more)) == sorted([PLACE, UNREAD])
    assert breaker.half_open(171.0, _has_more) == []
    assert (breaker.is_probing(PLACE), breaker.is_probing(UNREAD)) == (False, True)
    assert breaker.half_open(231.0, lambda _: False) == []
    assert breaker.state == int(State.CLOSED)


def test_lost_races_and_failures_are_counted_apart() -> None:
    attempts, place = Attempts(), ("t", 0, 7)
    race, failure = ConcurrentWrite("subject"), ValueError("a bug")
    assert [attempts.count(place, cause) for cause in (race, race, failure, race)] == [False] * 4
    assert [attempts.count(place, failure) for _ in range(2)] == [False, True]


def test_a_closed_breaker_still_knows_what_failed_until_a_record_works() -> None:
    breaker = Breaker(records_min=3, share=0.5)
    breaker.note([(PLACE, True)] * 2)
    breaker.open([PLACE], now=0.0)
    breaker.close(PLACE)
    assert breaker.tripped_by([(PLACE, True)]) == {PLACE}
    breaker.note([(PLACE, False)])
    assert breaker.tripped_by([(PLACE, True)]) == set()


def test_the_breaker_sees_a_streak_over_many_small_batches() -> None:
    breaker = Breaker(records_min=10, share=0.5)
    for _ in range(9):
        assert breaker.tripped_by([(PLACE, True)]) == set()
        breaker.note([(PLACE, True)])
    assert breaker.tripped_by([(PLACE, True)]) == {PLACE}
    breaker.note([(PLACE, False)])
    assert breaker.tripped_by([(PLACE, True)]) == set()
    breaker.open([PLACE, OTHER], now=0.0)
    breaker.forget([PLACE, OTHER])
    assert breaker.state is State.CLOSED


def test_durations_are_read_as_people_write_them() -> None:
    assert duration("14d") == timedelta(days=14)
    assert duration("90m") == timedelta(minutes=90)
    for wrong in ("", "14", "1w", "-1d", "1.5h"):
        with pytest.raises(ConfigurationError, match="not a duration"):
            duration(wrong)


def test_documents_are_kept_once_and_checked(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path)
    digest = store.put(b"content")
    assert store.put(b"content") == digest
    assert store.get(digest) == b"content"
    (tmp_path / digest[:2] / digest).write_bytes(b"rotten")
    with pytest.raises(DocumentMissing, match="another sha256"):
        store.get(digest)
    with pytest.raises(DocumentMissing):
        store.get("0" * 64)
    with pytest.raises(DocumentMissing, match="not a sha256"):
        store.get("../../etc/passwd")


def test_a_rejection_names_code_message_and_facts() -> None:
    rejected = Rejected("run-aborted", "the run was aborted", job="J1", value=3)
    assert str(rejected) == "the run was aborted (job=J1, value=3)"
    assert str(Rejected("x", "plain")) == "plain"


class _Unready(PatientThread):
    turns = 0

    def _turn(self) -> None:
        self.turns += 1
        if self.turns == 3:
            self.stop()
        raise Transient("kafka", "away")

    def _note(self, error: Exception, reason: str | None) -> None:
        raise OSError(28, "No space left on device", f"{error} {reason}")


def test_a_log_that_cannot_be_written_ends_no_thread() -> None:
    thread = _Unready("approver", "relay")
    thread.start()
    thread.join(10)
    assert thread.turns == 3
