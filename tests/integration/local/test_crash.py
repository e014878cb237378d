"""What outlives a killed session: nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from shared.local.locks import try_lock
from shared.local.stack import LocalStack
from tests.integration.local import content

GONE_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05

# A session of its own: starts the stack, writes, says which processes run, waits to be killed.
SESSION = """
import json, sys
from pathlib import Path
from shared.local.stack import LocalStack
from tests.integration.local import content
stack = LocalStack(Path(sys.argv[1]))
endpoints = stack.up()
content.write(endpoints, "J-1")
servers = [stack._kafka._server, stack._postgres._server]
print(json.dumps({
    "supervisors": [server._supervisor.pid for server in servers],
    "servers": [int(server._pid_file.read_text()) for server in servers],
}), flush=True)
sys.stdin.read()
"""


class Session:
    """A process that runs a stack, and the ids of what it started."""

    def __init__(self, data_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SESSION, str(data_dir)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        started: dict[str, list[int]] = json.loads(self._process.stdout.readline())
        self.supervisors, self.servers = started["supervisors"], started["servers"]

    def kill(self) -> None:
        """SIGKILL to the session alone."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    started = Session(tmp_path)
    yield started
    started.kill()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until_ended(processes: list[int]) -> None:
    """Until the processes have ended and the system has collected them, which may take a while."""
    deadline = time.monotonic() + GONE_SECONDS_MAX
    while alive := [process for process in processes if _alive(process)]:
        assert time.monotonic() < deadline, f"still running: {alive}"
        Event().wait(POLL_SECONDS)


def _wait_until_unlocked(data_dir: Path) -> None:
    """Until nobody, a database backend for one, holds a lock."""
    deadline = time.monotonic() + GONE_SECONDS_MAX
    for name in ("kafka", "postgres"):
        while (lock := try_lock(data_dir / name / "lock")) is None:
            assert time.monotonic() < deadline, f"something of {name} still runs"
            Event().wait(POLL_SECONDS)
        os.close(lock)


def test_servers_end_with_a_killed_session(session: Session, tmp_path: Path) -> None:
    """Given a running stack, when its session is SIGKILLed, then both servers stop cleanly."""
    session.kill()
    _wait_until_ended(session.servers + session.supervisors)
    _wait_until_unlocked(tmp_path)
    assert "database system is shut down" in (tmp_path / "logs" / "postgres.log").read_text()
    with LocalStack(tmp_path) as endpoints:
        assert content.read(endpoints) == ("J-1", "J-1")


def test_orphans_are_ended_by_the_next_start(session: Session, tmp_path: Path) -> None:
    """Given servers whose supervisors were SIGKILLed too, the next start ends and replaces them.

    The ports are forgotten as well: storage does not depend on them.
    """
    for name in ("kafka", "postgres"):
        (tmp_path / name / "ports").unlink()
    for supervisor in session.supervisors:
        os.kill(supervisor, signal.SIGKILL)
    session.kill()
    assert all(_alive(server) for server in session.servers)
    with LocalStack(tmp_path) as endpoints:
        _wait_until_ended(session.servers)
        assert content.read(endpoints) == ("J-1", "J-1")
