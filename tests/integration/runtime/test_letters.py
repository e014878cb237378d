"""Dead letters as an operator meets them: found, told apart, compared, decided about."""

import pytest

from shared.codec.codec import Codec
from shared.dead_letters import DeadLetter, Filter, decide
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


def test_a_conflict_holds_no_key(echo: Echo) -> None:
    """Given a conflict, then no key is held and none is counted: it raises no alert."""
    conflict(echo)
    assert echo.count("held_key") == 0
    assert parked_keys(echo) == 0
    echo.publish(request("s2", 1, "reject"))
    echo.until(lambda: echo.count("held_key") == 1)
    assert parked_keys(echo) == 1


@pytest.mark.parametrize(("decision", "ends"), [("discard", "discarded"), ("replay", "dead")])
def test_a_conflict_is_decided_about_all_the_same(echo: Echo, decision: str, ends: str) -> None:
    """Given a conflict, when it is discarded it is closed; replayed, it is one again."""
    letter = conflict(echo)
    assert decide(echo.settings, [letter], "discard" if decision == "discard" else "replay",
                  "tester", "seen") == 1  # fmt: skip
    echo.until(lambda: echo.count("held_key") == 0)
    (after,) = echo.letters(Filter(closed=True))
    assert (after.state, after.replay_count) == (ends, int(decision == "replay"))
    echo.publish(request("s1", 3))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,3,"})
