"""Dead letters as an operator meets them: found, told apart, compared, decided about."""

from datetime import timedelta

import pytest

from shared.clock import monotonic
from shared.codec.codec import Codec
from shared.dead_letter_content import Difference, Field, content
from shared.dead_letters import DeadLetter, Decision, Filter, decide, mend
from shared.errors import ConfigurationError, Invalid, Rejected
from shared.runtime import letters
from shared.runtime.records import Record, arrive
from shared.topology import BY_NAME
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.conftest import empty_topics
from tests.integration.runtime.echo import REQUESTED, request


def conflict(echo: Echo) -> DeadLetter:
    """A fact applied, then said otherwise."""
    echo.publish(request("s1", 1), request("s1", 1, note="another"), request("s1", 2))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,"})
    (letter,) = echo.letters(Filter())
    return letter


def parked_keys(echo: Echo) -> float:
    """The keys that are held, as the people on call see it."""
    echo.hurry()
    echo.loop.step()
    return metric("dlq_parked_keys")


def test_services_that_refuse_one_record_have_letters_of_their_own(echo: Echo) -> None:
    """Given one record refused by two services, then an id names the letter of one of them."""
    key, value = echo.value(request("s1", 1))
    (arrival,) = arrive(Codec(), [Record(BY_NAME[REQUESTED], 0, 7, 0, key, value)])
    failed = arrival.failed(Rejected("no", "no"))
    names = ("approver", "reporter", "approver")
    first, other, again = (letters.row(name, failed).dead_letter_id for name in names)
    assert first == again != other


def test_a_refused_value_is_told_without_the_row_it_stood_in(echo: Echo) -> None:
    """Given values that the database refuses, then each letter names the first cause, shortly."""
    echo.joined()
    echo.publish(*(request(f"s{n}", 1, total=2_000_000 * (n % 2)) for n in range(40)))
    echo.until(lambda: len(echo.held()) == 20)
    for row in echo.query("SELECT message, stacktrace FROM held_record"):
        told = row.message + row.stacktrace
        assert "psycopg.errors.CheckViolation" in told
        assert len(row.message) < 500
        assert "Failing row" not in told
        assert "2000000" not in told
        assert told.count("which led to") == 1


def test_a_conflict_holds_no_key(echo: Echo) -> None:
    """Given a conflict, then no key is held and none is counted: it raises no alert."""
    conflict(echo)
    assert echo.count("held_key") == 0
    assert parked_keys(echo) == 0
    echo.publish(request("s2", 1, "reject"))
    echo.until(lambda: echo.count("held_key") == 1)
    assert parked_keys(echo) == 1


@pytest.mark.parametrize(("decision", "ends"), [("discard", "discarded"), ("replay", "dead")])
def test_a_conflict_is_decided_about_all_the_same(
    echo: Echo, decision: Decision, ends: str
) -> None:
    """Given a conflict, when it is discarded it is closed; replayed, it is one again."""
    letter = conflict(echo)
    assert decide(echo.settings, [letter], decision, "tester", "seen") == 1
    echo.until(lambda: echo.count("held_key") == 0)
    (after,) = echo.letters(Filter(closed=True))
    assert (after.state, after.replay_count) == (ends, int(decision == "replay"))
    echo.publish(request("s1", 3))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,3,"})


# ---------------------------------------------------------------- compared with what was applied


def difference(echo: Echo, letter: DeadLetter) -> Difference:
    """How a letter's record differs from the applied one."""
    found = content(echo.settings, letter, redact=True).difference
    assert found is not None
    return found


def test_a_conflict_shows_field_by_field_what_differs(echo: Echo) -> None:
    """Given a conflict, then where the applied record stands, and each field that differs."""
    found = difference(echo, conflict(echo))
    assert found.origin.startswith(f"{REQUESTED}/")
    assert found.fields == (Field("requested_by", "test", "another"),)
    assert found.problem is None


def test_a_conflict_is_compared_with_the_mended_value_that_was_applied(echo: Echo) -> None:
    """Given a record that was mended, then a later one is compared with what took its place."""
    echo.publish(request("s1", 1, "reject"))
    echo.until(lambda: len(echo.held()) == 1)
    (letter,) = echo.letters(Filter())
    mend(echo.settings, letter, request("s1", 1), "tester", "mended")
    echo.until(lambda: echo.subjects() == {"s1": "1,"})
    (mended,) = echo.letters(Filter(closed=True))
    assert content(echo.settings, mended, redact=True).difference is None
    echo.publish(request("s1", 1, total=7))
    echo.until(lambda: len(echo.held()) == 2)
    (letter,) = echo.letters(Filter())
    assert difference(echo, letter).fields == (Field("net_total", "1.0000", "7.0000"),)


def test_a_record_that_is_gone_is_said_to_be(echo: Echo) -> None:
    """Given a conflict with a record that the topic no longer holds, then that is said."""
    letter = conflict(echo)
    empty_topics(echo.settings)
    found = difference(echo, letter)
    assert found.fields == ()
    assert "no longer holds it" in (found.problem or "")


# ---------------------------------------------------------------- found and decided about


def test_letters_are_found_by_age(echo: Echo) -> None:
    """Given a letter of a moment ago, then it is newer than an hour and not older than one."""
    letter, hour = conflict(echo), timedelta(hours=1)
    assert echo.letters(Filter(newer_than=hour, ids=(letter.id,))) == [letter]
    assert echo.letters(Filter(older_than=hour)) == []
    echo.query("UPDATE held_record SET failed_at = failed_at - interval '2 hours'")
    assert echo.letters(Filter(newer_than=hour)) == []
    assert [one.id for one in echo.letters(Filter(older_than=hour))] == [letter.id]


def test_a_decision_needs_a_reason(echo: Echo) -> None:
    """Given a blank reason, then nothing is decided: the audit would say nothing."""
    letter = conflict(echo)
    for why in ("", "  "):
        with pytest.raises(ConfigurationError, match="say why"):
            decide(echo.settings, [letter], "discard", "tester", why)
        with pytest.raises(ConfigurationError, match="say why"):
            mend(echo.settings, letter, request("s1", 1), "tester", why)
    assert echo.letters(Filter()) == [letter]


def test_a_correction_that_is_another_fact_is_refused(echo: Echo) -> None:
    """Given a corrected value of another business key, then it is refused: it is a new record."""
    echo.publish(request("s1", 1, "reject"))
    echo.until(lambda: len(echo.held()) == 1)
    (letter,) = echo.letters(Filter())
    with pytest.raises(Invalid, match="keeps what makes it unique"):
        mend(echo.settings, letter, request("s1", 2), "tester", "wrong")


def test_thousands_are_decided_about_in_portions_at_a_bounded_rate(echo: Echo) -> None:
    """Given 1,200 letters, then each is marked once, with progress, no faster than was said."""
    echo.query(
        "INSERT INTO held_record (topic, lane, state, partition, position, timestamp_ms, headers,"
        " dead_letter_id, stage, code, message, attempts, first_failed_at, failed_at)"
        " SELECT :topic, convert_to('DE01/s' || n, 'UTF8'), 'dead', 0, n, 0, '[]',"
        " gen_random_uuid(), 'handle', 'echo-refused', 'no', 1, now(), now()"
        " FROM generate_series(1, 1200) n",
        topic=REQUESTED,
    )
    found, steps, started = echo.letters(Filter()), list[int](), monotonic()
    done = decide(
        echo.settings, found, "discard", "tester", "all", per_s=1000, progress=steps.append
    )
    assert (done, steps) == (1200, [500, 1000, 1200])
    assert monotonic() - started >= 1.0
    assert echo.count("held_key") == 1200
    assert decide(echo.settings, found[:3], "replay", "another", "late") == 0
