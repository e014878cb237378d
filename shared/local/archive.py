"""A quicker start for the broker: what its JVM loads and links at start, prepared once per user.

Java 25 and newer can write down the classes of one run in an archive (JEP 514, 515) and begin the
next with them: the broker then answers in about half the time, for half the processor time. The run
that is recorded is a short rehearsal in a throw-away folder with what clients do most.
The archive is a convenience: whatever goes wrong here, the broker starts without it.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from shared.local.broker import Broker, Runtime
from shared.local.errors import LocalStackError
from shared.local.jars import KAFKA
from shared.local.java import Java
from shared.local.locks import try_lock

JAVA_MAJOR_MIN = 25
ARCHIVES_MAX = 3
STOP_SECONDS_MAX = 120.0  # the archive is written while the JVM ends
CLIENT_SECONDS_MAX = 10.0

# Java 25 warns at each start of stubs that it makes anew because two of them share a hash.
QUIET = ("-Xlog:aot=error", "-Xlog:aot+codecache+stubs=error")


def archived(runtime: Runtime, java: Java, report: Callable[[str], None]) -> Runtime:
    """`runtime` with the option to use the archive, which is made now if it is missing.

    It stays as it is where there is none: an older Java, an attempt that failed, or one that
    another process is just making.
    """
    if java.major < JAVA_MAJOR_MIN:
        return runtime
    archive = KAFKA.folder / f"start-{_digest(runtime, java)}.aot"
    try:
        if not archive.exists():
            _make_once(archive, runtime, report)
        if archive.stat().st_size == 0:
            return runtime
    except (LocalStackError, KafkaException, OSError):
        return runtime
    return replace(runtime, java=[*runtime.java, f"-XX:AOTCache={archive}", *QUIET])


def _digest(runtime: Runtime, java: Java) -> str:
    """Names what the JVM compares: its own build, the options, the jars and their times."""
    launcher, _, class_path, *options = map(str, runtime.java)
    del launcher  # another copy of the same build will do
    times = [str(Path(jar).stat().st_mtime_ns) for jar in class_path.split(os.pathsep)]
    text = "\n".join([java.build, class_path, *times, *options])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make_once(archive: Path, runtime: Runtime, report: Callable[[str], None]) -> None:
    """Make it unless somebody else is: they need the processor more than we need a second one."""
    lock = try_lock(archive.with_name("rehearsal.lock"))
    if lock is None:
        return
    try:
        for abandoned in archive.parent.glob("rehearsal-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        report("preparing a quick start for Kafka, once per user")
        _make(archive, runtime)
    finally:
        os.close(lock)


def _make(archive: Path, runtime: Runtime) -> None:
    """Rehearse, then move the archive into place; an empty file notes that this JVM makes none."""
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix="rehearsal-") as scratch:
        folder = Path(scratch)
        fresh = folder / "fresh.aot"
        recorded = replace(runtime, broker_options=[f"-XX:AOTCacheOutput={fresh}"])
        broker = Broker(folder / "kafka", folder / "logs", lambda: recorded, STOP_SECONDS_MAX)
        try:
            _rehearse(broker.start())
        finally:
            broker.stop()
        fresh.touch()
        fresh.replace(archive)
    _prune(archive.parent)


def _rehearse(address: str) -> None:
    """A topic, a transaction, a consumer group."""
    topic = "rehearsal"
    base: dict[str, str | int | float | bool] = {"bootstrap.servers": address, "log_level": 2}
    admin = AdminClient(base)
    for created in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        created.result(CLIENT_SECONDS_MAX)
    producer = Producer(base | {"transactional.id": topic, "compression.type": "lz4"})
    producer.init_transactions(CLIENT_SECONDS_MAX)
    producer.begin_transaction()
    producer.produce(topic, b"value", b"key")
    producer.commit_transaction(CLIENT_SECONDS_MAX)
    group = {"group.id": topic, "group.protocol": "consumer", "auto.offset.reset": "earliest"}
    consumer = Consumer(base | group)
    try:
        consumer.subscribe([topic])
        if consumer.poll(CLIENT_SECONDS_MAX) is not None:
            consumer.commit(asynchronous=False)
    finally:
        consumer.close()


def _prune(folder: Path) -> None:
    """Keep the newest few: each is about 70 MB, and a new Java or Kafka makes a new one."""
    archives = sorted(folder.glob("start-*.aot"), key=lambda file: file.stat().st_mtime)
    for old in archives[:-ARCHIVES_MAX]:
        with suppress(FileNotFoundError):
            old.unlink()
