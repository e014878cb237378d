"""The echo service as processes: started, looked at from outside, stopped, killed."""

import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from threading import Event as Waiter

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from shared.clock import monotonic
from shared.local.environment import environment
from shared.local.ports import free_port
from shared.runtime.faults import Point
from shared.settings import Settings
from tests.integration.runtime.bench import LIMIT_S
from tests.integration.runtime.nursery import Nursery, Process


@dataclass
class Instance:
    """One process of the echo service."""

    port: int
    log: Path
    process: Process


class Instances:
    """Processes of the echo service, by the names a test gives them."""

    def __init__(self, settings: Settings, nursery: Nursery) -> None:
        self._settings, self._nursery = settings, nursery
        self._running: dict[str, Instance] = {}

    def start(self, name: str, **changes: object) -> None:
        """Start one, with other settings where given."""
        port = free_port()
        update = {"http_port": port, "stop_with_parent": True, **changes}
        log = self._settings.data_dir / "logs" / f"echo-{name}.log"
        log.unlink(missing_ok=True)
        process = self._nursery.fork(environment(self._settings.model_copy(update=update)), log)
        self._running[name] = Instance(port, log, process)

    def start_at(
        self, points: Sequence[Point], action: str, owners: Callable[[], set[int]]
    ) -> None:
        """Start one for each of `points` where `action` befalls it; none has records before all.

        Whoever came first would else have every partition, and could leave nothing to the others.
        Some points are reached without a record: who is there already waits for no partition.
        """
        for point in points:
            self.start(point, fault=f"{point}:{action}")
        until(lambda: all(self._is_poised(each, owners()) for each in points), "all to be poised")

    def _is_poised(self, name: str, owners: set[int]) -> bool:
        process = self._running[name].process
        return process.pid in owners or process.is_stopped() or process.poll() is not None

    def ready(self, *names: str, **changes: object) -> None:
        """Start these and wait until all are ready."""
        for name in names:
            self.start(name, **changes)
        for name in names:
            self.wait_ready(name)

    def wait_ready(self, name: str) -> None:
        """Wait until it says so; fails when it ends instead."""
        until(lambda: self.is_ready(name), f"{name} to be ready")

    def is_ready(self, name: str) -> bool:
        """Whether it says so; it must not have ended."""
        code = self._running[name].process.poll()
        assert code is None, f"{name} ended with {code}: {self.log(name)}"
        return self.get(name, "/readyz")[0] == 200

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal."""
        self._running[name].process.send_signal(number)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.send(name, signal.SIGKILL)
        self.wait(name, 10.0)

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code, within what a stop may take."""
        self.send(name, signal.SIGTERM)
        return self.wait(name, 10.0)

    def wait(self, name: str, seconds: float = LIMIT_S) -> int:
        """Its exit code, negative for a signal, once it has ended by itself."""
        return self._running[name].process.wait(seconds)

    def is_stopped(self, name: str) -> bool:
        """Whether SIGSTOP has it."""
        return self._running[name].process.is_stopped()

    def log(self, name: str) -> str:
        """What it has logged so far."""
        return self._running[name].log.read_text("utf-8", "replace")

    def get(self, name: str, path: str) -> tuple[int, str]:
        """Status and body of a GET; 0 where nobody listens."""
        connection = HTTPConnection("127.0.0.1", self._running[name].port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def checks(self, name: str) -> dict[str, bool]:
        """What /readyz says, check by check; empty where nobody listens."""
        found: dict[str, bool] = json.loads(self.get(name, "/readyz")[1] or "{}")
        return found

    def families(self, name: str) -> list[Metric]:
        """What /metrics exposes."""
        return list(text_string_to_metric_families(self.get(name, "/metrics")[1]))

    def metric(self, name: str, sample: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return sum(
            found.value
            for family in self.families(name)
            for found in family.samples
            if found.name == f"colophon_{sample}" and labels.items() <= found.labels.items()
        )

    def end(self) -> None:
        """Kill whatever still runs."""
        for name in self._running:
            self.kill(name)


def until(holds: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    """Look again and again until `holds`; fails after `limit_s`, saying what did not come."""
    deadline, rest = monotonic() + limit_s, Waiter()
    while not holds():
        if monotonic() > deadline:
            pytest.fail(f"not in {limit_s} s: {what}")
        rest.wait(0.05)
