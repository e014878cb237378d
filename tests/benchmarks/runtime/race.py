"""One contender on a filled topic: how many records a second, from the topic it writes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Waiter

from confluent_kafka import Consumer, Producer, TopicPartition
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

LIMIT_S = 120.0
_SKIPPED = 0.1
_LOOK_S = 0.1
_QUIET_S = 1.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Result:
    """What was seen of one run; CPU and memory over all its processes."""

    records: int
    per_s: float
    cpu_us: float
    peak_mb: float


def race(
    settings: Settings, module: str, count: int, lines: int, *, processes: int = 1, python: str = ""
) -> Result:
    """Run `module` in `processes` processes until `count` records have come out."""
    with scratch_database(settings) as scratch:
        prepare(scratch)
        fill(scratch, count, lines)
        command = [python or sys.executable, "-m", module]
        with running(scratch, command, processes) as children:
            seconds = watch(scratch, count, children)
            usage = [_usage(child.pid) for child in children]
        out = len(read_topic(scratch, TARGET))
    if out != count:
        msg = f"{module}: {out} records came out, not {count}"
        raise RuntimeError(msg)
    cpu_s, peaks = sum(cpu for cpu, _ in usage), [peak for _, peak in usage]
    per_s = count * (1 - _SKIPPED) / max(seconds, _LOOK_S)
    return Result(count, per_s, cpu_s / count * 1e6, max(peaks))


def prepare(settings: Settings) -> None:
    """The pricer's schema as it is migrated, and the workload's table beside its own."""
    bring_up(settings, [SPEC])
    with db.transaction(settings, OWNER, search_path=SPEC.name) as connection:
        METADATA.create_all(connection)
        connection.execute(text(f"GRANT ALL ON {JOB.name} TO {SERVICE[SPEC.name].role}"))


def fill(settings: Settings, count: int, lines: int) -> None:
    """Empty both topics and put `count` records into the source."""
    _empty(settings)
    producer = Producer(kafka.producer(settings, role_of("simulator")) | {"linger.ms": 20})
    for key, value in records(count, lines):
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


def watch(settings: Settings, count: int, children: "list[subprocess.Popen[bytes]]") -> float:
    """Seconds from when a tenth of `count` records stood in the target until all did.

    The broker is asked where its topic ends: a record's own timestamp may be that of its cause.
    """
    consumer = Consumer(kafka.reader(settings, role_of("simulator")))
    places = [TopicPartition(*place) for place in _places(consumer, TARGET)]
    started_at = last_at = None
    reached, deadline, rest = 0, monotonic() + LIMIT_S, Waiter()
    while True:
        ends = [consumer.get_watermark_offsets(place, timeout=10) for place in places]
        now, before = monotonic(), reached
        reached = sum(high - low for low, high in ends)
        started_at = now if started_at is None and reached >= count * _SKIPPED else started_at
        last_at = now if reached > before else last_at
        if started_at and last_at and reached >= count and now - last_at > _QUIET_S:
            consumer.close()
            return last_at - started_at
        if now > deadline or any(child.poll() is not None for child in children):
            msg = f"{reached} of {count} records, then nothing more: see logs/ in the data folder"
            raise RuntimeError(msg)
        rest.wait(_LOOK_S)


def _usage(pid: int) -> tuple[float, float]:
    """CPU seconds and peak memory in MB so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(peak) / 1024


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
