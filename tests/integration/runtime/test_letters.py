"""Dead letters as an operator meets them: found, told apart, compared, decided about."""

import pytest

from shared.codec.codec import Codec
from shared.dead_letters import DeadLetter, Decision, Filter, decide
from shared.errors import Rejected
from shared.runtime import letters
from shared.runtime.records import Record, arrive
from shared.topology import BY_NAME
from tests.integration.runtime.bench import Echo, metric
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
