"""A delivery is tried by schedule, ends in one state, and a stale reminder never leaves."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.delivery import (
    AT_ONCE,
    ATTEMPTS_MAX,
    Deferred,
    Outcome,
    Refused,
    Sent,
    Standing,
    State,
    Untried,
    Withheld,
    before_trying,
    channel_of,
    delivery_id,
    settle,
)
from shared.events.masterdata import Channel

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
LATER = Deferred("recipient-deferred", "450 try later")
OPEN = Decimal("10.00")


def test_the_schedule_is_a_minute_to_a_day() -> None:
    waits = [settle(LATER, n, n, NOW).due_at for n in range(1, ATTEMPTS_MAX)]

    assert [due - NOW for due in waits if due] == [
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=8),
        timedelta(hours=24),
    ]


def test_after_the_last_attempt_it_has_failed_and_says_why() -> None:
    assert settle(LATER, 9, ATTEMPTS_MAX, NOW) == Standing(
        State.FAILED, 9, code="attempts-exhausted", reason="recipient-deferred: 450 try later"
    )


@pytest.mark.parametrize("outcome", [Refused("no-user", "550"), LATER, Untried()])
def test_what_failed_while_it_was_mended_is_the_0th_attempt_of_a_new_round(
    outcome: Outcome,
) -> None:
    assert settle(outcome, 3, 0, NOW) == Standing(State.PENDING, 3, AT_ONCE)


@pytest.mark.parametrize(
    ("outcome", "standing"),
    [
        (Sent(), Standing(State.DELIVERED, 3)),
        (Refused("no-user", "550"), Standing(State.FAILED, 3, None, "no-user", "550")),
        (Withheld("dunning-hold"), Standing(State.WITHHELD, 3, code="dunning-hold")),
        (Untried(), Standing(State.PENDING, 2, AT_ONCE)),
    ],
)
def test_every_other_outcome_has_its_standing(outcome: Outcome, standing: Standing) -> None:
    assert settle(outcome, 3, 1, NOW) == standing


outcomes = st.sampled_from(
    [Sent(), Refused("content-refused", "554"), LATER, Withheld("superseded"), Untried()]
)


@given(st.lists(outcomes, min_size=1, max_size=40))
def test_however_it_goes_it_ends_after_a_bounded_number_of_attempts(course: list[Outcome]) -> None:
    attempts, standing = 0, Standing(State.PENDING, 0, AT_ONCE)
    for outcome in course:
        attempts += 1
        standing = settle(outcome, attempts, attempts, NOW)
        attempts = standing.attempts
        assert (standing.due_at is None) == (standing.state is not State.PENDING)
        if standing.due_at is None:
            break

    assert attempts <= ATTEMPTS_MAX
    if course.count(LATER) >= ATTEMPTS_MAX:
        assert standing.due_at is None


def test_a_document_goes_out_whatever_is_owed() -> None:
    assert before_trying(1, 0, 3, Decimal(0), on_hold=True) is None


def test_a_reminder_goes_out_while_something_may_be_demanded() -> None:
    assert before_trying(1, 2, 2, OPEN, on_hold=False) is None


@pytest.mark.parametrize(
    ("stage", "newest", "demandable", "on_hold", "code"),
    [
        (1, 1, Decimal(0), False, "nothing-demandable"),
        (1, 1, OPEN, True, "dunning-hold"),
        (1, 2, OPEN, False, "superseded"),
    ],
)
def test_a_reminder_that_nobody_wants_any_more_is_withheld(
    stage: int, newest: int, demandable: Decimal, *, on_hold: bool, code: str
) -> None:
    assert before_trying(1, stage, newest, demandable, on_hold=on_hold) == Withheld(code)


def test_what_was_cut_off_every_time_is_not_tried_for_ever() -> None:
    assert before_trying(ATTEMPTS_MAX, 0, 0, OPEN, on_hold=False) is None
    refusal = before_trying(ATTEMPTS_MAX + 1, 0, 0, OPEN, on_hold=False)

    assert isinstance(refusal, Refused)
    assert refusal.code == "attempts-exhausted"


def test_the_id_follows_from_document_stage_and_recipient() -> None:
    first = delivery_id("DE01", "I1", "invoice", 0, "P1")

    assert first == delivery_id("DE01", "I1", "invoice", 0, "P1")
    others = {
        delivery_id("DE02", "I1", "invoice", 0, "P1"),
        delivery_id("DE01", "I2", "invoice", 0, "P1"),
        delivery_id("DE01", "I1", "reminder", 0, "P1"),
        delivery_id("DE01", "I1", "invoice", 1, "P1"),
        delivery_id("DE01", "I1", "invoice", 0, "P2"),
    }
    assert len(others | {first}) == 6


def test_a_channel_that_is_not_known_yet_falls_back_to_mail() -> None:
    assert channel_of(Channel.UNKNOWN) is Channel.EMAIL
    assert channel_of(Channel.FILE_DROP) is Channel.FILE_DROP
