"""One contender on a filled topic: how many records a second, from the topic it writes."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy import text

from shared import db, kafka
from shared.clock import monotonic
from shared.db import OWNER
from shared.local.environment import environment
from shared.migrate import bring_up
from shared.settings import Settings
from shared.testing import read_topic, scratch_database
from shared.topology import SERVICE, role_of
from tests.benchmarks.runtime.workload import JOB, METADATA, SOURCE, SPEC, TARGET, records
from tests.benchmarks.usage import usage

LIMIT_S = 120.0
_SKIPPED = 0.1
_LOOK_S = 0.02
_READ_MAX = 1000
_PRIMARY_KEY = (
    "SELECT conname FROM pg_constraint WHERE conrelid = 'inbox'::regclass AND contype = 'p'"
)
_KEYS = (
    "INSERT INTO inbox (message_id, fingerprint, topic, partition, position)"
    " SELECT gen_random_uuid(), decode(md5(n::text), 'hex'), :topic, n % 6, n"
    " FROM generate_series(1, :keys) n"
)


@dataclass(frozen=True)
class Result:
    """What was seen of one run; CPU and memory over all its processes."""

    records: int
    per_s: float
    cpu_us: float
    peak_mb: float


def race(
    settings: Settings,
    module: str,
    count: int,
    lines: int,
    *,
    processes: int = 1,
    python: str = "",
    keys: int = 0,
) -> Result:
    """Run `module` in `processes` processes until `count` records have come out.

    The inbox begins with `keys` rows.
    """
    with scratch_database(settings) as scratch:
        prepare(scratch, keys)
        fill(scratch, count, lines)
        command = [python or sys.executable, "-m", module]
        with running(scratch, command, processes) as children:
            target = Target(scratch, children)
            started_at, first = target.reach(max(1, int(count * _SKIPPED))), target.records
            seconds = target.reach(count) - started_at
            used = [usage(child.pid) for child in children]
        out = len(read_topic(scratch, TARGET))
    if out != count:
        msg = f"{module}: {out} records came out, not {count}"
        raise RuntimeError(msg)
    cpu_s, peaks = sum(cpu for cpu, _ in used), [peak for _, peak in used]
    per_s = (count - first) / max(seconds, _LOOK_S)
    return Result(count, per_s, cpu_s / count * 1e6, max(peaks))


def prepare(settings: Settings, keys: int = 0) -> None:
    """The pricer's schema as it is migrated, and the workload's table beside its own."""
    bring_up(settings, [SPEC])
    with db.transaction(settings, OWNER, search_path=SPEC.name) as connection:
        METADATA.create_all(connection)
        connection.execute(text(f"GRANT ALL ON {JOB.name} TO {SERVICE[SPEC.name].role}"))
    if keys:
        _fill_inbox(settings, keys)


def fill(settings: Settings, count: int, lines: int, *, start: int = 0, empty: bool = True) -> None:
    """Put `count` records into the source, the jobs from `start` on; both topics emptied before."""
    if empty:
        _empty(settings)
    producer = Producer(kafka.producer(settings, role_of("simulator")) | {"linger.ms": 20})
    for key, value in records(count, lines, start):
        while True:
            try:
                producer.produce(SOURCE, value, key)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    if producer.flush(60):
        msg = "the broker did not take every record"
        raise RuntimeError(msg)


@contextmanager
def running(
    settings: Settings, command: Sequence[str], processes: int = 1
) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """The contender's processes, killed at the end; their words go to a file in the data folder."""
    settings = settings.model_copy(update={"http_port": 0})
    log = settings.data_dir / "logs" / f"{command[-1]}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        children = [
            subprocess.Popen(command, env=environment(settings), stdout=out, stderr=out)
            for _ in range(processes)
        ]
        try:
            yield children
        finally:
            for child in children:
                child.kill()
                child.wait()


class Target:
    """The target topic as its reader sees it: committed records, counted as they come."""

    def __init__(self, settings: Settings, children: "Sequence[subprocess.Popen[bytes]]") -> None:
        self._children, self.records = children, 0
        self._consumer = Consumer(kafka.reader(settings, role_of("simulator")))
        self._consumer.assign(
            [TopicPartition(*place, OFFSET_BEGINNING) for place in _places(self._consumer, TARGET)]
        )

    def reach(self, count: int) -> float:
        """Wait until it holds `count`; returns the monotonic time of having seen that."""
        deadline = monotonic() + LIMIT_S
        while self.records < count:
            messages = self._consumer.consume(min(_READ_MAX, count - self.records), _LOOK_S)
            if came := sum(message.error() is None for message in messages):
                self.records += came
                deadline = monotonic() + LIMIT_S
            if monotonic() > deadline or any(child.poll() is not None for child in self._children):
                msg = f"{self.records} of {count} records, then nothing: logs/ in the data folder"
                raise RuntimeError(msg)
        return monotonic()


def _fill_inbox(settings: Settings, keys: int) -> None:
    """Put `keys` rows of other records into the inbox, then build its index anew: the fast way."""
    with db.transaction(settings, OWNER, search_path=SPEC.name) as connection:
        connection.execute(text("SET statement_timeout = 0"))
        (name,) = connection.execute(text(_PRIMARY_KEY)).scalars()
        connection.execute(text(f"ALTER TABLE inbox DROP CONSTRAINT {name}"))
        connection.execute(text(_KEYS), {"keys": keys, "topic": SOURCE})
        connection.execute(
            text(f"ALTER TABLE inbox ADD CONSTRAINT {name} PRIMARY KEY (message_id)")
        )
        connection.execute(text("ANALYZE inbox"))


def _empty(settings: Settings) -> None:
    admin = AdminClient(kafka.client(settings, role_of("simulator")))
    left = [
        TopicPartition(*place, -1) for name in (SOURCE, TARGET) for place in _places(admin, name)
    ]
    deadline = monotonic() + LIMIT_S
    while left:
        answers = admin.delete_records(left)
        left = [place for place, deleted in answers.items() if deleted.exception(10)]
        if left and monotonic() > deadline:
            msg = f"no leader for {left}"
            raise TimeoutError(msg)


def _places(client: AdminClient | Consumer, topic: str) -> list[tuple[str, int]]:
    found = client.list_topics(topic, timeout=10).topics[topic].partitions
    return [(topic, number) for number in found]
