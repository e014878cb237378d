"""One server of the local stack as a process: started under a supervisor, awaited, stopped.

The supervisor (supervisor.py) holds a pipe to this process and stops the server when the pipe
closes. So stopping and dying take the same path, and nothing is left running after a crash.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shared.local.errors import LocalStackError
from shared.local.locks import try_lock

START_ATTEMPTS = 3
READY_SECONDS_MAX = 120.0  # one that dies is noticed at once; this is for slow machines
POLL_SECONDS = 0.03
LOG_LINES_SHOWN = 8
LINE_CHARACTERS_MAX = 300
SUPERVISOR = Path(__file__).with_name("supervisor.py")

# Nothing of the user's environment reaches a server: no PG*, JAVA_* or LC_* variable.
ENVIRONMENT = {"PATH": os.defpath, "TZ": "UTC"}

# What to send to a server whose lock is still held after so many seconds: first the time that a
# supervisor needs which is stopping it already.
ORPHAN_STEPS = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 25.0), (signal.SIGKILL, 5.0))

PORT_TAKEN = ("address already in use", "in use by another process")
_TELLING = re.compile(r"\b(ERROR|FATAL|PANIC|HINT|error|Error|[A-Za-z]+Exception)\b")


class PortTakenError(LocalStackError):
    """Somebody took the port between our choosing it and the server's binding it; try another."""


@dataclass(frozen=True)
class Launch:
    """What to run and where, on which port, how to see that it is ready and how to stop it.

    `stop` is a list of signals, each with the seconds it is given before the next; SIGKILL follows
    the last. `identity` holds `user`, `group`, `extra_groups` for subprocess, or nothing.
    """

    command: Sequence[str | Path]
    cwd: Path
    env: Mapping[str, str]
    port: int
    ready: Callable[[], bool]
    stop: Sequence[tuple[signal.Signals, float]]
    identity: Mapping[str, object] = field(default_factory=dict)


class Server:
    """A named server whose lock, pid file and log live in a data directory."""

    def __init__(self, name: str, folder: Path, logs: Path) -> None:
        self.name = name
        self._log = logs / f"{folder.name}.log"
        self._lock_file = folder / "lock"
        self._pid_file = folder / "pid"
        self._supervisor: subprocess.Popen[bytes] | None = None

    def run(self, prepare: Callable[[], Launch]) -> Launch:
        """Start what `prepare` says and wait until it is ready.

        `prepare` runs while the folder is locked, once more for each port that somebody took.

        Raises:
            LocalStackError: The server cannot be prepared, died, or did not become ready.
        """
        for _ in range(START_ATTEMPTS - 1):
            with suppress(PortTakenError):
                return self._run_once(prepare)
        return self._run_once(prepare)

    def _run_once(self, prepare: Callable[[], Launch]) -> Launch:
        lock = self._claim()
        try:
            launch = prepare()
            self._start(launch, lock)
        except OSError as error:
            raise LocalStackError(f"{self.name} cannot be started: {error}") from error
        finally:
            os.close(lock)
        try:
            self._wait_until(launch.ready)
        except BaseException:
            self.stop()
            raise
        return launch

    def check(self) -> None:
        """Raise LocalStackError, with the end of the log, if the server is not running."""
        if self._supervisor is None or self._supervisor.poll() is not None:
            text = self._log_text()
            taken = any(words in text.lower() for words in PORT_TAKEN)
            kind = PortTakenError if taken else LocalStackError
            raise kind(f"{self.name} stopped by itself. {self._last_words(text)}")

    def stop(self) -> None:
        """Tell the supervisor, which stops the server in bounded time, and wait for both.

        A signal besides the closed pipe: a forked child of ours may hold the pipe open.
        """
        if self._supervisor is not None:
            self._supervisor.terminate()
            self._supervisor.communicate()
            self._supervisor = None

    def end_orphans(self) -> None:
        """See that nothing of an earlier session runs any more; LocalStackError if it does."""
        os.close(self._claim())

    def _claim(self) -> int:
        """Lock the server's folder, first ending what a crashed session may have left there."""
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        for number, seconds in ORPHAN_STEPS:
            deadline = time.monotonic() + seconds
            while True:
                if (lock := try_lock(self._lock_file)) is not None:
                    return lock
                if time.monotonic() >= deadline:
                    break
                _pause()
            self._signal_orphan(number)
        raise LocalStackError(
            f"{self.name} of an earlier session still runs and cannot be stopped; "
            f"end the processes that hold {self._lock_file} and try again."
        )

    def _signal_orphan(self, number: signal.Signals) -> None:
        """The lock is held, so the process noted in the pid file, or a child of it, still lives."""
        with suppress(OSError, ValueError):
            os.kill(int(self._pid_file.read_text(encoding="ascii")), number)

    def _start(self, launch: Launch, lock: int) -> None:
        """Start the server under a supervisor; both inherit the lock. Returns at once."""
        self._log.parent.mkdir(exist_ok=True)
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".previous.log"))
        plan = {
            "command": [str(word) for word in launch.command],
            "cwd": str(launch.cwd),
            "env": dict(launch.env),
            "identity": dict(launch.identity),
            "stop": [(int(number), seconds) for number, seconds in launch.stop],
            "log": str(self._log),
            "pid_file": str(self._pid_file),
            "lock_fd": lock,
            "parent": os.getpid(),
        }
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", SUPERVISOR, json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,
        )

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            self.check()
            if ready():
                return
            if time.monotonic() > deadline:
                words = self._last_words(self._log_text())
                seconds = f"{READY_SECONDS_MAX:.0f} seconds"
                raise LocalStackError(f"{self.name} did not answer within {seconds}. {words}")
            _pause()

    def _log_text(self) -> str:
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _last_words(self, text: str) -> str:
        """The log's last lines that tell of an error, or simply its last lines."""
        lines = text.splitlines()
        telling = [line for line in lines if _TELLING.search(line)]
        shown = [line[:LINE_CHARACTERS_MAX] for line in (telling or lines)[-LOG_LINES_SHOWN:]]
        return "\n".join([f"From its log {self._log}:", *shown])


def _pause() -> None:
    """Between two looks at something that no descriptor announces; every caller has a deadline."""
    threading.Event().wait(POLL_SECONDS)
