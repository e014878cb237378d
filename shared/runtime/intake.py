"""What comes from Kafka, sorted into records of the partitions that are ours, in order.

What is in hand of a partition that is read again from an earlier offset is stale: to apply it
would skip what lies before it. So whoever reads again says so here.
"""

from collections.abc import Iterable, Sequence
from operator import methodcaller
from typing import Final

from confluent_kafka import KafkaError, Message

from shared import kafka
from shared.logging import logger
from shared.runtime.assignment import Assignment, out_of_range
from shared.runtime.breaker import Breaker
from shared.runtime.fence import Partition
from shared.runtime.records import Headers, Record
from shared.topology import BY_NAME

_CHECKED_HEADERS: Final = methodcaller("headers")
"""Calls as C does, whose result is always looked at: `SystemError` where it came with an error."""


class Intake:
    """Takes batches of up to `batch_max` records from the consumer of `assignment`."""

    def __init__(self, assignment: Assignment, breaker: Breaker, batch_max: int) -> None:
        self._assignment, self._breaker, self._batch_max = assignment, breaker, batch_max
        self._stash: list[Message] = []
        self._ends: dict[Partition, int] = {}
        self._cut: set[Partition] = set()
        self._stale: set[Partition] = set()
        self._log = logger()

    def take(self, timeout_s: float) -> list[Record]:
        """Up to a batch of records of claimed partitions, in order by partition.

        Raises `ConfigurationError` when Kafka does not have the next record any more.
        """
        messages, self._stash = self._stash, []
        self._stale.clear()
        consumer = self._assignment.consumer
        first = consumer.poll(0.0 if messages else timeout_s)
        if first is not None:
            messages.append(first)
            messages += consumer.consume(self._batch_max - 1, 0)
        records = [record for message in messages if (record := self._record(message))]
        return self._while_probing(sorted(records, key=lambda record: record.place))

    def poll(self, timeout_s: float) -> None:
        """Keep the membership alive while everything is paused; what comes is kept for `take`."""
        message = self._assignment.consumer.poll(timeout_s)
        if message is not None:
            self._stash.append(message)

    def is_next(self, record: Record) -> bool:
        """Whether `record`, in hand, is still to be applied by us, and now."""
        place = (record.topic.name, record.partition)
        claim = self._assignment.claims.get(place)
        return claim is not None and record.offset >= claim.next_offset and place not in self._stale

    def read_again(self, places: Iterable[Partition]) -> None:
        """Read `places` from where the database says; what is in hand of them is stale."""
        ours = set(places) & self._assignment.claims.keys()
        for place in ours:
            self._assignment.rewind(place)
            self._ends.pop(place, None)
        self._stale |= ours
        self._stash = [message for message in self._stash if _place(message) not in ours]

    def done(self, left: Sequence[Record]) -> None:
        """All that was taken is applied but `left`; what was cut off is read again."""
        self.read_again(self._cut)
        self._cut.clear()
        unread = {(record.topic.name, record.partition) for record in left}
        for place in self._ends.keys() & self._assignment.claims.keys() - unread:
            if not self._assignment.is_paused(place):
                self._assignment.at_end(place, self._ends[place])
        self._ends.clear()

    def _while_probing(self, records: list[Record]) -> list[Record]:
        """A partition whose breaker is not closed may have one record; the rest is read again."""
        seen: set[Partition] = set()
        kept = []
        for record in records:
            place = (record.topic.name, record.partition)
            if place in seen and self._breaker.is_probing(place):
                self._cut.add(place)
            else:
                kept.append(record)
                seen.add(place)
        return kept

    def _record(self, message: Message) -> Record | None:
        error = message.error()
        place = _place(message)
        offset = message.offset() or 0
        if error is not None:
            self._on_error(error, place, offset)
            return None
        claim = self._assignment.claims.get(place)
        if claim is None or offset < claim.next_offset:
            return None
        return Record(
            topic=BY_NAME[place[0]],
            partition=place[1],
            offset=offset,
            timestamp_ms=message.timestamp()[1],
            key=_bytes(message.key()),
            value=_bytes(message.value()),
            headers=_headers(message),
        )

    def _on_error(self, error: KafkaError, place: Partition, offset: int) -> None:
        if error.code() == kafka.PARTITION_EOF:
            self._ends[place] = offset
        elif error.code() == kafka.OUT_OF_RANGE:
            raise out_of_range(*place, offset)
        elif error.code() == kafka.FATAL:
            self._log.error("kafka client failed", error=error.str())
            self._assignment.abandon()
        elif error.code() in kafka.UNAUTHORIZED:
            self._log.error("not authorized", error=error.str(), advice=kafka.GRANT)
        else:
            self._log.warning("kafka", error=error.str(), topic=place[0])


def _place(message: Message) -> Partition:
    return message.topic() or "", message.partition() or 0


def _headers(message: Message) -> Headers:
    """As they came; none where one's name is no UTF-8: the client then fails on all of them.

    They inform and never decide: the record meets its fate all the same. The client returns a list
    and leaves an error behind, which the interpreter overlooks in a call that it has specialised.
    """
    try:
        found = list(_CHECKED_HEADERS(message) or ())
    except SystemError:
        logger().warning("headers unreadable", place=_place(message), offset=message.offset())
        return ()
    return tuple((str(name), _bytes(value)) for name, value in found)


def _bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
