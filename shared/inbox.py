"""The inbox: which facts have had their effect, so that none has it twice."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from shared.errors import ConcurrentWrite

_KNOWN = text(
    "SELECT message_id, fingerprint, topic, partition, position FROM inbox"
    " WHERE message_id = ANY(CAST(:ids AS uuid[]))"
)
_REMEMBER = text(
    "INSERT INTO inbox (message_id, fingerprint, topic, partition, position)"
    " SELECT * FROM unnest(CAST(:message_id AS uuid[]), CAST(:fingerprint AS bytea[]),"
    " CAST(:topic AS text[]), CAST(:partition AS integer[]), CAST(:position AS bigint[]))"
    " ON CONFLICT (message_id) DO NOTHING"
)


class Applied(NamedTuple):
    """A fact that has had its effect: what it said, and where it stood."""

    message_id: UUID
    fingerprint: bytes
    topic: str
    partition: int
    position: int

    @property
    def origin(self) -> str:
        """Topic, partition and offset for people."""
        return f"{self.topic}/{self.partition}@{self.position}"


def known(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Applied]:
    """Those of `ids` that were applied before; one statement."""
    if not ids:
        return {}
    rows = connection.execute(_KNOWN, {"ids": list(ids)}).mappings()
    return {row["message_id"]: Applied(**row) for row in rows}


def remember(connection: Connection, applied: Sequence[Applied]) -> None:
    """Keep `applied`; raises `ConcurrentWrite` when another instance applied one meanwhile."""
    if not applied:
        return
    fields = ("message_id", "fingerprint", "topic", "partition", "position")
    done = connection.execute(
        _REMEMBER, {name: [getattr(row, name) for row in applied] for name in fields}
    )
    if done.rowcount != len(applied):
        raise ConcurrentWrite("inbox")
