"""Which partitions are ours, and since when: Kafka's word, then the database's epoch.

The callbacks run inside `poll` and must never raise: if one does, the client silently goes on at
Kafka's committed offsets. So they only take note, paused; `claim` does the rest outside of them.
A client that was given up may call back later from the thread in which it leaves: what it says is
no more heeded, and the client does by itself what is then left undone.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, MemberDescription, OffsetSpec
from sqlalchemy import Connection

from shared import kafka, rights
from shared.clock import monotonic, system_now
from shared.errors import ConfigurationError, Transient
from shared.logging import logger
from shared.metrics import (
    CONSUMER_FENCED,
    CONSUMER_LAG_RECORDS,
    CONSUMER_LAG_SECONDS,
    CONSUMER_PAUSED_PARTITIONS,
    CONSUMER_REBALANCES,
)
from shared.rights import Right, rights_of
from shared.runtime import faults, fence
from shared.runtime.faults import Point
from shared.runtime.fence import Claim, Partition
from shared.runtime.records import Record
from shared.settings import Settings
from shared.topology import SERVICE, role_of

CALLBACK_MAX_S = 15.0
_ADMIN_TIMEOUT_S = 10.0
_ANSWER_MAX_S = 2.0
_ANSWER_KEPT_S = 1.0
_COMMIT_EVERY_S = 1.0
_LEAVE_MAX_S = 3.0
_LOOK_EVERY_S = 2.0  # most are called back sooner


class Assignment:
    """The partitions of one consumer instance, their claims, and what is paused and why."""

    def __init__(self, settings: Settings, service: str, topics: Iterable[str]) -> None:
        self._settings, self._service = settings, service
        self._topics = sorted(topics)
        self._owner = f"{service}@{socket.gethostname()}:{os.getpid()}"
        self._admin = self._asking()
        self._unclaimed: set[Partition] = set()
        self._fenced: set[Partition] = set()
        self._paused: dict[Partition, set[str]] = {}
        self._committed: dict[Partition, int] = {}
        self._committed_at = 0.0
        self._at_end: dict[Partition, int] = {}
        self._times_ms: dict[Partition, int] = {}
        self._rights = list(rights_of(SERVICE[service]))
        self._refused: list[Right] = []
        self._answered, self._asked_at = True, 0.0
        self.claims: dict[Partition, Claim] = {}
        self.was_called = False
        self._anew_at = self._look_at = self._whose_at = 0.0
        self.after_drop: Callable[[frozenset[Partition]], None] = lambda _: None
        self.consumer = self._subscribed()

    @property
    def is_claimed(self) -> bool:
        """Whether every partition that Kafka assigned is claimed in the database too."""
        return self.was_called and not self._unclaimed and not self._fenced

    @property
    def is_authorized(self) -> bool:
        """Whether Kafka, when it was last asked, let us read and write what we must."""
        return not self._refused

    def insist(self) -> None:
        """Where Kafka has not called back, see whether we stand by, or else subscribe anew.

        It calls nobody whom it gives no partitions; and it may have lost our subscription.
        """
        if self.was_called or monotonic() < self._look_at:
            return
        self._look_at = monotonic() + _LOOK_EVERY_S
        if monotonic() > self._anew_at:
            logger().warning("no assignment: subscribing anew", topics=self._topics)
            given_up, self.consumer = self.consumer, self._subscribed()
            self._leave(given_up)
        elif self._stands_by():
            self.was_called = True

    def abandon(self) -> None:
        """The client has failed for good: what we hold is another's, and we subscribe anew soon."""
        self._drop(frozenset((*self.claims, *self._unclaimed, *self._fenced)))
        self.was_called = False
        self._anew_at, self._look_at = monotonic(), monotonic() + _LOOK_EVERY_S

    def broker_answers(self) -> bool:
        """Whether Kafka answers; asked at most once a second, from any thread."""
        if monotonic() - self._asked_at > _ANSWER_KEPT_S:
            try:
                self._note_refused(
                    rights.refused(self._admin, self._rights, timeout_s=_ANSWER_MAX_S)
                )
                self._answered = True
            except KafkaException:
                self._answered = False
            self._admin.poll(0)  # hands over its log
            self._asked_at = monotonic()
        return self._answered

    def _note_refused(self, refused: list[Right]) -> None:
        if refused and refused != self._refused:
            missing = [str(right) for right in refused]
            logger().error("not authorized", missing=missing, advice=kafka.GRANT)
        self._refused = refused

    def note_times(self, records: Sequence[Record]) -> None:
        """These were consumed: how old the last of each partition is, tells the lag in time."""
        for record in records:
            self._times_ms[record.topic.name, record.partition] = record.timestamp_ms

    def at_end(self, place: Partition, offset: int) -> None:
        """Everything before `offset`, the end of `place`, was delivered; gaps are markers."""
        self._at_end[place] = offset

    def look_up(self) -> Callable[[Connection], dict[Partition, Claim]] | None:
        """What claims the newly assigned partitions in a transaction; None when there are none.

        Kafka is asked for their first offsets and their topics' ids before, outside of it.
        """
        self._ask_whose()
        if not self._unclaimed:
            return None
        lows, ids = self._low_offsets(self._unclaimed), self._topic_ids()
        return lambda connection: fence.claim(connection, self._owner, lows, ids)

    def begin(self, claims: dict[Partition, Claim]) -> None:
        """Go on at the claimed offsets; what was revoked meanwhile is left alone.

        Until something is read, the lag in time counts from here.
        """
        now_ms = int(system_now().timestamp() * 1000)
        for place, claim in claims.items():
            if place in self._unclaimed:
                self._seek(place, claim.next_offset)
                self._unclaimed.discard(place)
                self.claims[place] = claim
                self._at_end.pop(place, None)
                self._times_ms[place] = now_ms
                self.resume([place], "unclaimed")

    def pause(self, places: Iterable[Partition], reason: str) -> None:
        """Hold back `places` for `reason`; polling goes on."""
        for place in places:
            reasons = self._paused.setdefault(place, set())
            if not reasons:
                self.consumer.pause([TopicPartition(*place)])
            reasons.add(reason)
        self._show_paused(reason)

    def resume(self, places: Iterable[Partition], reason: str) -> None:
        """Let `places` go as far as `reason` held them, and nothing else."""
        for place in places:
            reasons = self._paused.get(place)
            if reasons and reason in reasons:
                reasons.discard(reason)
                if not reasons:
                    del self._paused[place]
                    self.consumer.resume([TopicPartition(*place)])
        self._show_paused(reason)

    def is_paused(self, place: Partition) -> bool:
        """Whether `place` is held back for any reason."""
        return place in self._paused

    def rewind(self, place: Partition) -> None:
        """Read `place` again from where the database says."""
        self._at_end.pop(place, None)
        self._seek(place, self.claims[place].next_offset)

    def lose(self, places: Iterable[Partition]) -> None:
        """The fence says that these are another's; what Kafka says is asked for."""
        lost = [place for place in places if self.claims.pop(place, None)]
        self._fenced.update(lost)
        self.pause(lost, "unclaimed")
        CONSUMER_FENCED.labels(self._service).inc(len(lost))

    def commit(self, *, wait: bool) -> None:
        """Copy our offsets to Kafka for the lag tools: now and then, or at once to `wait`.

        Without a broker the client would wait for 45 s, so then there is no last copy.
        """
        reached = {
            place: max(claim.next_offset, self._at_end.get(place, 0))
            for place, claim in self.claims.items()
        }
        due = {p: offset for p, offset in reached.items() if self._committed.get(p) != offset}
        if not due or (not wait and monotonic() - self._committed_at < _COMMIT_EVERY_S):
            return
        if wait and not self.broker_answers():
            return
        offsets = [TopicPartition(*place, offset) for place, offset in due.items()]
        try:
            if wait:
                self.consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self.consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException:
            return  # a lag tool's copy; the next one carries it
        self._committed |= due
        self._committed_at = monotonic()
        faults.reach(Point.COPIED)

    def show_lag(self) -> None:
        """Set the lag gauges from what the client last heard of each partition's end."""
        now_ms = system_now().timestamp() * 1000
        for place in self.claims:
            lag = self._lag(place)
            CONSUMER_LAG_RECORDS.labels(self._service, *place).set(lag)
            age_s = (now_ms - self._times_ms[place]) / 1000
            CONSUMER_LAG_SECONDS.labels(self._service, *place).set(age_s if lag else 0.0)

    def has_more(self, place: Partition) -> bool:
        """Whether there are records of `place` to read, as far as the client has heard."""
        return place not in self.claims or self._lag(place) > 0

    def _lag(self, place: Partition) -> int:
        _, high = self.consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
        return max(0, high - max(self.claims[place].next_offset, self._at_end.get(place, 0)))

    def close(self) -> None:
        """Leave the group."""
        self.commit(wait=True)
        self._leave(self.consumer)

    def _asking(self) -> AdminClient:
        return AdminClient(kafka.client(self._settings, role_of(self._service)))

    def _leave(self, consumer: Consumer) -> None:
        """Close a client; one whose broker has gone may never come back from that.

        Then it is left behind in its thread, and the broker misses it after a session.
        """
        leaving = threading.Thread(target=consumer.close, name="leave", daemon=True)
        leaving.start()
        leaving.join(_LEAVE_MAX_S)
        if leaving.is_alive():
            logger().warning("left the group without a word", topics=self._topics)

    def _subscribed(self) -> Consumer:
        consumer = Consumer(kafka.consumer(self._settings, self._service))
        consumer.subscribe(
            self._topics,
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        self._anew_at = monotonic() + CALLBACK_MAX_S
        self._look_at = monotonic() + _LOOK_EVERY_S
        return consumer

    def _ask_whose(self) -> None:
        """What the fence took and Kafka still gives us is to be claimed again: a zombie had it.

        One that was stopped before it claimed does so late, from whoever has followed it.
        """
        if not self._fenced or monotonic() < self._whose_at:
            return
        self._whose_at = monotonic() + _LOOK_EVERY_S
        member = self._membership()
        held = member.assignment.topic_partitions if member else ()
        ours = self._fenced & {(partition.topic, partition.partition) for partition in held}
        self._fenced -= ours
        self._unclaimed |= ours

    def _stands_by(self) -> bool:
        """Whether the group knows us and has nothing for us."""
        member = self._membership()
        target = member.target_assignment if member else None
        return target is not None and not target.topic_partitions

    def _membership(self) -> MemberDescription | None:
        """What the group's coordinator knows of us; None where it does not, or does not answer.

        Not before its coordinator has answered the consumer: while the admin client waits for one
        that is away, a connection that breaks aborts the process (librdkafka issue 4605).
        """
        ours = self.consumer.memberid()
        try:
            self.consumer.committed([TopicPartition(self._topics[0], 0)], timeout=_ANSWER_MAX_S)
            asked = self._admin.describe_consumer_groups(
                [self._service], request_timeout=_ANSWER_MAX_S
            )
            members = asked[self._service].result().members
        except KafkaException:
            return None
        return next((member for member in members if member.member_id == ours), None)

    def _seek(self, place: Partition, offset: int) -> None:
        try:
            self.consumer.seek(TopicPartition(*place, offset))
        except KafkaException as error:
            raise Transient("kafka", f"{place} cannot be read from {offset}: {error}") from error

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self.consumer:
            return
        self.was_called = True
        for partition in partitions:
            partition.offset = OFFSET_BEGINNING
        consumer.incremental_assign(partitions)
        places = [(partition.topic, partition.partition) for partition in partitions]
        self._unclaimed.update(places)
        self.pause(places, "unclaimed")
        CONSUMER_REBALANCES.labels(self._service, "assigned").inc()

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self.consumer:
            return
        places = frozenset((partition.topic, partition.partition) for partition in partitions)
        self.commit(wait=True)
        self._drop(places)
        consumer.incremental_unassign(partitions)
        CONSUMER_REBALANCES.labels(self._service, "revoked").inc()

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self.consumer:
            return
        places = frozenset((partition.topic, partition.partition) for partition in partitions)
        self._drop(places)
        consumer.incremental_unassign(partitions)
        CONSUMER_REBALANCES.labels(self._service, "lost").inc()

    def _drop(self, places: frozenset[Partition]) -> None:
        for place in places:
            self.claims.pop(place, None)
            self._committed.pop(place, None)
            self._unclaimed.discard(place)
            self._fenced.discard(place)
            self._paused.pop(place, None)
            self._at_end.pop(place, None)
            self._times_ms.pop(place, None)
            for gauge in (CONSUMER_LAG_RECORDS, CONSUMER_LAG_SECONDS):
                gauge.remove(self._service, *place)
        self.after_drop(places)

    def _show_paused(self, reason: str) -> None:
        count = sum(reason in reasons for reasons in self._paused.values())
        CONSUMER_PAUSED_PARTITIONS.labels(self._service, reason).set(count)

    def _low_offsets(self, places: Iterable[Partition]) -> dict[Partition, int]:
        first = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(*place): first for place in places}
        try:
            answers = self._admin.list_offsets(asked, request_timeout=_ADMIN_TIMEOUT_S)
            return {(p.topic, p.partition): f.result().offset for p, f in answers.items()}
        except KafkaException as error:
            # After a broker's restart it goes on asking under a leader epoch that is over.
            self._admin = self._asking()
            raise Transient("kafka", f"the first offsets cannot be read: {error}") from error

    def _topic_ids(self) -> dict[str, str]:
        asked = TopicCollection(self._topics)
        try:
            answers = self._admin.describe_topics(asked, request_timeout=_ADMIN_TIMEOUT_S)
            return {name: str(answer.result().topic_id) for name, answer in answers.items()}
        except KafkaException as error:
            raise Transient("kafka", f"the topics cannot be described: {error}") from error


def out_of_range(topic: str, partition: int, next_offset: int) -> ConfigurationError:
    """The error for an offset that Kafka does not have: never a silent reset."""
    return ConfigurationError(
        f"{topic}/{partition} has no offset {next_offset}: its records were deleted before this"
        " service read them, or the topic was truncated. Restore them, or decide what to skip and"
        " set next_offset in consumer_offset"
    )
