"""Dead letters for people: find them, and decide about them.

A decision only marks rows, under the operator's role, with who and why; the service takes the
record up in its own loop, in its key's order. Deciding twice is deciding once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from threading import Event as Waiter
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from shared import db
from shared.clock import monotonic
from shared.codec.codec import Codec
from shared.codec.registry import registry_from
from shared.db import OPERATOR
from shared.errors import ConfigurationError, Invalid
from shared.events.base import Event
from shared.identity import key_of, message_id, topic_of
from shared.settings import Settings
from shared.topology import BY_NAME, consumers

Decision = Literal["replay", "discard"]
PER_S: Final = 200
"""So many dead letters are marked in a second unless told otherwise."""

_PORTION_MAX: Final = 500
_LIST = text(
    "SELECT dead_letter_id AS id, topic, partition, position AS offset, key, message_id, state,"
    " stage, code, message, attempts, first_failed_at, failed_at, replay_count, decision,"
    " decided_by, decided_at, decision_reason,"
    " (SELECT count(*) FROM held_record b WHERE b.topic = r.topic AND b.lane = r.lane"
    " AND b.state = 'parked') AS behind"
    " FROM held_record r WHERE dead_letter_id IS NOT NULL AND state = ANY(:states)"
    " AND (CAST(:topic AS text) IS NULL OR topic = :topic)"
    " AND (CAST(:code AS text) IS NULL OR code = :code)"
    " AND (CAST(:key AS bytea) IS NULL OR key = :key)"
    " AND (CAST(:ids AS uuid[]) IS NULL OR dead_letter_id = ANY(:ids))"
    " AND (CAST(:older_than AS interval) IS NULL OR failed_at < now() - :older_than)"
    " AND (CAST(:newer_than AS interval) IS NULL OR failed_at > now() - :newer_than)"
    " ORDER BY r.id"
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


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """One dead letter of one service; `behind` counts the records of its key that queue behind it.

    `message_id` is None where the record does not say whose fact it is. Who decided last stays on
    record, also after a replay that failed again.
    """

    id: UUID
    service: str
    topic: str
    partition: int
    offset: int
    key: str
    message_id: UUID | None
    state: str
    stage: str
    code: str
    message: str
    attempts: int
    first_failed_at: datetime
    failed_at: datetime
    replay_count: int
    behind: int
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None

    @property
    def history(self) -> str | None:
        """Who decided what, when and why, in words."""
        if self.decided_at is None:
            return None
        decision = self.decision or "decided"
        return (
            f"{decision} by {self.decided_by} at {self.decided_at:%Y-%m-%d %H:%M:%S} UTC:"
            f" {self.decision_reason}"
        )


@dataclass(frozen=True)
class Filter:
    """Which dead letters: each field that is given must match; `closed` includes the settled.

    `older_than` and `newer_than` count from the last failure.
    """

    service: str | None = None
    topic: str | None = None
    key: str | None = None
    code: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    ids: tuple[UUID, ...] = ()
    closed: bool = False


def find(settings: Settings, wanted: Filter) -> list[DeadLetter]:
    """The dead letters that `wanted` describes, service by service, oldest first.

    Raises `ConfigurationError` where it names a service or topic that is not on the map.
    """
    return [letter for name in _services(wanted) for letter in find_in(settings, name, wanted)]


def find_in(settings: Settings, service: str, wanted: Filter) -> list[DeadLetter]:
    """The dead letters of one service, oldest first."""
    parameters = {
        "states": list(_EVERY if wanted.closed else _OPEN),
        "topic": wanted.topic,
        "code": wanted.code,
        "key": None if wanted.key is None else wanted.key.encode(),
        "ids": list(wanted.ids) or None,
        "older_than": wanted.older_than,
        "newer_than": wanted.newer_than,
    }
    with db.transaction(settings, OPERATOR, search_path=service) as connection:
        rows = connection.execute(_LIST, parameters).mappings().all()
    return [_letter(service, dict(row)) for row in rows]


def decide(
    settings: Settings,
    letters: Iterable[DeadLetter],
    decision: Decision,
    who: str,
    why: str,
    *,
    per_s: int = PER_S,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Mark `letters` in their order, at most `per_s` a second; say how many were undecided.

    What was marked is taken up at once; `progress` is told how many have been looked at. `why` is
    kept for the audit; raises `ConfigurationError` where it says nothing.
    """
    reason, done, seen, started = _said(why), 0, 0, monotonic()
    for service, ids in _portions(letters, min(_PORTION_MAX, per_s)):
        Waiter().wait(max(0.0, started + seen / per_s - monotonic()))
        with db.transaction(settings, OPERATOR, search_path=service) as connection:
            done += _decide(connection, ids, decision, who, reason)
        seen += len(ids)
        progress(seen)
    return done


def mend(settings: Settings, letter: DeadLetter, event: Event, who: str, why: str) -> int:
    """Replay `letter` with `event` in place of its value; both values are kept.

    Returns 1, or 0 when it was decided before. Raises as `check_mend`.
    """
    reason = _said(why)
    check_mend(letter, event)
    value = Codec(registry_from(settings)).encode(event)
    with db.transaction(settings, OPERATOR, search_path=letter.service) as connection:
        return _decide(connection, [letter.id], "replay", who, reason, value)


def check_mend(letter: DeadLetter, event: Event) -> None:
    """Raise `Invalid` when `event` is another fact than the broken record.

    That is of another topic, key or, where that can be told, business key. What came without a key
    has no place in any key's order, so nothing mends it.
    """
    topic = BY_NAME[letter.topic]
    if not letter.key:
        raise Invalid(
            "key-missing",
            "a record without a key cannot be mended: discard it, and send its event as a new one",
            topic=topic.name,
        )
    if topic_of(event) is not topic or key_of(topic, event) != letter.key:
        raise Invalid(
            "key-mismatch",
            "a mended record keeps the topic and the key of the broken one",
            key=letter.key,
            wanted=key_of(topic_of(event), event),
        )
    if letter.message_id not in (None, message_id(topic, event)):
        raise Invalid(
            "business-key-mismatch",
            "a mended record keeps what makes it unique; what is another fact, send as a new one",
            unique_by=", ".join(topic.business_key),
        )


def _decide(
    connection: Connection,
    ids: Sequence[UUID],
    decision: Decision,
    who: str,
    why: str,
    value: bytes | None = None,
) -> int:
    """The keys are locked first, as the service locks them."""
    connection.execute(_READY, {"ids": ids})
    done = connection.execute(
        _DECIDE, {"ids": ids, "decision": decision, "who": who, "why": why, "value": value}
    )
    return done.rowcount


def _portions(letters: Iterable[DeadLetter], size: int) -> Iterator[tuple[str, list[UUID]]]:
    """Runs of `letters` of one service, in their order, at most `size` each."""
    for service, run in groupby(letters, attrgetter("service")):
        ids = [letter.id for letter in run]
        for start in range(0, len(ids), size):
            yield service, ids[start : start + size]


def _said(why: str) -> str:
    if not why.strip():
        msg = "say why, for the audit: --why 'the rate card was missing'"
        raise ConfigurationError(msg)
    return why.strip()


def _services(wanted: Filter) -> list[str]:
    names = [service.name for service in consumers()]
    if wanted.service not in (None, *names):
        msg = f"no service {wanted.service!r}; these consume: {', '.join(names)}"
        raise ConfigurationError(msg)
    if wanted.topic is not None and wanted.topic not in BY_NAME:
        msg = f"no topic {wanted.topic!r} on the map: {', '.join(BY_NAME)}"
        raise ConfigurationError(msg)
    return [name for name in names if wanted.service in (None, name)]


def _letter(service: str, row: dict[str, Any]) -> DeadLetter:
    key = row.pop("key")
    return DeadLetter(service=service, key=(key or b"").decode("utf-8", "replace"), **row)
