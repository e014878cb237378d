"""Dead letters: how they end, by people, by a mended version, by a newer revision; in order."""

from dataclasses import replace
from itertools import pairwise
from typing import cast

import pytest

from shared.dead_letter_content import content
from shared.dead_letters import DeadLetter, Filter, decide, mend
from shared.errors import Invalid
from shared.events.base import Event
from shared.events.billing import ReviewRequested
from shared.ids import cause_id
from shared.topology import BY_EVENT, BY_NAME, Topic
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import DECIDED, REQUESTED, policy, request

INVALID_NOTE = "x" * 3000


def invalid(subject: str, version: int) -> ReviewRequested:
    """A request that decodes, but whose requester's name is longer than the contract says."""
    return request(subject, version).model_copy(update={"requested_by": INVALID_NOTE})


def the_letter(echo: Echo) -> DeadLetter:
    """The one open dead letter."""
    (letter,) = echo.letters(Filter())
    return letter


@pytest.fixture
def revised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the topic of the requests declare that the subject's version is a rising revision."""
    topic = replace(BY_NAME[REQUESTED], revision="subject_version")
    monkeypatch.setitem(cast("dict[str, Topic]", BY_NAME), REQUESTED, topic)
    event: type[Event] = ReviewRequested
    monkeypatch.setitem(cast("dict[type[Event], Topic]", BY_EVENT), event, topic)


def dead_and_parked(echo: Echo) -> DeadLetter:
    """A dead letter with two records of its key behind it."""
    echo.publish(request("s1", 1, "reject:no"), request("s1", 2), request("s1", 3))
    echo.until(lambda: len(echo.held()) == 3)
    return the_letter(echo)


# ---------------------------------------------------------------- by people


def test_a_letter_tells_people_what_failed_and_what_waits_behind(echo: Echo) -> None:
    """Given a dead letter, when an operator looks, then reason, key, place, value and queue."""
    letter = dead_and_parked(echo)
    assert (letter.service, letter.topic, letter.key) == ("approver", REQUESTED, "DE01/s1")
    assert (letter.stage, letter.code, letter.behind) == ("handle", "echo-refused", 2)
    assert letter.id == cause_id(
        "dead-letter", "approver", REQUESTED, letter.partition, letter.offset
    )
    found = content(echo.settings, letter, redact=True)
    assert '"subject_id": "s1"' in found.value
    assert (found.mended, letter.history) == (None, None)
    assert echo.letters(Filter(code="echo-refused", key="DE01/s1")) == [letter]
    assert echo.letters(Filter(key="DE01/s2")) == echo.letters(Filter(code="other")) == []


def test_a_replay_that_fails_again_stays_first_and_counts(echo: Echo) -> None:
    """Given a decision to replay what still fails, then it is dead again, its key still queues."""
    letter = dead_and_parked(echo)
    assert decide(echo.settings, [letter], "replay", "tester", "try again") == 1
    echo.until(lambda: the_letter(echo).replay_count == 1)
    again = the_letter(echo)
    assert again.attempts == letter.attempts + 1
    assert again.first_failed_at == letter.first_failed_at < again.failed_at
    assert again.decision is None
    assert again.behind == 2
    assert echo.subjects() == {}
    copies = echo.published(f"{REQUESTED}.approver.dlq")
    assert [dict(copy.headers())["dlq.replay.count"] for copy in copies] == [b"0", b"1"]
    assert [dict(copy.headers())["dlq.attempts"] for copy in copies] == [b"1", b"2"]
    first = {dict(copy.headers())["dlq.first_failed_at"] for copy in copies}
    assert first == {letter.first_failed_at.isoformat().encode()}


def test_a_corrected_value_replaces_the_broken_one_and_both_are_kept(echo: Echo) -> None:
    """Given a value corrected by an operator, then it is applied in its place, before the rest."""
    letter = dead_and_parked(echo)
    corrected = request("s1", 1)
    assert mend(echo.settings, letter, corrected, "tester", "the reason was wrong") == 1
    assert mend(echo.settings, letter, corrected, "tester", "twice") == 0
    echo.until(lambda: echo.subjects() == {"s1": "1,2,3,"})
    (closed,) = echo.letters(Filter(closed=True))
    assert (closed.state, closed.replay_count) == ("replayed", 1)
    found = content(echo.settings, closed, redact=True)
    assert '"code": "reject"' in found.value
    assert found.mended is not None
    assert '"code": "reject"' not in found.mended
    assert closed.history is not None
    assert "by tester" in closed.history
    assert "the reason was wrong" in closed.history
    echo.until(lambda: len(echo.published(DECIDED)) == 3)
    assert echo.held() == [("replayed", "echo-refused")]


def test_a_correction_under_another_key_is_refused(echo: Echo) -> None:
    """Given a corrected value of another key or topic, then it is refused: it would jump queues."""
    letter = dead_and_parked(echo)
    for wrong in (request("s2", 1), policy("p1")):
        with pytest.raises(Invalid, match="keeps the topic and the key"):
            mend(echo.settings, letter, wrong, "tester", "wrong")
    assert the_letter(echo) == letter


def test_deciding_twice_is_deciding_once(echo: Echo) -> None:
    """Given two decisions on one letter before the service looks, then the first one holds."""
    letter = dead_and_parked(echo)
    assert decide(echo.settings, [letter], "discard", "tester", "not wanted") == 1
    assert decide(echo.settings, [letter], "replay", "another", "wanted") == 0
    echo.until(lambda: echo.subjects() == {"s1": "2,3,"})
    assert decide(echo.settings, [letter], "replay", "another", "too late") == 0
    (closed,) = echo.letters(Filter(closed=True))
    assert (closed.state, closed.decision, closed.behind) == ("discarded", "discard", 0)
    assert echo.letters(Filter()) == []


def test_a_replay_after_its_effect_changes_nothing(echo: Echo) -> None:
    """Given a letter replayed and applied, when it is replayed and sent again, then once."""
    letter = dead_and_parked(echo)
    mend(echo.settings, letter, request("s1", 1), "tester", "mended")
    echo.until(lambda: echo.subjects() == {"s1": "1,2,3,"})
    assert decide(echo.settings, [letter], "replay", "tester", "again") == 0
    echo.publish(request("s1", 1), request("s1", 4))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,3,4,"})


def test_a_letter_that_waits_after_its_replay_is_still_on_record(echo: Echo) -> None:
    """Given a replayed letter that then waits for a fact, when it is applied, it is kept."""
    letter = dead_and_parked(echo)
    mend(echo.settings, letter, request("s1", 1, "wait:p1"), "tester", "needs its policy")
    echo.until(lambda: echo.held()[0][0] == "waiting")
    echo.publish(policy("p1"))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,3,"})
    (closed,) = echo.letters(Filter(closed=True))
    assert (closed.id, closed.state) == (letter.id, "replayed")


# ---------------------------------------------------------------- by a mended version


@pytest.mark.parametrize("broken", [invalid("s1", 1), request("s1", 1, "reject")])
def test_a_mended_version_takes_the_place_of_the_broken_one(
    echo: Echo, broken: ReviewRequested
) -> None:
    """Given a record of the business key of a dead letter, then it is applied in its place."""
    echo.publish(broken, request("s1", 2))
    echo.until(lambda: len(echo.held()) == 2)
    code = the_letter(echo).code
    assert code in {"field-invalid", "echo-refused"}
    echo.publish(request("s1", 3), request("s1", 1))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,3,"})
    assert echo.held() == [("replayed", code)]
    assert echo.count("held_key") == 0
    (row,) = echo.query("SELECT decided_by, decision_reason FROM held_record")
    assert row.decided_by == "producer"
    assert row.decision_reason.startswith(f"sent again: {REQUESTED}/")


@pytest.mark.parametrize("broken", [invalid("s1", 1), request("s1", 1, "reject")])
def test_broken_and_mended_in_one_batch_need_nobody(echo: Echo, broken: ReviewRequested) -> None:
    """Given both versions and more of the key in one batch, then all are applied in order."""
    echo.joined()
    echo.publish(broken, request("s1", 2), request("s1", 1), request("s1", 3))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,3,"})
    assert [state for state, _ in echo.held()] == ["replayed"]
    assert echo.count("held_key") == 0


def test_what_was_mended_twice_differently_is_a_conflict(echo: Echo) -> None:
    """Given two mended versions that differ, then the first is applied, the second is kept."""
    echo.publish(invalid("s1", 1))
    echo.until(lambda: len(echo.held()) == 1)
    echo.publish(request("s1", 1), request("s1", 1, note="another"), request("s1", 2))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,"})
    assert sorted(echo.held()) == [("dead", "conflict"), ("replayed", "field-invalid")]


def test_a_second_broken_version_queues_until_a_sound_one_comes(echo: Echo) -> None:
    """Given two broken versions, then a sound one takes the first place, the second is kept."""
    echo.publish(invalid("s1", 1), invalid("s1", 1), request("s1", 2))
    broken = [("dead", "field-invalid"), ("parked", None), ("parked", None)]
    echo.until(lambda: echo.held() == broken)
    echo.publish(request("s1", 1))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,"})
    assert sorted(echo.held()) == [("dead", "field-invalid"), ("replayed", "field-invalid")]


def test_a_broken_repeat_of_what_was_applied_holds_nothing_up(echo: Echo) -> None:
    """Given an invalid record of an applied business key, then it is kept, the key goes on."""
    echo.publish(request("s1", 1))
    echo.until(lambda: echo.subjects() == {"s1": "1,"})
    echo.publish(invalid("s1", 1), request("s1", 2))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,"})
    assert echo.held() == [("dead", "field-invalid")]


# ---------------------------------------------------------------- by a newer revision


@pytest.mark.usefixtures("revised")
@pytest.mark.parametrize("broken", [invalid("s1", 5), request("s1", 5, "reject")])
def test_a_newer_revision_supersedes_a_dead_letter_and_flows(
    echo: Echo, broken: ReviewRequested
) -> None:
    """Given a topic with a revision, then a newer record ends the older one's dead letter."""
    echo.publish(broken)
    echo.until(lambda: len(echo.held()) == 1)
    code = the_letter(echo).code
    echo.publish(request("s1", 4))
    echo.until(lambda: echo.held() == [("dead", code), ("parked", None)])
    echo.publish(request("s1", 6), request("s1", 7))
    echo.until(lambda: echo.subjects() == {"s1": "4,6,7,"})
    assert echo.held() == [("superseded", code)]
    assert echo.count("held_key") == 0


@pytest.mark.usefixtures("revised")
def test_a_newer_revision_of_the_same_batch_supersedes_too(echo: Echo) -> None:
    """Given the broken and the newer record in one batch, then nobody is needed."""
    echo.joined()
    echo.publish(request("s1", 5, "reject"), request("s1", 6), request("s2", 1))
    echo.until(lambda: echo.subjects() == {"s1": "6,", "s2": "1,"})
    assert echo.held() == [("superseded", "echo-refused")]


@pytest.mark.usefixtures("revised")
def test_a_newer_revision_behind_a_decided_letter_supersedes_when_that_fails(echo: Echo) -> None:
    """Given a replay under way and a newer record, when the replay fails, then the newer flows."""
    echo.publish(request("s1", 5, "reject"))
    echo.until(lambda: len(echo.held()) == 1)
    echo.query("UPDATE held_record SET decision = 'replay'")  # the key is not yet to be taken up
    echo.publish(request("s1", 6))
    echo.until(lambda: echo.held() == [("dead", "echo-refused"), ("parked", None)])
    echo.query("UPDATE held_key SET ready = true")
    echo.until(lambda: echo.subjects() == {"s1": "6,"})
    assert echo.held() == [("superseded", "echo-refused")]


# ---------------------------------------------------------------- in a batch, on the record


def test_what_a_batch_has_applied_is_not_applied_again_while_a_refusal_is_traced(
    echo: Echo,
) -> None:
    """Given a repeat on the other side of a refused record, then it is a duplicate."""
    echo.joined()
    duplicates = metric("consumer_records_total", topic=REQUESTED, result="duplicate")
    bisected = metric("consumer_bisect_attempts_total")
    batch = [request("s1", 1), request("s2", 1, total=2_000_000), request("s3", 1)]
    echo.raws([(REQUESTED, *echo.value(event)) for event in [*batch, *batch]], 0)
    echo.until(lambda: echo.subjects() == {"s1": "1,", "s3": "1,"})
    after = metric("consumer_records_total", topic=REQUESTED, result="duplicate")
    assert after == duplicates + 2
    assert metric("consumer_bisect_attempts_total") > bisected
    echo.until(lambda: the_letter(echo).replay_count == 1)  # its repeat was tried in its place
    assert echo.held() == [("dead", "database-refused")]
    echo.until(lambda: len(echo.published(DECIDED)) == 2)


def test_the_published_copy_says_all_and_changes_nothing(echo: Echo) -> None:
    """Given a dead letter, then its copy is the record byte for byte, with why it failed."""
    key, value = echo.value(request("s1", 1, "bug"))
    echo.raw(REQUESTED, key, value)
    echo.until(lambda: echo.published(f"{REQUESTED}.approver.dlq"))
    (original,) = echo.published(REQUESTED)
    (copy,) = echo.published(f"{REQUESTED}.approver.dlq")
    assert (copy.key(), copy.value()) == (key, value)
    headers = dict(copy.headers())
    letter = the_letter(echo)
    assert headers["dlq.id"] == str(letter.id).encode()
    assert headers["dlq.original.topic"] == REQUESTED.encode()
    assert headers["dlq.original.partition"] == b"%d" % original.partition()
    assert headers["dlq.original.offset"] == b"%d" % original.offset()
    assert headers["dlq.original.timestamp"] == b"%d" % original.timestamp()[1]
    assert headers["dlq.consumer.group"] == b"approver"
    assert headers["dlq.stage"] == b"handle"
    assert headers["dlq.error.code"] == b"handler-bug"
    assert headers["dlq.error.class"] == b"ZeroDivisionError"
    assert b"a bug in the handler" in headers["dlq.error.message"]
    assert b"_misbehave" in headers["dlq.error.stacktrace"]
    assert headers["dlq.attempts"] == b"3"
    assert headers["dlq.replay.count"] == b"0"
    times = ["dlq.first_failed_at", "dlq.failed_at"]
    assert all(left <= right for left, right in pairwise(headers[name] for name in times))


def test_headers_and_text_of_any_kind_reach_the_letter(make_echo: MakeEcho) -> None:
    """Given a reason in many scripts with a zero byte in it, then row and copy hold it."""
    echo = make_echo()
    words = "Prüfung \u65e5\u672c\u8a9e"
    echo.publish(request("s1", 1, f"reject:{words}"))
    echo.until(lambda: echo.published(f"{REQUESTED}.approver.dlq"))
    (copy,) = echo.published(f"{REQUESTED}.approver.dlq")
    assert words in dict(copy.headers())["dlq.error.message"].decode()
    assert words in the_letter(echo).message
    assert BY_EVENT[ReviewRequested].name == REQUESTED
