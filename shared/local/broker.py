"""One Kafka broker in a folder: broker and KRaft controller in a single process.

Everything is relative to the broker's folder, which is its working directory, so that no path,
whatever characters it has, needs escaping in a properties file.
"""

import base64
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from shared.local.errors import LocalStackError
from shared.local.java import SERVER_ENVIRONMENT, SERVER_OPTIONS
from shared.local.ports import LOOPBACK, remembered_ports
from shared.local.server import Launch, Server

FORMAT_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0

# Idle: an empty record every half second, for quorums of several, is a third of the idle load.
# Memory: 128 MB of dedupe buffer is the default of the log cleaner alone, a third of our heap.
# Consumer groups, transactions: so that a join does not wait and a failover takes seconds.
# Retention: what a topic does not say itself is kept for ever; facts have no age.
BROKER = """\
process.roles=broker,controller
node.id=1
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
message.max.bytes=16777216
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=16777216
metadata.max.idle.interval.ms=0
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=3000
group.consumer.session.timeout.ms=6000
group.consumer.min.session.timeout.ms=3000
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.heartbeat.interval.ms=500
transaction.abort.timed.out.transaction.cleanup.interval.ms=2000
"""

JVM = (
    "-Xms96m",
    "-Xmx384m",
    *SERVER_OPTIONS,
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
)


@dataclass(frozen=True)
class Runtime:
    """How to run a class of Kafka: `java` and its options, then options for the broker alone."""

    java: Sequence[str | Path]
    broker_options: Sequence[str] = ()


class Broker:
    """The broker that lives in `folder`.

    Args:
        folder: Its storage, configuration, ports and lock.
        logs: Where its log goes.
        runtime: Asked for at each start, while the folder is locked; it may fetch and install.
        stop_seconds: How long a stop may take before the broker is killed.
    """

    def __init__(
        self,
        folder: Path,
        logs: Path,
        runtime: Callable[[], Runtime],
        stop_seconds: float = STOP_SECONDS_MAX,
    ) -> None:
        self._folder = folder
        self._runtime = runtime
        self._stop_seconds = stop_seconds
        self._server = Server("Kafka", folder, logs)

    def start(self) -> str:
        """Format the storage if it is new, start, wait until the broker answers; its address.

        Raises:
            LocalStackError: There is nothing to run, or the broker died or did not answer.
        """
        launch = self._server.run(self._prepare)
        return f"{LOOPBACK}:{launch.port}"

    def check(self) -> None:
        """Raise LocalStackError if the broker is not running."""
        self._server.check()

    def stop(self) -> None:
        """Stop the broker cleanly, in bounded time."""
        self._server.stop()

    def end_orphans(self) -> None:
        """See that nothing of an earlier session runs any more; LocalStackError if it does."""
        self._server.end_orphans()

    def _prepare(self) -> Launch:
        runtime = self._runtime()
        temporary = self._folder / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        broker, controller = remembered_ports(self._folder / "ports", 2)
        self._write_properties(broker, controller, "log")
        if not (self._folder / "log").exists():
            self._format(runtime.java, broker, controller)
        return Launch(
            command=[*runtime.java, *runtime.broker_options, "kafka.Kafka", "log.properties"],
            cwd=self._folder,
            env=SERVER_ENVIRONMENT,
            port=broker,
            ready=partial(_answers, f"{LOOPBACK}:{broker}"),
            stop=[(signal.SIGTERM, self._stop_seconds)],
        )

    def _write_properties(self, broker: int, controller: int, log_folder: str) -> None:
        lines = (
            f"log.dirs={log_folder}",
            f"listeners=BROKER://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}",
            f"advertised.listeners=BROKER://{LOOPBACK}:{broker}",
            f"controller.quorum.voters=1@{LOOPBACK}:{controller}",
        )
        text = BROKER + "\n".join(lines) + "\n"
        (self._folder / f"{log_folder}.properties").write_text(text, encoding="ascii")

    def _format(self, java: Sequence[str | Path], broker: int, controller: int) -> None:
        """Format storage under another name and rename it: `log` exists only when it is whole."""
        fresh = "unfinished"
        shutil.rmtree(self._folder / fresh, ignore_errors=True)
        self._write_properties(broker, controller, fresh)
        cluster_id = base64.urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", f"{fresh}.properties"]
        try:
            done = subprocess.run(
                [*java, *tool],
                cwd=self._folder,
                env=SERVER_ENVIRONMENT,
                capture_output=True,
                check=False,
                text=True,
                timeout=FORMAT_SECONDS_MAX,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise LocalStackError(f"Kafka's storage cannot be formatted: {error}") from error
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip()[-1000:]
            raise LocalStackError(f"Kafka's storage in {self._folder} cannot be formatted: {words}")
        (self._folder / fresh).rename(self._folder / "log")


def _answers(address: str) -> bool:
    """Whether the broker at `address` tells clients where it is."""
    client = AdminClient(
        {
            "bootstrap.servers": address,
            "log_level": 0,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 50,
        }
    )
    try:
        return bool(client.list_topics(timeout=0.5).brokers)
    except KafkaException:
        return False
