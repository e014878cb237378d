"""Starts processes of the echo service in milliseconds: forks of one that has imported it all.

An interpreter of its own would spend a second and a half on imports, for each of a hundred. Run as
a module it is that one process; it forks and reaps what `Nursery` asks for, line by line.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Waiter
from typing import Any, NoReturn

from shared.clock import monotonic
from shared.runtime.process import run_service
from tests.integration.runtime.echo import SPEC

MODULE = "tests.integration.runtime.nursery"


class Nursery:
    """The process that forks the others; they end with this one, however it ends."""

    def __init__(self) -> None:
        alive, self._alive = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(alive)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[alive],
            start_new_session=True,
        )
        os.close(alive)

    def fork(self, environment: dict[str, str], log: Path) -> "Process":
        """A process of the echo service with this environment, which writes to `log`."""
        return Process(self.ask(fork=environment, log=str(log)), self)

    def ask(self, **question: object) -> Any:  # noqa: ANN401 -- JSON
        """Ask the nursery and take its answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it, and whatever still runs."""
        os.close(self._alive)
        self._process.communicate()


@dataclass
class Process:
    """A process of the echo service."""

    pid: int
    nursery: Nursery
    code: int | None = None
    _is_stopped: bool = False

    def send_signal(self, number: int) -> None:
        """As `subprocess.Popen`; it is not reaped before `poll` says so, so the pid is its own."""
        if self.poll() is None:
            self._is_stopped = False
            os.kill(self.pid, number)

    def is_stopped(self) -> bool:
        """Whether a signal has stopped it and none has let it go on."""
        return self.poll() is None and self._is_stopped

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while it has not ended."""
        if self.code is None:
            status = self.nursery.ask(reap=self.pid)
            if status is not None and os.WIFSTOPPED(status):
                self._is_stopped = True
            elif status is not None:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, seconds: float) -> int:
        """The exit code; raises `TimeoutError` when it still runs after `seconds`."""
        deadline, rest = monotonic() + seconds, Waiter()
        while (code := self.poll()) is None:
            if monotonic() > deadline:
                msg = f"{self.pid} still runs after {seconds} s"
                raise TimeoutError(msg)
            rest.wait(0.02)
        return code


def _serve(alive: int) -> None:
    """Answer until there is nobody to ask; in a fork, be the service and never return."""
    for line in sys.stdin.buffer:
        question = json.loads(line)
        if "fork" in question:
            pid = os.fork()
            if not pid:
                _become(alive, **question)
            _answer(pid)
        else:
            pid, status = os.waitpid(question["reap"], os.WNOHANG | os.WUNTRACED)
            _answer(status if pid else None)


def _answer(answer: object) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def _become(alive: int, fork: dict[str, str], log: str) -> NoReturn:
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for ours, standard in ((alive, 0), (out, 1), (out, 2)):
        os.dup2(ours, standard)
    os.environ.clear()
    os.environ.update(fork)
    run_service(SPEC)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
