"""The life of one delivery: tried, tried again by schedule, delivered, failed, or withheld.

Times here are system time: mail servers recover in real time, whatever the business clock says.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from shared.events.masterdata import Channel
from shared.ids import cause_id

REMINDER: Final = "reminder"
"""The document kind of a reminder; the stage of any other document is 0."""
AT_ONCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The due time of what nobody has tried yet."""
RETRY_AFTER: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
    timedelta(hours=24),
)
ATTEMPTS_MAX: Final = len(RETRY_AFTER) + 1
LEASE: Final = timedelta(minutes=10)
"""Longer than any one mail can take: what is still `sending` after it was cut off by a crash."""


class State(StrEnum):
    """Where a delivery stands; `due_at` is set in the first two only."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    WITHHELD = "withheld"


@dataclass(frozen=True)
class Sent:
    """The channel took it."""


@dataclass(frozen=True)
class Refused:
    """It will never be taken as it is: a person has to mend what `code` names."""

    code: str
    reason: str


@dataclass(frozen=True)
class Deferred:
    """Not taken now; `is_ambiguous` when it may have been taken and only the answer was lost."""

    code: str
    reason: str
    is_ambiguous: bool = False


@dataclass(frozen=True)
class Withheld:
    """A reminder that is not wanted any more."""

    code: str


@dataclass(frozen=True)
class Untried:
    """Claimed, but its turn did not come."""


Outcome = Sent | Refused | Deferred | Withheld | Untried


@dataclass(frozen=True)
class Standing:
    """What an outcome makes of a delivery."""

    state: State
    attempts: int
    due_at: datetime | None = None
    code: str | None = None
    reason: str | None = None


def delivery_id(
    legal_entity_id: str, invoice_id: str, document_kind: str, stage: int, contact_id: str
) -> str:
    """The id of a delivery, and of its mail: the same document to the same person is the same."""
    parts = (legal_entity_id, invoice_id, document_kind, stage, contact_id)
    return str(cause_id("delivery", *parts))


def channel_of(preferred: Channel) -> Channel:
    """The channel to use; one that this version does not know yet falls back to e-mail."""
    return Channel.EMAIL if preferred is Channel.UNKNOWN else preferred


def before_trying(
    round_no: int, stage: int, newest_stage: int, demandable: Decimal, *, on_hold: bool
) -> Refused | Withheld | None:
    """Why the `round_no`-th attempt (from 1) must not be made, or None where it may.

    A reminder (`stage` above 0) is checked against what is known at this very moment.
    """
    if stage and demandable <= 0:
        return Withheld("nothing-demandable")
    if stage and on_hold:
        return Withheld("dunning-hold")
    if stage and stage < newest_stage:
        return Withheld("superseded")
    if round_no > ATTEMPTS_MAX:
        return Refused("attempts-exhausted", "every attempt was cut off before its answer")
    return None


def settle(outcome: Outcome, attempts: int, round_no: int, now: datetime) -> Standing:
    """Where a delivery stands after its `attempts`-th attempt, the `round_no`-th of this round.

    A round begins with the request, and again whenever the contact is mended; an attempt that was
    under way at that moment is the 0th of the new round, and its failure says nothing.
    """
    if isinstance(outcome, Sent):
        return Standing(State.DELIVERED, attempts)
    if isinstance(outcome, Withheld):
        return Standing(State.WITHHELD, attempts, code=outcome.code)
    if isinstance(outcome, Untried) or round_no == 0:
        return Standing(State.PENDING, attempts - min(round_no, 1), AT_ONCE)
    if isinstance(outcome, Refused):
        return Standing(State.FAILED, attempts, code=outcome.code, reason=outcome.reason)
    if round_no < ATTEMPTS_MAX:
        due_at = now + RETRY_AFTER[round_no - 1]
        return Standing(State.PENDING, attempts, due_at, outcome.code, outcome.reason)
    reason = f"{outcome.code}: {outcome.reason}"
    return Standing(State.FAILED, attempts, code="attempts-exhausted", reason=reason)
