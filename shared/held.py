"""The held queue: records that wait or failed, and those that queue behind them, lane by lane.

A lane is a (topic, key). While its row stands in `held_key`, live records of the key are parked:
whoever diverts reads the row FOR SHARE, whoever releases it locks it FOR UPDATE, so no record of
the key can slip past. A dead letter in a lane of its own has no such row until it is decided about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from shared.runtime.records import Arrival, Record, headers_from, headers_json
from shared.runtime.service import Fact
from shared.runtime.tables import held_record
from shared.store import column_arrays, insert_statement
from shared.topology import BY_NAME

Lane = tuple[str, bytes]

WAKE_MAX = 10_000
QUEUE_BYTES_MAX = 16 * 1024 * 1024

_OPEN = "state IN ('waiting', 'dead', 'parked')"
_NEEDS_KEY = f"r.{_OPEN} AND (r.state <> 'dead' OR r.lane >= '\\x01')"
"""Of what is open, all but a dead letter in a lane of its own: it holds nothing up."""
_LANES = "unnest(CAST(:topics AS text[]), CAST(:lanes AS bytea[])) AS l(topic, lane)"

_SHARE = text(
    f"SELECT k.topic, k.lane FROM held_key k JOIN {_LANES} USING (topic, lane)"
    " ORDER BY 1, 2 FOR SHARE OF k"
)
_HEADS = text(
    "SELECT DISTINCT ON (r.topic, r.lane) r.id, r.topic, r.lane, r.message_id, r.revision,"
    " CASE WHEN r.decision IS NULL THEN r.state ELSE 'decided' END AS state"
    f" FROM held_record r JOIN {_LANES} USING (topic, lane) WHERE {_OPEN}"
    " ORDER BY r.topic, r.lane, r.id"
)
_FULL = text(
    f"SELECT l.topic, l.lane FROM {_LANES} WHERE :limit <= (SELECT count(*) FROM"
    " (SELECT FROM held_record r WHERE r.topic = l.topic AND r.lane = l.lane"
    " AND r.state = 'parked' LIMIT :limit) q)"
)
_HOLD = text(
    f"INSERT INTO held_key (topic, lane, ready) SELECT l.topic, l.lane, false FROM {_LANES}"
    " ON CONFLICT (topic, lane) DO UPDATE SET ready = false"
)
_WAKE = text(
    f"UPDATE held_key k SET ready = true FROM {_LANES} WHERE k.topic = l.topic AND k.lane = l.lane"
)
_RELEASE = text(
    f"DELETE FROM held_key k USING {_LANES} WHERE k.topic = l.topic AND k.lane = l.lane"
    f" AND NOT EXISTS (SELECT FROM held_record r WHERE r.topic = k.topic AND r.lane = k.lane"
    f" AND {_NEEDS_KEY})"
)
_CLAIM = text(
    "SELECT topic, lane FROM held_key WHERE ready AND topic = ANY(:topics)"
    " ORDER BY topic, lane LIMIT :limit FOR UPDATE SKIP LOCKED"
)
_QUEUE = text(
    "SELECT q.* FROM (SELECT r.id, r.topic, r.lane, r.state, r.partition, r.position,"
    " r.timestamp_ms, r.key, r.value, r.headers, r.attempts, r.decision, r.mended_value,"
    " r.deadline_at, r.first_failed_at, r.dead_letter_id,"
    " r.replay_count + (r.decision IS NOT NULL)::int AS replays,"
    " row_number() OVER (PARTITION BY r.topic, r.lane ORDER BY r.id) AS n,"
    " sum(octet_length(r.value)) OVER (ORDER BY r.topic, r.lane, r.id"
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before"
    f" FROM held_record r JOIN {_LANES} USING (topic, lane) WHERE {_OPEN}) q"
    " WHERE q.n <= :limit AND coalesce(q.bytes_before, 0) < :bytes"
    " ORDER BY q.topic, q.lane, q.id"
)
_SETTLE = text(
    "UPDATE held_record r SET state = u.state, resolved_at = now(),"
    " replay_count = r.replay_count + (u.state = 'replayed')::int"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[])) AS u(id, state)"
    " WHERE r.id = u.id"
)
_FORGET = text("DELETE FROM held_record WHERE id = ANY(CAST(:ids AS bigint[]))")
_MEND = text(
    "UPDATE held_record r SET decision = 'replay', decided_by = 'producer', decided_at = now(),"
    " decision_reason = u.reason, mended_value = u.value"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:values AS bytea[]), CAST(:reasons AS text[]))"
    " AS u(id, value, reason) WHERE r.id = u.id"
)
_MEET = text(
    "INSERT INTO awaited (kind, key, arrived) SELECT kind, key, arrived FROM"
    " unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:arrived AS boolean[]))"
    " AS u(kind, key, arrived)"
    " ON CONFLICT (kind, key) DO UPDATE SET arrived = awaited.arrived OR excluded.arrived"
    " RETURNING kind, key, arrived"
)
_WAKE_WHERE = (
    "UPDATE held_key k SET ready = true FROM (SELECT w.topic, w.lane FROM held_record r {}"
    " JOIN held_key w ON w.topic = r.topic AND w.lane = r.lane AND NOT w.ready"
    " WHERE r.state = 'waiting' {} LIMIT :limit) n WHERE k.topic = n.topic AND k.lane = n.lane"
)
_WAKE_WAITERS = text(
    _WAKE_WHERE.format(
        "JOIN unnest(CAST(:kinds AS text[]), CAST(:keys AS text[])) AS u(kind, key)"
        " ON r.fact_kind = u.kind AND r.fact_key = u.key",
        "",
    )
)
_WAKE_OVERDUE = text(_WAKE_WHERE.format("", "AND r.deadline_at <= :now"))
_WAKE_MISSED = text(
    _WAKE_WHERE.format(
        "JOIN awaited a ON a.kind = r.fact_kind AND a.key = r.fact_key AND a.arrived", ""
    )
)


@dataclass(frozen=True)
class Head:
    """The first record of a held lane: what the others queue behind.

    `state` is "dead" only as long as nothing has been decided about it; `id` is None while the
    row is not stored.
    """

    id: int | None
    state: str
    message_id: UUID | None
    revision: int | None

    def is_mended_by(self, arrival: Arrival) -> bool:
        """Whether `arrival` is the same fact, sound."""
        is_same = self.message_id is not None and arrival.message_id == self.message_id
        return self.state == "dead" and arrival.is_sound and is_same

    def is_superseded_by(self, arrival: Arrival) -> bool:
        """Whether `arrival` is a newer revision, sound, of a topic that declares one."""
        is_newer = self.revision is not None and (arrival.revision or 0) > self.revision
        return self.state == "dead" and arrival.is_sound and is_newer


@dataclass(frozen=True)
class Held:
    """A row to be held: a waiting record, a dead letter, or one parked behind either."""

    topic: str
    lane: bytes
    state: str
    partition: int
    position: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: str
    message_id: UUID | None = None
    revision: int | None = None
    fact_kind: str | None = None
    fact_key: str | None = None
    deadline_at: datetime | None = None
    dead_letter_id: UUID | None = None
    stage: str | None = None
    code: str | None = None
    error_class: str | None = None
    message: str | None = None
    stacktrace: str | None = None
    attempts: int = 0
    first_failed_at: datetime | None = None
    failed_at: datetime | None = None


_NAMES = tuple(field.name for field in fields(Held))
_INSERT = insert_statement(held_record, _NAMES)
_FATE = tuple(n for n in _NAMES if n not in ("key", "value", "headers", "timestamp_ms"))
_REFATE = text(
    "UPDATE held_record r SET state = u.state, lane = u.lane, fact_kind = u.fact_kind,"
    " fact_key = u.fact_key,"
    " deadline_at = coalesce(r.deadline_at, u.deadline_at),"
    " dead_letter_id = coalesce(u.dead_letter_id, r.dead_letter_id),"
    " message_id = u.message_id, revision = u.revision, stage = u.stage, code = u.code,"
    " error_class = u.error_class, message = u.message, stacktrace = u.stacktrace,"
    " attempts = r.attempts + u.attempts, failed_at = u.failed_at,"
    " first_failed_at = coalesce(r.first_failed_at, u.first_failed_at),"
    " replay_count = r.replay_count + (r.decision IS NOT NULL)::int, decision = NULL"
    " FROM unnest(CAST(:id AS bigint[]), CAST(:state AS text[]), CAST(:lane AS bytea[]),"
    " CAST(:fact_kind AS text[]), CAST(:fact_key AS text[]), CAST(:deadline_at AS timestamptz[]),"
    " CAST(:dead_letter_id AS uuid[]), CAST(:message_id AS uuid[]), CAST(:revision AS bigint[]),"
    " CAST(:stage AS text[]), CAST(:code AS text[]), CAST(:error_class AS text[]),"
    " CAST(:message AS text[]), CAST(:stacktrace AS text[]), CAST(:attempts AS integer[]),"
    " CAST(:first_failed_at AS timestamptz[]), CAST(:failed_at AS timestamptz[]))"
    " AS u(id, state, lane, fact_kind, fact_key, deadline_at, dead_letter_id, message_id, revision,"
    " stage, code, error_class, message, stacktrace, attempts, first_failed_at, failed_at)"
    " WHERE r.id = u.id"
)


@dataclass(frozen=True)
class Queued:
    """A held record taken up again, with its history and what was decided about it.

    `replays` counts this time too; `was_dead` says that it is or once was a dead letter.
    """

    record: Record
    lane: bytes
    state: str
    attempts: int
    replays: int
    first_failed_at: datetime | None
    decision: str | None
    was_dead: bool
    overdue: bool


def _lanes(lanes: Iterable[Lane]) -> dict[str, list[Any]]:
    ordered = sorted(set(lanes))
    return {"topics": [topic for topic, _ in ordered], "lanes": [lane for _, lane in ordered]}


def shared_lanes(connection: Connection, lanes: Iterable[Lane]) -> dict[Lane, Head]:
    """The lanes of `lanes` that are held, with their heads; they stay held until we commit."""
    parameters = _lanes(lanes)
    found = [(row.topic, bytes(row.lane)) for row in connection.execute(_SHARE, parameters)]
    return heads(connection, found) if found else {}


def heads(connection: Connection, lanes: Iterable[Lane]) -> dict[Lane, Head]:
    """The first open record of each of `lanes`."""
    rows = connection.execute(_HEADS, _lanes(lanes))
    return {
        (row.topic, bytes(row.lane)): Head(row.id, row.state, row.message_id, row.revision)
        for row in rows
    }


def full_lanes(connection: Connection, lanes: Iterable[Lane], limit: int) -> set[Lane]:
    """Those of `lanes` in which `limit` records or more are parked."""
    parameters = _lanes(lanes)
    if not parameters["topics"]:
        return set()
    rows = connection.execute(_FULL, {**parameters, "limit": limit})
    return {(row.topic, bytes(row.lane)) for row in rows}


def insert(connection: Connection, rows: Sequence[Held]) -> None:
    """Append rows to their lanes, in order."""
    if rows:
        connection.execute(_INSERT, column_arrays(held_record, _NAMES, rows))


def refate(connection: Connection, rows: Sequence[tuple[int, Held]]) -> None:
    """Give held rows their new fate after they were taken up."""
    if rows:
        arrays = {name: [getattr(row, name) for _, row in rows] for name in _FATE}
        arrays = {k: v for k, v in arrays.items() if k not in ("topic", "partition", "position")}
        connection.execute(_REFATE, {"id": [held_id for held_id, _ in rows], **arrays})


def hold(connection: Connection, lanes: Iterable[Lane]) -> None:
    """Hold `lanes`: their later records queue."""
    parameters = _lanes(lanes)
    if parameters["topics"]:
        connection.execute(_HOLD, parameters)


def wake(connection: Connection, lanes: Iterable[Lane]) -> None:
    """Have `lanes` taken up by the next release."""
    parameters = _lanes(lanes)
    if parameters["topics"]:
        connection.execute(_WAKE, parameters)


def release(connection: Connection, lanes: Iterable[Lane]) -> None:
    """Let go of those of `lanes` in which nothing queues any more."""
    parameters = _lanes(lanes)
    if parameters["topics"]:
        connection.execute(_RELEASE, parameters)


def claim(connection: Connection, limit: int) -> list[Lane]:
    """Lock up to `limit` ready lanes of topics on the map, skipping what another instance has."""
    rows = connection.execute(_CLAIM, {"limit": limit, "topics": list(BY_NAME)})
    return [(row.topic, bytes(row.lane)) for row in rows]


def queue(connection: Connection, lanes: Iterable[Lane], limit: int, now: datetime) -> list[Queued]:
    """The first `limit` records of each lane, in order, up to some bytes together."""
    bounds = {"limit": limit, "bytes": QUEUE_BYTES_MAX}
    rows = connection.execute(_QUEUE, {**_lanes(lanes), **bounds})
    return [
        Queued(
            Record(
                topic=BY_NAME[row.topic],
                partition=row.partition,
                offset=row.position,
                timestamp_ms=row.timestamp_ms,
                key=row.key,
                value=row.value if row.mended_value is None else row.mended_value,
                headers=headers_from(row.headers),
                held_id=row.id,
            ),
            lane=bytes(row.lane),
            state=row.state,
            attempts=row.attempts,
            replays=row.replays,
            first_failed_at=row.first_failed_at,
            decision=row.decision,
            was_dead=row.dead_letter_id is not None,
            overdue=row.deadline_at is not None and row.deadline_at <= now,
        )
        for row in rows
    ]


def settle(connection: Connection, states: Mapping[int, str]) -> None:
    """Close held rows for good: replayed, discarded or superseded. They stay for the audit."""
    if states:
        ids = sorted(states)
        connection.execute(_SETTLE, {"ids": ids, "states": [states[i] for i in ids]})


def forget(connection: Connection, ids: Sequence[int]) -> None:
    """Drop rows that only waited or queued, and were applied."""
    if ids:
        connection.execute(_FORGET, {"ids": sorted(ids)})


def mend(connection: Connection, mended: Sequence[tuple[int, Arrival]]) -> None:
    """Let a producer's mended record take the place of the dead letter it mends; both are kept."""
    if mended:
        connection.execute(
            _MEND,
            {
                "ids": [held_id for held_id, _ in mended],
                "values": [arrival.record.value for _, arrival in mended],
                "reasons": ["sent again: {}/{}@{}".format(*a.record.place) for _, a in mended],
            },
        )


def meet(connection: Connection, waits: Iterable[Fact], facts: Iterable[Fact]) -> set[Fact]:
    """Meet at facts, as the waiter and as the arrival; those returned have arrived.

    All in one statement, in order: two transactions that each bring what the other waits for
    would otherwise lock them crosswise.
    """
    met = dict.fromkeys(waits, False) | dict.fromkeys(facts, True)
    if not met:
        return set()
    ordered = sorted(met, key=lambda fact: (fact.kind, fact.key))
    arrived = [met[fact] for fact in ordered]
    rows = connection.execute(_MEET, {**_pairs(ordered), "arrived": arrived})
    return {Fact(row.kind, row.key) for row in rows if row.arrived}


def wake_waiters(connection: Connection, facts: Iterable[Fact]) -> None:
    """Wake who waits for one of `facts`, `WAKE_MAX` at once; after `meet`: none is missed."""
    parameters = _pairs(facts)
    if parameters["kinds"]:
        connection.execute(_WAKE_WAITERS, {**parameters, "limit": WAKE_MAX})


def wake_overdue(connection: Connection, now: datetime) -> int:
    """Take up what has waited past its deadline, and who was too many to be woken by their fact."""
    overdue = connection.execute(_WAKE_OVERDUE, {"now": now, "limit": WAKE_MAX}).rowcount
    return overdue + connection.execute(_WAKE_MISSED, {"limit": WAKE_MAX}).rowcount


def _pairs(facts: Iterable[Fact]) -> dict[str, list[str]]:
    ordered = sorted({(fact.kind, fact.key) for fact in facts})
    return {"kinds": [kind for kind, _ in ordered], "keys": [key for _, key in ordered]}


def row_of(arrival: Arrival, state: str, **fate: Any) -> Held:  # noqa: ANN401 - columns by name
    """The row that holds `arrival`."""
    record = arrival.record
    return Held(
        topic=record.topic.name,
        lane=arrival.lane,
        state=state,
        partition=record.partition,
        position=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
        value=record.value,
        headers=headers_json(record.headers),
        message_id=arrival.message_id,
        revision=arrival.revision,
        **fate,
    )
