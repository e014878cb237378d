"""The fence: offsets in the database under an epoch, so that a stopped zombie cannot write.

Claiming a partition raises its epoch. Each batch advances `next_offset` where it equals what this
instance last wrote and the epoch is still its own; a partition that does not move is lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text

from shared.errors import ConfigurationError, Transient

Partition = tuple[str, int]

_CLAIM = text(
    "INSERT INTO consumer_offset (topic, partition, next_offset, epoch, owner, topic_id)"
    " SELECT u.topic, u.partition, u.low, 1, :owner, u.topic_id"
    " FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[]),"
    " CAST(:lows AS bigint[]), CAST(:topic_ids AS text[])) AS u(topic, partition, low, topic_id)"
    " ORDER BY 1, 2"
    " ON CONFLICT (topic, partition) DO UPDATE SET epoch = consumer_offset.epoch + 1,"
    " owner = excluded.owner"
    " RETURNING topic, partition, next_offset, epoch, topic_id"
)
_ADVANCE = text(
    "UPDATE consumer_offset o SET next_offset = u.next_offset"
    " FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS integer[]),"
    " CAST(:expected AS bigint[]), CAST(:next AS bigint[]), CAST(:epochs AS bigint[]))"
    " AS u(topic, partition, expected, next_offset, epoch)"
    " WHERE o.topic = u.topic AND o.partition = u.partition"
    " AND o.next_offset = u.expected AND o.epoch = u.epoch"
    " RETURNING o.topic, o.partition"
)
_READ = text("SELECT topic, partition, next_offset, epoch FROM consumer_offset")


@dataclass(frozen=True)
class Claim:
    """A partition that is ours: where to go on, under which epoch."""

    topic: str
    partition: int
    next_offset: int
    epoch: int

    @property
    def place(self) -> Partition:
        """Topic and partition."""
        return self.topic, self.partition

    def at(self, next_offset: int) -> "Claim":
        """The same claim, further on."""
        return replace(self, next_offset=next_offset)


class PartitionsLost(Transient):
    """Another instance owns these partitions now: their records are its business."""

    def __init__(self, lost: frozenset[Partition]) -> None:
        super().__init__("fenced", f"another instance has taken over {sorted(lost)}")
        self.lost = lost


def claim(
    connection: Connection,
    owner: str,
    lows: Mapping[Partition, int],
    topic_ids: Mapping[str, str],
) -> dict[Partition, Claim]:
    """Raise the epochs of the partitions in `lows` (their first offsets in Kafka) and go on there.

    Raises `ConfigurationError` when a topic was deleted and made anew: its offsets mean nothing.
    """
    places = sorted(lows)
    rows = connection.execute(
        _CLAIM,
        {
            "topics": [topic for topic, _ in places],
            "partitions": [partition for _, partition in places],
            "lows": [lows[place] for place in places],
            "topic_ids": [topic_ids[topic] for topic, _ in places],
            "owner": owner,
        },
    )
    claims = {}
    for row in rows:
        if row.topic_id != topic_ids[row.topic]:
            msg = (
                f"topic {row.topic} is not the one this service has read (it was {row.topic_id},"
                f" it is {topic_ids[row.topic]}): it was deleted and created again. Decide what"
                " its records mean, then delete its rows from consumer_offset to start over"
            )
            raise ConfigurationError(msg)
        claims[row.topic, row.partition] = Claim(
            row.topic, row.partition, row.next_offset, row.epoch
        )
    return claims


def advance(connection: Connection, steps: Sequence[tuple[Claim, int]]) -> None:
    """Move each claim to its next offset; `PartitionsLost` names those that are not ours."""
    if not steps:
        return
    ordered = sorted(steps, key=lambda step: step[0].place)
    rows = connection.execute(
        _ADVANCE,
        {
            "topics": [c.topic for c, _ in ordered],
            "partitions": [c.partition for c, _ in ordered],
            "expected": [c.next_offset for c, _ in ordered],
            "next": [offset for _, offset in ordered],
            "epochs": [c.epoch for c, _ in ordered],
        },
    )
    moved = {(row.topic, row.partition) for row in rows}
    lost = {c.place for c, _ in ordered} - moved
    if lost:
        raise PartitionsLost(frozenset(lost))


def read(connection: Connection) -> dict[Partition, tuple[int, int]]:
    """Next offset and epoch of every partition, to decide a commit in doubt."""
    return {(r.topic, r.partition): (r.next_offset, r.epoch) for r in connection.execute(_READ)}
