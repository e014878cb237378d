"""One server of the local stack as a process: started under a supervisor, awaited, stopped.

The supervisor (supervisor.py) holds a pipe to this process and stops the server when the pipe
closes. So stopping and dying take the same path, and nothing is left running after a crash.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shared.local.errors import LocalStackError
from shared.local.locks import try_lock

READY_SECONDS_MAX = 60.0
POLL_SECONDS = 0.03
LOG_LINES_SHOWN = 8
LINE_CHARACTERS_MAX = 300
PORT_TAKEN = "Address already in use"
ORPHAN_STEPS = ((signal.SIGTERM, 30.0), (signal.SIGKILL, 10.0))


class PortTakenError(LocalStackError):
    """Somebody took the port between our choosing it and the server's binding it; try another."""


@dataclass(frozen=True)
class Launch:
    """What to run and how to stop it.

    `stop` is a list of signals, each with the seconds it is given before the next; SIGKILL follows
    the last. `identity` holds `user`, `group`, `extra_groups` for subprocess, or nothing.
    """

    command: Sequence[str]
    cwd: Path
    stop: Sequence[tuple[signal.Signals, float]]
    identity: Mapping[str, object] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """A clean one: no PG*, JAVA_* or LC_* variable of the user reaches a server."""
        return {"LC_ALL": "C.UTF-8", "PATH": os.defpath, "TZ": "UTC"}


class Server:
    """A named server whose lock, pid file and log live in a data directory."""

    def __init__(self, name: str, folder: Path, logs: Path) -> None:
        self.name = name
        self.log = logs / f"{folder.name}.log"
        self._lock_file = folder / "lock"
        self._pid_file = folder / "pid"
        self._supervisor: subprocess.Popen[bytes] | None = None

    def claim(self) -> int:
        """Lock the server's folder, first ending what a crashed session may have left there.

        Returns:
            The lock's descriptor, to be handed to `start`.

        Raises:
            LocalStackError: A process started from this folder cannot be ended.
        """
        for number, seconds in ((None, 0.0), *ORPHAN_STEPS):
            if number is not None:
                self._signal_orphan(number)
            deadline = time.monotonic() + seconds
            while (lock := try_lock(self._lock_file)) is None and time.monotonic() < deadline:
                _pause()
            if lock is not None:
                return lock
        raise LocalStackError(
            f"{self.name} of an earlier session still runs and cannot be stopped; "
            f"end the processes that hold {self._lock_file} and try again."
        )

    def start(self, launch: Launch, lock: int) -> None:
        """Start the server under a supervisor that inherits the lock; returns at once."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".previous.log"))
        plan = {
            "command": [str(word) for word in launch.command],
            "cwd": str(launch.cwd),
            "env": launch.environment(),
            "identity": dict(launch.identity),
            "stop": [(int(number), seconds) for number, seconds in launch.stop],
            "log": str(self.log),
            "pid_file": str(self._pid_file),
            "lock_fd": lock,
            "parent": os.getpid(),
        }
        script = Path(__file__).with_name("supervisor.py")
        try:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", str(script), json.dumps(plan)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[lock],
                start_new_session=True,
            )
        finally:
            os.close(lock)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Ask `ready` until it says yes.

        Raises:
            LocalStackError: The server died, or did not answer within READY_SECONDS_MAX.
        """
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            self.check()
            if ready():
                return
            if time.monotonic() > deadline:
                raise LocalStackError(
                    f"{self.name} did not answer within {READY_SECONDS_MAX:.0f} seconds. "
                    + self._last_words()
                )
            _pause()

    def check(self) -> None:
        """Raise LocalStackError, with the end of the log, if the server is not running."""
        if self._supervisor is None or self._supervisor.poll() is not None:
            words = self._last_words()
            kind = PortTakenError if PORT_TAKEN in words else LocalStackError
            raise kind(f"{self.name} stopped by itself. {words}")

    def stop(self) -> None:
        """Close the pipe and wait for the supervisor, which stops the server in bounded time."""
        if self._supervisor is None:
            return
        with suppress(BrokenPipeError):
            self._supervisor.communicate()
        self._supervisor = None

    def _signal_orphan(self, number: signal.Signals) -> None:
        """The lock is held, so the process noted in the pid file, or a child of it, still lives."""
        with suppress(OSError, ValueError):
            os.kill(int(self._pid_file.read_text(encoding="ascii")), number)

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return f"Its log {self.log} cannot be read."
        shown = [line[:LINE_CHARACTERS_MAX] for line in lines[-LOG_LINES_SHOWN:]]
        return "\n".join([f"The end of its log {self.log}:", *shown])


def _pause() -> None:
    """Between two looks at something that no descriptor announces; every caller has a deadline."""
    signal.sigtimedwait([], POLL_SECONDS)
