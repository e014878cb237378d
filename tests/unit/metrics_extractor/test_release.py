"""When a completed job may be billed, whatever order the facts arrive in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from services.metrics_extractor.domain.release import State, Verdict, verdict
from shared.events.production import EndStatus, JobCompleted, Quality
from tests.unit.metrics_extractor.builders import NOON, job

BEFORE, AFTER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)


@dataclass(frozen=True)
class Said:
    """A decision as it is kept."""

    quality: str
    decided_at: datetime
    revision: int | None = None
    message_id: str = "q1"


def passed(decided_at: datetime, revision: int | None = None, message_id: str = "q1") -> Said:
    return Said(Quality.PASSED.value, decided_at, revision, message_id)


def failed(decided_at: datetime, revision: int | None = None, message_id: str = "q2") -> Said:
    return Said(Quality.FAILED.value, decided_at, revision, message_id)


def outcome(completed: JobCompleted, *decisions: Said, reports: int = 0) -> str:
    """The reason why the job is not released, or "released"; the same in every order."""
    found = {verdict(completed, order, reports) for order in permutations(decisions)}
    (only,) = found
    assert (only.reason is None) == (only.state is State.EXTRACTED)
    return only.reason or "released"


PASSED = job()
UNDECIDED = job(quality=Quality.UNKNOWN)
FAILED = job(quality=Quality.FAILED)
ABORTED = job(end_status=EndStatus.ABORTED)
ENDLESS = job(end_status=EndStatus.UNKNOWN)


def test_a_job_that_passed_is_released() -> None:
    assert outcome(PASSED) == "released"


@pytest.mark.parametrize(
    ("completed", "reason"),
    [
        (UNDECIDED, "quality-unknown"),
        (FAILED, "quality-failed"),
        (ABORTED, "run-aborted"),
        (ENDLESS, "end-status-unknown"),
        (job(end_status=EndStatus.ABORTED, quality=Quality.FAILED), "quality-failed"),
    ],
)
def test_a_job_that_did_not_is_not_until_a_later_decision_releases_it(
    completed: JobCompleted, reason: str
) -> None:
    assert outcome(completed) == reason
    assert outcome(completed, passed(AFTER)) == "released"
    assert outcome(completed, passed(NOON)) == "released"
    assert outcome(completed, passed(BEFORE, revision=1)) == "released"
    assert outcome(completed, failed(AFTER)) == "quality-failed"


def test_an_earlier_decision_on_the_job_fills_only_what_is_left_open() -> None:
    """Sheets passed before the run ended do not release a run that was broken off or failed."""
    assert outcome(UNDECIDED, passed(BEFORE)) == "released"
    assert outcome(FAILED, passed(BEFORE)) == "quality-failed"
    assert outcome(ABORTED, passed(BEFORE)) == "run-aborted"
    assert outcome(PASSED, failed(BEFORE)) == "released"


def test_the_newest_decision_holds() -> None:
    later = AFTER + timedelta(hours=1)
    assert outcome(UNDECIDED, passed(AFTER), failed(later)) == "quality-failed"
    assert outcome(UNDECIDED, failed(AFTER), passed(later)) == "released"
    assert outcome(PASSED, failed(AFTER)) == "quality-failed"


def test_of_two_decisions_of_one_instant_always_the_same_holds() -> None:
    assert outcome(UNDECIDED, passed(AFTER, message_id="q3"), failed(AFTER)) == "released"


def test_a_decision_on_another_revision_says_nothing() -> None:
    assert outcome(UNDECIDED, passed(AFTER, revision=2)) == "quality-unknown"
    assert outcome(PASSED, failed(AFTER, revision=2)) == "released"


def test_a_released_job_waits_for_the_reports_it_expects() -> None:
    """Reports and completed job travel on topics of their own; none may be left out of the bill."""
    expecting = job(reports_expected=2)
    assert outcome(expecting, reports=1) == "reports-missing"
    assert outcome(expecting, reports=2) == "released"
    assert outcome(expecting, reports=3) == "released"
    assert outcome(job(reports_expected=2, quality=Quality.FAILED), reports=1) == "quality-failed"


def test_each_reason_belongs_to_one_state() -> None:
    assert verdict(FAILED, (), 0) == Verdict(State.NOT_BILLABLE, "quality-failed")
    assert verdict(ABORTED, (), 0) == Verdict(State.NOT_BILLABLE, "run-aborted")
    assert verdict(UNDECIDED, (), 0).state is State.WAITING_QUALITY
    assert verdict(ENDLESS, (), 0).state is State.WAITING_QUALITY
    assert verdict(job(reports_expected=1), (), 0).state is State.AWAITING_REPORTS
