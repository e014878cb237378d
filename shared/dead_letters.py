"""Dead letters for people: find them, look at one, decide about them.

A decision only marks rows, under the operator's role, with who and why; the service takes the
record up in its own loop, in its key's order. Deciding twice is deciding once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from shared import db
from shared.codec.codec import Codec
from shared.db import OPERATOR
from shared.errors import Invalid, Rejected
from shared.events.base import Event
from shared.identity import key_of, topic_of
from shared.settings import Settings
from shared.topology import BY_NAME, consumers

Decision = Literal["replay", "discard"]

_PERSONAL: Final = ("masterdata.contact.", "masterdata.customer.")
_LIST = text(
    "SELECT dead_letter_id, topic, partition, position, key, state, stage, code, message, attempts,"
    " first_failed_at, failed_at, replay_count, decision,"
    " (SELECT count(*) FROM held_record b WHERE b.topic = r.topic AND b.lane = r.lane"
    " AND b.state = 'parked') AS behind"
    " FROM held_record r WHERE dead_letter_id IS NOT NULL AND state = ANY(:states)"
    " AND (CAST(:topic AS text) IS NULL OR topic = :topic)"
    " AND (CAST(:code AS text) IS NULL OR code = :code)"
    " AND (CAST(:key AS bytea) IS NULL OR key = :key) ORDER BY id LIMIT :limit"
)
_SHOW = text(
    "SELECT key, value, mended_value, headers, stacktrace, decision, decided_by, decided_at,"
    " decision_reason, topic FROM held_record WHERE dead_letter_id = :id"
)
_READY = text(
    "INSERT INTO held_key (topic, lane, ready) SELECT DISTINCT topic, lane, true FROM held_record"
    " WHERE dead_letter_id = ANY(:ids) AND state = 'dead' AND decision IS NULL ORDER BY 1, 2"
    " ON CONFLICT (topic, lane) DO UPDATE SET ready = true"
)
_DECIDE = text(
    "UPDATE held_record SET decision = :decision, decided_by = :who, decided_at = now(),"
    " decision_reason = :why, mended_value = coalesce(:value, mended_value)"
    " WHERE dead_letter_id = ANY(:ids) AND state = 'dead' AND decision IS NULL"
)
_OPEN: Final = ("dead",)
_EVERY: Final = ("dead", "replayed", "discarded", "superseded")


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter; `behind` counts the records of its key that queue behind it."""

    id: UUID
    service: str
    topic: str
    partition: int
    offset: int
    key: str
    state: str
    stage: str
    code: str
    message: str
    attempts: int
    first_failed_at: datetime
    failed_at: datetime
    replay_count: int
    decision: str | None
    behind: int


@dataclass(frozen=True)
class Content:
    """What a dead letter holds: the decoded value where it decodes, else its bytes in hex."""

    value: str
    mended: str | None
    headers: str
    stacktrace: str | None
    history: str | None


@dataclass(frozen=True)
class Filter:
    """Which dead letters: each field that is given must match."""

    service: str | None = None
    topic: str | None = None
    key: str | None = None
    code: str | None = None
    closed: bool = False
    limit: int = 1000


def find(settings: Settings, wanted: Filter) -> list[DeadLetter]:
    """The dead letters that `wanted` describes, oldest first, service by service."""
    return [letter for name in _services(wanted) for letter in find_in(settings, name, wanted)]


def content(settings: Settings, letter: DeadLetter, *, redact: bool) -> Content:
    """The content of one dead letter; personal data is left out when `redact`."""
    with db.transaction(settings, OPERATOR, search_path=letter.service) as connection:
        row = connection.execute(_SHOW, {"id": letter.id}).one()
    if redact and row.topic.startswith(_PERSONAL):
        hidden = "(personal data; --reveal shows it)"
        return Content(hidden, None, row.headers, row.stacktrace, _history(row))
    mended = None if row.mended_value is None else _readable(row.topic, row.mended_value)
    return Content(
        _readable(row.topic, row.value), mended, row.headers, row.stacktrace, _history(row)
    )


def decide(
    settings: Settings, letters: Sequence[DeadLetter], decision: Decision, who: str, why: str
) -> int:
    """Mark `letters`, and say how many were still undecided. `why` is kept for the audit."""
    done = 0
    for service in sorted({letter.service for letter in letters}):
        ids = [letter.id for letter in letters if letter.service == service]
        with db.transaction(settings, OPERATOR, search_path=service) as connection:
            done += _decide(connection, ids, decision, who, why)
    return done


def mend(settings: Settings, letter: DeadLetter, event: Event, who: str, why: str) -> int:
    """Replay `letter` with `event` in place of its value; both values are kept.

    Returns 1, or 0 when it was decided before. Raises `Invalid` when `event` is not of the same
    topic and key, so that it would land elsewhere in the order.
    """
    topic = BY_NAME[letter.topic]
    if topic_of(event) is not topic or key_of(topic, event) != letter.key:
        raise Invalid(
            "key-mismatch",
            "a mended record keeps the topic and the key of the broken one",
            key=letter.key,
            wanted=key_of(topic_of(event), event),
        )
    value = Codec().encode(event)
    with db.transaction(settings, OPERATOR, search_path=letter.service) as connection:
        return _decide(connection, [letter.id], "replay", who, why, value)


def _decide(
    connection: Connection,
    ids: Iterable[UUID],
    decision: Decision,
    who: str,
    why: str,
    value: bytes | None = None,
) -> int:
    """The keys are locked first, as the service locks them."""
    connection.execute(_READY, {"ids": list(ids)})
    done = connection.execute(
        _DECIDE, {"ids": list(ids), "decision": decision, "who": who, "why": why, "value": value}
    )
    return done.rowcount


def _services(wanted: Filter) -> list[str]:
    return [s.name for s in consumers() if wanted.service in (None, s.name)]


def find_in(settings: Settings, service: str, wanted: Filter) -> list[DeadLetter]:
    """The dead letters of one service, oldest first."""
    parameters = {
        "states": list(_EVERY if wanted.closed else _OPEN),
        "topic": wanted.topic,
        "code": wanted.code,
        "key": None if wanted.key is None else wanted.key.encode(),
        "limit": wanted.limit,
    }
    with db.transaction(settings, OPERATOR, search_path=service) as connection:
        rows = connection.execute(_LIST, parameters).all()
    return [
        DeadLetter(
            id=row.dead_letter_id,
            service=service,
            topic=row.topic,
            partition=row.partition,
            offset=row.position,
            key="" if row.key is None else row.key.decode("utf-8", "replace"),
            state=row.state,
            stage=row.stage,
            code=row.code,
            message=row.message,
            attempts=row.attempts,
            first_failed_at=row.first_failed_at,
            failed_at=row.failed_at,
            replay_count=row.replay_count,
            decision=row.decision,
            behind=row.behind,
        )
        for row in rows
    ]


def _readable(topic: str, value: bytes | None) -> str:
    if value is None:
        return "(no value)"
    try:
        return Codec().decode(BY_NAME[topic], value).model_dump_json(indent=2)
    except Rejected as error:
        return f"({error})\n{value[:2000].hex(' ')}"


def _history(row: object) -> str | None:
    at = getattr(row, "decided_at", None)
    if at is None:
        return None
    decision = getattr(row, "decision", None) or "decided"
    who, why = getattr(row, "decided_by", ""), getattr(row, "decision_reason", "")
    return f"{decision} by {who} at {at:%Y-%m-%d %H:%M:%S} UTC: {why}"
