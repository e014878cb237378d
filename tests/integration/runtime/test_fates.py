"""What can happen to a record: each fate of the runtime on real Kafka and real PostgreSQL."""

from datetime import timedelta
from pathlib import Path

import pytest

from shared.clock import OffsetClock
from shared.dead_letters import Filter, decide
from shared.errors import ConfigurationError
from shared.events.base import Event
from shared.runtime.watch import HandlerTimeout
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import DECIDED, POLICIES, REQUESTED, policy, request


def test_a_record_is_applied_and_its_event_published(echo: Echo) -> None:
    """Given a request, when it is consumed, then its effect and its event are there once."""
    echo.publish(request("s1", 1))
    echo.until(lambda: echo.subjects() == {"s1": "1,"} and len(echo.published(DECIDED)) == 1)
    (message,) = echo.published(DECIDED)
    headers = dict(message.headers())
    assert message.key() == b"DE01/s1"
    assert headers["ce_type"] == DECIDED.encode()
    assert headers["ce_id"] == headers["idempotency-key"]
    assert headers["content-type"] == b"application/avro"
    assert echo.held() == []


def test_a_duplicate_has_no_second_effect(echo: Echo) -> None:
    """Given the same fact three times, in one batch and later, then one effect and one event."""
    echo.publish(request("s1", 1), request("s1", 1))
    echo.until(lambda: echo.subjects() == {"s1": "1,"})
    echo.publish(request("s1", 1), request("s1", 2))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,"})
    echo.until(lambda: len(echo.published(DECIDED)) == 2)
    assert echo.held() == []


def test_a_conflict_is_kept_and_holds_nothing_up(echo: Echo) -> None:
    """Given the same fact with other content, then a dead letter, and the key goes on."""
    echo.publish(request("s1", 1), request("s1", 1, note="another"), request("s1", 2))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,"})
    assert echo.held() == [("dead", "conflict")]
    (row,) = echo.query("SELECT message FROM held_record")
    assert f"applied_from={REQUESTED}/" in row.message


def test_a_rejected_record_parks_its_key_and_no_other(echo: Echo) -> None:
    """Given a record that breaks a rule, then its key's later records queue, other keys flow."""
    echo.publish(request("s1", 1, "reject"), request("s1", 2), request("s2", 1))
    echo.until(lambda: echo.subjects() == {"s2": "1,"})
    echo.until(lambda: echo.held() == [("dead", "echo-refused"), ("parked", None)])


def test_replay_and_discard_release_the_key_in_order(echo: Echo) -> None:
    """Given two parked keys, when one head is discarded and one mended, then all flow in order."""
    echo.publish(
        request("s1", 1, "reject"), request("s1", 2), request("s2", 1, "reject"), request("s2", 2)
    )
    echo.until(lambda: len(echo.held()) == 4)
    letters = {letter.key: letter for letter in echo.letters(Filter(topic=REQUESTED))}
    assert decide(echo.settings, [letters["DE01/s1"]], "discard", "tester", "not wanted") == 1
    assert decide(echo.settings, [letters["DE01/s1"]], "discard", "tester", "again") == 0
    echo.until(lambda: echo.subjects() == {"s1": "2,"})
    echo.publish(request("s2", 1))  # the producer mends it
    echo.until(lambda: echo.subjects() == {"s1": "2,", "s2": "1,2,"})
    assert sorted(echo.held()) == [("discarded", "echo-refused"), ("replayed", "echo-refused")]
    assert echo.query("SELECT count(*) FROM held_key")[0][0] == 0


def test_a_waiting_record_is_taken_up_in_order_when_its_fact_arrives(echo: Echo) -> None:
    """Given a record that needs an unknown fact, then its key queues until the fact comes."""
    echo.publish(request("s1", 1, "wait:p1"), request("s1", 2), request("s2", 1))
    echo.until(lambda: echo.subjects() == {"s2": "1,"})
    echo.until(lambda: echo.held() == [("waiting", None), ("parked", None)])
    echo.publish(policy("p1"))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,", "s2": "1,"})
    assert echo.held() == []


def test_a_fact_and_its_waiter_in_one_batch_meet(echo: Echo) -> None:
    """Given waiters and facts in any order at the same time, then nobody waits for ever."""
    events: list[Event] = []
    for number in range(50):
        pair = (request(f"s{number}", 1, f"wait:p{number}"), policy(f"p{number}"))
        events += pair if number % 2 else reversed(pair)
    echo.publish(*events)
    echo.until(lambda: len(echo.subjects()) == 50)
    assert echo.held() == []


def test_what_waits_past_its_deadline_becomes_a_dead_letter(
    make_echo: MakeEcho, tmp_path: Path
) -> None:
    """Given a waiting record, when its limit passes on the business clock, then it is rejected."""
    clock = OffsetClock(tmp_path / "clock")
    echo = make_echo(clock)
    echo.publish(request("s1", 1, "wait:p1"))
    echo.until(lambda: echo.held() == [("waiting", None)])
    clock.advance(timedelta(days=3, seconds=1))
    echo.hurry()
    echo.until(lambda: echo.held() == [("dead", "reference-missing")])


def test_undecodable_records_are_kept_with_their_reason(echo: Echo) -> None:
    """Given bytes that are no event, then each is a dead letter byte for byte; others flow."""
    key, good = echo.value(request("s1", 1))
    echo.raw(REQUESTED, b"DE01/x1", b"garbage")
    echo.raw(REQUESTED, b"DE01/x2", good[:20])
    echo.raw(REQUESTED, b"DE01/x3", good + b"\x00")
    echo.raw(REQUESTED, b"DE01/x4", b"\xc3\x01" + b"\x07" * 8 + good[10:])
    echo.raw(REQUESTED, b"DE01/x5", b"\x00\x00\x00\x00\x07" + good[10:])
    echo.raw(REQUESTED, b"DE01/x6", None)
    echo.raw(REQUESTED, b"DE01/x7", echo.value(policy("p1"))[1])
    echo.raw(REQUESTED, b"DE01/wrong", good)
    echo.raw(REQUESTED, None, good)
    echo.raw(REQUESTED, key, good)
    echo.until(lambda: echo.subjects() == {"s1": "1,"} and len(echo.held()) == 9)
    rows = echo.query("SELECT key, value, code FROM held_record")
    found = {bytes(row.key or b""): (row.code, row.value and bytes(row.value)) for row in rows}
    assert found == {
        b"DE01/x1": ("framing-unknown", b"garbage"),
        b"DE01/x2": ("avro-broken", good[:20]),
        b"DE01/x3": ("avro-trailing-bytes", good + b"\x00"),
        b"DE01/x4": ("schema-unknown", b"\xc3\x01" + b"\x07" * 8 + good[10:]),
        b"DE01/x5": ("schema-unknown", b"\x00\x00\x00\x00\x07" + good[10:]),
        b"DE01/x6": ("value-missing", None),
        b"DE01/x7": ("schema-of-another-topic", echo.value(policy("p1"))[1]),
        b"DE01/wrong": ("key-mismatch", good),
        b"": ("key-missing", good),
    }
    copies = echo.published(f"{REQUESTED}.approver.dlq")
    assert sorted(copy.value() or b"" for copy in copies) == sorted(
        v or b"" for _, v in found.values()
    )
    assert {"dlq.error.code", "dlq.original.offset"} <= {n for n, _ in copies[0].headers()}


def test_a_bug_is_tried_a_few_times_then_kept_with_its_stack(echo: Echo) -> None:
    """Given a handler that breaks on one record, then its neighbours are applied once."""
    echo.publish(request("s1", 1), request("s2", 1, "bug"), request("s3", 1))
    echo.until(lambda: echo.held() == [("dead", "handler-bug")])
    echo.until(lambda: echo.subjects() == {"s1": "1,", "s3": "1,"})
    (row,) = echo.query("SELECT stacktrace, attempts FROM held_record")
    assert "ZeroDivisionError" in row.stacktrace
    assert row.attempts == 3


def test_a_handler_that_hangs_is_broken_into(make_echo: MakeEcho) -> None:
    """Given a handler that never returns, then its record is a dead letter, others are applied."""
    echo = make_echo(record_limit_s=0.2)
    echo.publish(request("s1", 1), request("s2", 1, "hang"), request("s3", 1))
    echo.until(lambda: echo.held() == [("dead", "handler-timeout")])
    echo.until(lambda: echo.subjects() == {"s1": "1,", "s3": "1,"})
    (row,) = echo.query("SELECT error_class FROM held_record")
    assert row.error_class == HandlerTimeout.__name__


def test_the_breaker_neither_drops_nor_floods(echo: Echo) -> None:
    """Given only failing records, then the service stops short of dead-lettering them all."""
    echo.raws((REQUESTED, b"DE01/s%d" % number, b"garbage") for number in range(300))
    echo.until(lambda: echo.loop.breaker.state > 0)
    for _ in range(20):
        echo.loop.step()
    assert len(echo.held()) < 3 * 50


def test_a_tripped_breaker_lets_one_record_try_and_closes_when_it_works(
    make_echo: MakeEcho,
) -> None:
    """Given garbage and then sound records, when the breaker has rested, then all are applied."""
    echo = make_echo(breaker_records_min=5).joined()
    echo.loop.breaker.first_s = echo.loop.breaker.longest_s = 0.2
    echo.raws([(REQUESTED, b"DE01/x%d" % number, b"garbage") for number in range(6)], 0)
    echo.raws([(REQUESTED, *echo.value(request(f"s{number}", 1))) for number in range(8)], 0)
    echo.until(lambda: echo.loop.breaker.state > 0)
    assert echo.count("held_record") == 0
    assert metric("dlq_breaker_state") > 0
    echo.until(lambda: len(echo.subjects()) == 8)
    assert echo.count("held_record") == 6
    assert echo.loop.breaker.state == 0


def test_a_recreated_topic_is_refused(make_echo: MakeEcho) -> None:
    """Given stored offsets of a topic with another id, then a clear error, never a silent reset."""
    echo = make_echo()
    echo.publish(policy("p1"))
    echo.until(lambda: echo.query("SELECT count(*) FROM policy")[0][0] == 1)
    echo.loop.assignment.close()
    echo.query("UPDATE consumer_offset SET topic_id = 'another' WHERE topic = :t", t=POLICIES)
    second = make_echo()
    with pytest.raises(ConfigurationError, match="deleted and created again"):
        second.until(lambda: False)
