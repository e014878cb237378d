"""Whether a completed job may be billed: quality control, the end of the run, missing reports.

The answer depends on what is known, never on the order in which it arrived.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.events.production import EndStatus, JobCompleted, Quality


class State(StrEnum):
    """Where a job stands here; the stored values are part of the tables."""

    GATHERING = "gathering"
    AWAITING_REPORTS = "awaiting_reports"
    WAITING_QUALITY = "waiting_quality"
    NOT_BILLABLE = "not_billable"
    EXTRACTED = "extracted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state a completed job comes to, and why it is not released; no reason means released."""

    state: State
    reason: str | None = None


class Decision(Protocol):
    """Quality control's word, as it is kept."""

    @property
    def revision(self) -> int | None:
        """The revision it speaks of, or None for the job."""
        ...

    @property
    def quality(self) -> str:
        """A value of `Quality`, never UNKNOWN."""
        ...

    @property
    def decided_at(self) -> datetime:
        """When, UTC."""
        ...

    @property
    def message_id(self) -> str:
        """Settles which of two decisions of one instant is the later."""
        ...


RELEASED = Verdict(State.EXTRACTED)


def verdict(completed: JobCompleted, decisions: Iterable[Decision], reports: int) -> Verdict:
    """What becomes of `completed`, given all `decisions` on its job and the count of `reports`.

    The newest decision that binds holds, otherwise what the completed job itself says of its
    quality. A run that did not end well needs a decision that releases it.
    """
    binding = [decision for decision in decisions if _binds(decision, completed)]
    newest = max(binding, key=lambda d: (d.decided_at, d.message_id), default=None)
    quality = Quality(newest.quality) if newest else completed.quality
    if quality is Quality.FAILED:
        return Verdict(State.NOT_BILLABLE, "quality-failed")
    if newest is None and completed.end_status is EndStatus.ABORTED:
        return Verdict(State.NOT_BILLABLE, "run-aborted")
    if newest is None and completed.end_status is not EndStatus.COMPLETED:
        return Verdict(State.WAITING_QUALITY, "end-status-unknown")
    if quality is Quality.UNKNOWN:
        return Verdict(State.WAITING_QUALITY, "quality-unknown")
    if reports < (completed.reports_expected or 0):
        return Verdict(State.AWAITING_REPORTS, "reports-missing")
    return RELEASED


def _binds(decision: Decision, completed: JobCompleted) -> bool:
    """Whether `decision` speaks of this revision.

    One that names no revision speaks of the job as it was then: it binds a job completed later
    only where that one ended well and leaves its quality open.
    """
    if decision.revision is not None:
        return decision.revision == completed.revision
    if decision.decided_at >= completed.completed_at:
        return True
    is_open = completed.quality is Quality.UNKNOWN
    return is_open and completed.end_status is EndStatus.COMPLETED
