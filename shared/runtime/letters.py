"""Dead letters as rows and as published copies: the record byte for byte, and why it failed."""

from uuid import UUID

from shared import held
from shared.clock import system_now
from shared.errors import Rejected, Unquoted, kind_of, stack_of
from shared.held import Held, Queued
from shared.ids import cause_id
from shared.outbox import Outgoing
from shared.runtime.records import Arrival, headers_json
from shared.topology import BY_NAME, WHOLE, Topic

_TEXT_MAX = 8_000


def row(service: str, arrival: Arrival) -> Held:
    """The row of a record that failed in `service`."""
    failure, now = _failure(arrival), system_now()
    return held.row_of(
        arrival,
        "dead",
        dead_letter_id=_id(service, arrival),
        stage=failure.stage,
        code=failure.code,
        error_class=kind_of(failure.__cause__ or failure),
        message=_text(_message(arrival.record.topic, failure)[:_TEXT_MAX]),
        stacktrace=_stack(arrival.record.topic, failure),
        attempts=arrival.attempts,
        first_failed_at=now,
        failed_at=now,
    )


def copy(service: str, arrival: Arrival, dead: Held, before: Queued | None) -> Outgoing | None:
    """The published copy of the dead letter `dead`; None where it is too large to publish.

    `before` is the held row where the record was taken up: it tells of earlier failures.
    """
    record = arrival.record
    if len(record.value or b"") > record.topic.max_message_bytes:
        return None
    first = (before and before.first_failed_at) or dead.first_failed_at
    facts = {
        "dlq.id": dead.dead_letter_id,
        "dlq.original.topic": record.topic.name,
        "dlq.original.partition": record.partition,
        "dlq.original.offset": record.offset,
        "dlq.original.timestamp": record.timestamp_ms,
        "dlq.consumer.group": service,
        "dlq.stage": dead.stage,
        "dlq.error.code": dead.code,
        "dlq.error.class": dead.error_class,
        "dlq.error.message": dead.message,
        "dlq.error.stacktrace": dead.stacktrace or "",
        "dlq.attempts": dead.attempts + (before.attempts if before else 0),
        "dlq.first_failed_at": first.isoformat() if first else "",
        "dlq.failed_at": dead.failed_at.isoformat() if dead.failed_at else "",
        "dlq.replay.count": before.replays if before else 0,
    }
    added = tuple((name, str(value).encode()) for name, value in facts.items())
    topic = BY_NAME[record.topic.name].dead_letters(service)
    return Outgoing(topic, record.key, record.value, headers_json((*record.headers, *added)))


def _id(service: str, arrival: Arrival) -> UUID:
    return cause_id("dead-letter", service, *arrival.record.place)


def _failure(arrival: Arrival) -> Rejected:
    if arrival.failure is None:
        msg = f"{arrival.record.place} did not fail"
        raise AssertionError(msg)
    return arrival.failure


def _message(topic: Topic, failure: Rejected) -> str:
    """Why it failed; whoever lists dead letters reads this, so its facts quote nobody."""
    field = failure.facts.get("field", WHOLE)
    return failure.message if topic.is_personal(field) else str(failure)


def _stack(topic: Topic, failure: Rejected) -> str | None:
    cause = failure.__cause__
    if cause is None:
        return None
    return _text(stack_of(Unquoted(cause) if topic.personal else cause))


def _text(words: str) -> str:
    """What PostgreSQL and UTF-8 take: a fact in an error may hold anything."""
    return words.replace("\x00", "?").encode("utf-8", "backslashreplace").decode()
