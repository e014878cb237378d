"""The echo service as processes: started, looked at from outside, stopped, killed."""

import json
import os
import signal
from collections.abc import Callable
from http.client import HTTPConnection
from threading import Event as Waiter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.clock import monotonic
from shared.local.fleet import Child, Fleet
from shared.settings import Settings
from tests.integration.runtime.bench import LIMIT_S

MODULE = "tests.integration.runtime.echo"


class Instances:
    """Processes of the echo service, by the names a test gives them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fleet = Fleet(settings)

    def start(self, name: str, **changes: object) -> Child:
        """Start one, with other settings where given."""
        self._fleet._settings = self._settings.model_copy(update=changes)
        return self._fleet.start(name, MODULE)

    def ready(self, *names: str) -> None:
        """Start these and wait until all are ready."""
        for name in names:
            self.start(name)
        self._fleet.wait_ready()

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self._fleet.kill(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self._fleet.children[name].process.pid, number)

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code, within what a stop may take."""
        child = self._fleet.children.pop(name)
        child.process.send_signal(signal.SIGTERM)
        with child.process as process:
            return process.wait(10.0)

    def log(self, name: str) -> str:
        """What it has logged so far."""
        return self._fleet.children[name].log.read_text("utf-8", "replace")

    def get(self, name: str, path: str) -> tuple[int, str]:
        """Status and body of a GET; 0 where nobody listens."""
        connection = HTTPConnection("127.0.0.1", self._fleet.children[name].port, timeout=10)
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

    def metric(self, name: str, sample: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        families = text_string_to_metric_families(self.get(name, "/metrics")[1])
        return sum(
            found.value
            for family in families
            for found in family.samples
            if found.name == f"colophon_{sample}" and labels.items() <= found.labels.items()
        )

    def end(self) -> None:
        """Kill whatever still runs."""
        for name in list(self._fleet.children):
            self._fleet.kill(name)


def until(holds: Callable[[], object], what: str) -> None:
    """Look again and again until `holds`; fails after a minute, saying what did not come."""
    deadline, rest = monotonic() + LIMIT_S, Waiter()
    while not holds():
        if monotonic() > deadline:
            pytest.fail(f"not in {LIMIT_S} s: {what}")
        rest.wait(0.05)
