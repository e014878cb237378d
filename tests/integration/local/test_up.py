"""`colophon up` beside another, stopped by signals, and killed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

import pytest

from shared.clock import monotonic

COLOPHON = (sys.executable, "-c", "from shared.cli import main; main()")
ENDED_SECONDS_MAX = 60


class Up:
    """A running `colophon up` of one service, and what it has printed so far."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [*COLOPHON, "up", "metrics_extractor"],
            env=environment_of(data_dir),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = ""

    def until(self, words: str) -> None:
        """Read what it prints until `words` have come."""
        assert self.process.stdout is not None
        while words not in self.printed:
            line = self.process.stdout.readline()
            assert line, f"ended without {words!r}: {self.printed}"
            self.printed += line

    def ends(self) -> int:
        """Its exit code, with everything it printed read."""
        self.printed += self.process.communicate(timeout=ENDED_SECONDS_MAX)[0]
        return self.process.returncode

    @property
    def port(self) -> int:
        """Where its table says that the service is found."""
        found = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", self.printed)
        assert found, self.printed
        return int(found[1])


def environment_of(data_dir: Path) -> dict[str, str]:
    return os.environ | {"COLOPHON_DATA_DIR": str(data_dir), "COLUMNS": "160"}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[[str], Up]]:
    """Starts one in a directory of that name and waits until it says that it runs."""
    with ExitStack() as ends:

        def start(name: str) -> Up:
            started = Up(tmp_path / name)
            ends.callback(started.process.wait)
            ends.callback(started.process.kill)
            started.until("mail sink")
            return started

        yield start


def is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/readyz")
    return connection.getresponse().status == 200


def test_two_directories_run_side_by_side_and_stop_in_order(up: Callable[[str], Up]) -> None:
    """If it failed: the second would say that it runs, and end; `kill` would leave a stale note."""
    # Given one that runs, when another is started, then it takes a port of its own and says so
    first, second = up("first"), up("second")
    assert first.port != second.port
    assert is_ready(first.port)
    assert is_ready(second.port)
    assert "(9101 is taken)" in second.printed
    assert second.printed.index("Starting the services.") < second.printed.index("Running")
    # When it is asked to stop by what kill, systemd and Docker send, then it does so in order
    second.process.send_signal(signal.SIGTERM)
    assert second.ends() == 0
    assert second.printed.rstrip().endswith("Stopping.")
    assert not (second.data_dir / "endpoints.json").exists()
    log = (second.data_dir / "logs" / "metrics_extractor.log").read_text()
    assert '"stopped"' in log.splitlines()[-1]
    # When the first is killed, then nobody is sent to its servers
    first.process.kill()
    first.ends()
    asked = subprocess.run(
        [*COLOPHON, "status"],
        env=environment_of(first.data_dir),
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDED_SECONDS_MAX,
    )
    assert asked.returncode == 2
    assert "start the local stack" in asked.stderr


@pytest.mark.tools("prometheus")
def test_prometheus_records_beside_it_and_ends_with_it(up: Callable[[str], Up]) -> None:
    """If it failed: nobody would see the metrics, or a killed `up` would leave a server behind."""
    # Given a program of that name, when it runs, then its table says where, and it answers there
    started = up("watched")
    started.until("│ prometheus")
    found = re.search(r"│ prometheus .*http://127\.0\.0\.1:(\d+)", started.printed)
    assert found, started.printed
    port = int(found[1])
    assert answers(port)
    # When `up` is killed, then it ends too
    started.process.kill()
    started.ends()
    deadline, rest = monotonic() + ENDED_SECONDS_MAX, Event()
    while answers(port):
        assert monotonic() < deadline
        rest.wait(0.05)


def answers(port: int) -> bool:
    """Whether a Prometheus there is ready."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
