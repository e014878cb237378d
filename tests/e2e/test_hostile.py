"""10,000 hostile records beside honest work: each accounted for, nothing else disturbed."""

import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from http.client import HTTPConnection
from random import Random
from typing import Any, Final
from uuid import UUID

from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, Producer
from prometheus_client.parser import text_string_to_metric_families

from shared import kafka, reading
from shared.codec.codec import Codec
from shared.db import AUDITOR
from shared.errors import Rejected
from shared.events.base import Event
from shared.identity import key_of, message_id, topic_of
from shared.local.fleet import Child
from shared.outbox import event_headers
from shared.runtime.records import headers_from
from shared.schemas import ROOT
from shared.testing import read_topic
from shared.tools import tool
from shared.topology import BY_NAME, Topic, consumed_by, consumers, role_of
from tests.e2e.conftest import StartPipeline
from tests.e2e.fuzz import HOSTILE, TEN_MB, Fuzz, Headers, Sent
from tests.e2e.pipeline import Pipeline

RECORDS: Final = 10_000
JOBS: Final = 25
SEED: Final = 20
STARTING: Final = date(2026, 3, 2)
TEMPLATES_MAX: Final = 4  # of a topic, beside its example
SERVICES: Final = tuple(service.name for service in consumers())
CONSUMED: Final = sorted({topic.name for name in SERVICES for topic in consumed_by(name)})
CODEC: Final = Codec()
HELD: Final = (
    "SELECT topic, partition, position, key, headers, sha256(value) AS hashed,"
    " octet_length(value) AS size, state, code, message_id, dead_letter_id FROM"
)
FACTS_OF_A_DEAD_LETTER: Final = 15

Place = tuple[str, int, int]


@dataclass(frozen=True)
class Seen:
    """A record of a topic; its value where it is not enormous, and what tells it from others."""

    topic: Topic
    key: bytes | None
    value: bytes | None
    digest: bytes

    @property
    def identity(self) -> UUID | None:
        """Whose fact it is, where it says so."""
        with suppress(Rejected):
            return message_id(self.topic, CODEC.decode(self.topic, self.value or b""))
        return None

    @property
    def is_honest(self) -> bool:
        """Whether it stands under the key of honest work."""
        return bool(self.key) and HOSTILE.encode() not in (self.key or b"")


@dataclass(frozen=True)
class Fates:
    """What became of each record that a service reads, and which are its dead letters."""

    of: Mapping[Place, str]
    dead: frozenset[Place]
    copied: frozenset[Place]
    applied_at: Mapping[Place, Any]


def test_hostile_records_are_accounted_for_and_disturb_nothing(
    start_pipeline: StartPipeline,
) -> None:
    """Given 10,000 of them between honest jobs, then each has a fate, each job its right path."""
    pipeline = start_pipeline(breaker_records_min=10**6)  # the breaker has tests of its own
    simulator = tool("simulator")
    special = simulator.special_cases(SEED, starting=STARTING)
    pipeline.publish(simulator.master_data())
    pipeline.publish(arrival.event for story in special.values() for arrival in story.arrivals)
    pipeline.settle()
    fuzz = Fuzz(list(templates(pipeline)), SEED)
    records = fuzz.records(RECORDS)
    assert len(records) == RECORDS
    assert {topic for topic, _ in fuzz.fields} == {each.topic for each in records} == set(CONSUMED)
    stories = list(simulator.stories_of(JOBS, SEED, starting=STARTING))
    send(pipeline, sorted([*records, *honest(stories)], key=lambda each: each.moment))
    pipeline.settle()
    seen = dict(read(pipeline))
    for child in pipeline.system.fleet.children.values():
        fates = fates_of(pipeline, child.name, seen)
        every_record_has_a_reason(child, fates)
        honest_work_is_done_in_order(fates, seen)
        dead_letters_are_whole(pipeline, child.name, fates, seen)
    jobs_are_on_their_paths(pipeline, stories)
    the_auditor_finds_no_fault_with_them(pipeline, stories)


# ---------------------------------------------------------------- what is sent


def templates(pipeline: Pipeline) -> Iterator[Event]:
    """Sound events of every topic that a service reads: the example, and some of the pipeline's."""
    rng = Random(SEED)
    for name in CONSUMED:
        topic = BY_NAME[name]
        for file in (ROOT / name / "examples" / "v1").glob("*.json"):
            yield topic.event.model_validate_json(file.read_text("utf-8"))
        messages_now = read_topic(pipeline.system.settings, name)
        values = sorted(value for message in messages_now if (value := message.value()))
        for value in rng.sample(values, min(TEMPLATES_MAX, len(values))):
            yield CODEC.decode(topic, value)


def honest(stories: Iterable[Any]) -> Iterator[Sent]:
    """The stories' events, each story's in order, at moments between those of the others."""
    rng = Random(SEED)
    for story in stories:
        moments = sorted(rng.random() for _ in story.arrivals)
        for moment, arrival in zip(moments, story.arrivals, strict=True):
            event = arrival.event
            topic, key = topic_of(event), key_of(topic_of(event), event)
            headers = event_headers(topic.name, key, message_id(topic, event), "test", None)
            value = CODEC.encode(event)
            yield Sent(moment, "honest", topic.name, key.encode(), value, headers)


def send(pipeline: Pipeline, records: Sequence[Sent]) -> None:
    """Produce all of them in order, all acknowledged."""
    refused: list[KafkaError] = []

    def acknowledged(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error)

    producer = Producer(kafka.producer(pipeline.system.settings, role_of("simulator")))
    for each in records:
        headers: Any = list(each.headers)
        producer.produce(
            each.topic, each.value, each.key, headers=headers, on_delivery=acknowledged
        )
        producer.poll(0)
    assert producer.flush(60) == 0
    assert refused == []


# ---------------------------------------------------------------- what became of it


def read(pipeline: Pipeline) -> Iterator[tuple[Place, Seen]]:
    """Every record of every consumed topic."""
    for message in messages(pipeline, CONSUMED):
        place, key, value = place_of(message), message.key(), message.value()
        whole = digest(key, headers_of(message), hashed(value))
        kept = None if value is None or len(value) == TEN_MB else value
        yield place, Seen(BY_NAME[place[0]], key, kept, whole)


def messages(pipeline: Pipeline, topics: Sequence[str]) -> Iterator[Message]:
    """Every committed record of `topics`."""
    settings = pipeline.system.settings
    with reading.reader(settings, AUDITOR) as consumer:
        starts = dict.fromkeys(reading.partitions(settings, AUDITOR, topics), OFFSET_BEGINNING)
        yield from reading.read_on(consumer, starts)


def place_of(message: Message) -> Place:
    return str(message.topic()), message.partition() or 0, message.offset() or 0


def headers_of(message: Message) -> Headers:
    found: Any = message.headers() or ()
    return tuple((name, value) for name, value in found)


def hashed(value: bytes | None) -> bytes | None:
    """As PostgreSQL's sha256() says it."""
    return None if value is None else sha256(value).digest()


def digest(key: bytes | None, headers: Headers, value: bytes | None) -> bytes:
    """What tells two records apart; `value` is hashed."""
    return sha256(repr((key, headers, value)).encode()).digest()


def fates_of(pipeline: Pipeline, service: str, seen: Mapping[Place, Seen]) -> Fates:
    """What the service's tables say of each record that it reads.

    One that is in neither of them says the same as one that is: a duplicate, or a further attempt
    to mend a dead letter. Held records are whole.
    """
    inbox = pipeline.query(f"SELECT * FROM {service}.inbox")  # noqa: S608 -- of our own map
    held = pipeline.query(f"{HELD} {service}.held_record")
    known = {row.message_id for row in (*inbox, *held)} - {None}
    places = {(row.topic, row.partition, row.position): "applied" for row in inbox}
    dead, copied = set[Place](), set[Place]()
    for row in held:
        place = (row.topic, row.partition, row.position)
        places[place] = row.code or row.state
        assert digest(row.key, headers_from(row.headers), row.hashed) == seen[place].digest, place
        if row.dead_letter_id:
            dead.add(place)
            if (row.size or 0) <= BY_NAME[row.topic].max_message_bytes:
                copied.add(place)
    mine = {topic.name for topic in consumed_by(service)}
    fates = {
        place: places.get(place) or ("sent again" if record.identity in known else "lost")
        for place, record in seen.items()
        if place[0] in mine
    }
    applied_at = {(row.topic, row.partition, row.position): row.applied_at for row in inbox}
    return Fates(fates, frozenset(dead), frozenset(copied), applied_at)


def every_record_has_a_reason(child: Child, fates: Fates) -> None:
    """None is lost, none met a bug; each was counted once, under what became of it."""
    counts = Counter(fates.of.values())
    assert counts.keys().isdisjoint({"lost", "handler-bug", "handler-timeout"}), counts
    assert len(counts) > 10
    assert counted(child) == Counter(topic for topic, _, _ in fates.of)
    assert child.process.poll() is None
    log = child.log.read_text("utf-8")
    assert "delivery met a bug" not in log
    assert "rendering failed" not in log
    assert memory_mb(child) < 60 * TEN_MB // 2**20


def counted(child: Child) -> Counter[str]:
    """The records of each topic that the service says it has consumed."""
    connection = HTTPConnection("127.0.0.1", child.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "colophon_consumer_records_total":
                found[sample.labels["topic"]] += int(sample.value)
    return found


def memory_mb(child: Child) -> int:
    """What the process has resident."""
    said = subprocess.check_output(["ps", "-o", "rss=", "-p", str(child.process.pid)], text=True)
    return int(said) // 1024


def honest_work_is_done_in_order(fates: Fates, seen: Mapping[Place, Seen]) -> None:
    """Every honest record had its effect, after those of its key that stand before it."""
    last: dict[tuple[str, bytes | None], Any] = {}
    for place in sorted(place for place in fates.of if seen[place].is_honest):
        fate = fates.of[place]
        assert fate in ("applied", "sent again", "conflict"), (place, fate)
        if fate == "applied":
            lane, at = (place[0], seen[place].key), fates.applied_at[place]
            assert last.get(lane, at) <= at, place
            last[lane] = at


def dead_letters_are_whole(
    pipeline: Pipeline, service: str, fates: Fates, seen: Mapping[Place, Seen]
) -> None:
    """Each is published as it came, with its reason; what mends one and fails too, as that came."""
    copies: set[Place] = set()
    for copy in messages(pipeline, [t.dead_letters(service) for t in consumed_by(service)]):
        headers = headers_of(copy)
        said = {name: (v or b"").decode() for name, v in headers[-FACTS_OF_A_DEAD_LETTER:]}
        origin = (
            said["dlq.original.topic"],
            int(said["dlq.original.partition"]),
            int(said["dlq.original.offset"]),
        )
        copies.add(origin)
        assert said["dlq.error.code"]
        if said["dlq.replay.count"] == "0":
            whole = digest(copy.key(), headers[:-FACTS_OF_A_DEAD_LETTER], hashed(copy.value()))
            assert whole == seen[origin].digest, origin
    assert copies == fates.copied
    assert len(fates.dead) - len(fates.copied) <= len(consumed_by(service))  # 10 MB each


def jobs_are_on_their_paths(pipeline: Pipeline, stories: Iterable[Any]) -> None:
    """Each simulated job is where its story must end."""
    found = {row.job_id: row.path for row in pipeline.query("SELECT job_id, path FROM pricer.job")}
    expected = {story.job_id: story.outcome.replace("-", "_").upper() for story in stories}
    assert {job: found.get(job, "NOT_BILLABLE") for job in expected} == expected


def the_auditor_finds_no_fault_with_them(pipeline: Pipeline, stories: Iterable[Any]) -> None:
    """`verify` gets through all of it, and blames no job of ours and no invoice of theirs."""
    names = {story.job_id for story in stories}
    issued = pipeline.query("SELECT job_id, invoice_id, invoice_number FROM invoicer.invoice")
    names |= {name for row in issued if row.job_id in names for name in row[1:]}
    errors = [str(found) for found in pipeline.verify().errors]
    assert len(errors) > len(SERVICES)  # it does see what is wrong
    assert [found for found in errors if any(name in found for name in names)] == []
