"""The instances of every service: started, hit, watched, and started again."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Self

from shared.clock import monotonic
from shared.local.fleet import Child, Fleet
from shared.local.ports import http_status
from shared.settings import Settings
from tests.chaos.plan import Kind
from tests.integration.runtime.proxy import Lines

STOPPED_S = 8.0
"""So long a process stands still at a crash point: past the group's session of 6 s."""
END_S = 15.0
_LOOK_S = 0.05
_WAKE = """
import os, signal, sys
for pid in [int(line) for line in sys.stdin]:
    try:
        os.kill(pid, signal.SIGCONT)
    except OSError:
        pass
"""


class Waker:
    """Wakes all processes it was told of once this one has ended, however it ended.

    Then they see that their parent is gone; one that stands still would see nothing, for ever.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WAKE],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def note(self, pid: int) -> None:
        """One more."""
        stdin = self._process.stdin
        if stdin is not None:
            stdin.write(f"{pid}\n".encode())
            stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


class Instance:
    """One process of a service, in one life after the other; whoever hits it holds `lock`.

    `arm` is the crash point at which it is hit by itself, "POINT:kill" or "POINT:stop".
    """

    def __init__(
        self, service: str, number: int, settings: Settings, lines: Lines, waker: Waker
    ) -> None:
        self.name = f"{service}-{number}"
        self.lines = lines
        self._waker = waker
        self.lock = Lock()
        self.arm: str | None = None
        self._service = service
        self._settings = settings.model_copy(update=lines.changes)
        self._fleet = Fleet(self._settings)
        self._stopped_at: float | None = None

    @property
    def child(self) -> Child:
        """The process of this life."""
        return self._fleet.children[self._service]

    def start(self, arm: str | None = None) -> None:
        """Begin a new life."""
        self.arm, self._stopped_at = arm, None
        self._fleet = Fleet(self._settings.model_copy(update={"fault": arm}))
        self._waker.note(self._fleet.start(self._service).process.pid)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing comes of it where the process has ended."""
        self.child.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and reap."""
        if self._fleet.children:
            self._fleet.kill(self._service)

    def ask_to_stop(self) -> None:
        """SIGTERM, once it takes signals: before that, it would be a plain kill."""
        deadline = monotonic() + END_S
        while not (self._answers() or self.is_stopped or monotonic() > deadline):
            if self.child.process.poll() is not None:
                return
        self.send(signal.SIGTERM)

    def end(self) -> int | None:
        """Wait for the end of this life, and give its exit code; who stands still is woken.

        None for one that did not end in time.
        """
        deadline, rest = monotonic() + END_S, Event()
        while (code := self.child.process.poll()) is None and monotonic() < deadline:
            if self.is_stopped:
                self.send(signal.SIGCONT)
            rest.wait(_LOOK_S)
        self.kill()
        return code

    def _answers(self) -> bool:
        return http_status(self.child.port, "/livez", timeout_s=0.5) is not None

    @property
    def is_stopped(self) -> bool:
        """Whether SIGSTOP has it."""
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self.child.process.pid, options) is not None
        except ChildProcessError:
            return False

    def look(self) -> tuple[Kind, str] | str | None:
        """What has hit it by itself since the last look; a sentence where nothing should have."""
        code = self.child.process.poll()
        arm, strikes = self.arm, (self.arm or "").endswith(":stop")
        if code is not None:
            self.kill()
            self.start()
            if arm and not strikes and code == -signal.SIGKILL:
                return Kind.KILL_AT, arm
            return f"{self.name} ended by itself with {code}, armed with {arm}"
        if strikes and arm and self.is_stopped:
            if self._stopped_at is None:
                self._stopped_at = monotonic()
            elif monotonic() - self._stopped_at > STOPPED_S:
                self.arm = None
                self.send(signal.SIGCONT)
                return Kind.STOP_AT, arm
        return None


class Crew:
    """All instances, watched by a thread that starts again what has ended."""

    def __init__(self, instances: Iterable[Instance]) -> None:
        self.instances = {one.name: one for one in instances}
        self.struck: Counter[tuple[Kind, str]] = Counter()
        self.wrong: list[str] = []
        self._over = Event()
        self._watch = Thread(target=self._run, name="watch")

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()
        for one in self.instances.values():
            one.kill()

    @contextmanager
    def hold(self, name: str) -> Iterator[Instance]:
        """An instance for oneself, alive."""
        one = self.instances[name]
        with one.lock:
            self._look(one)
            yield one

    def dismiss(self) -> None:
        """Stop all in order; whoever does not end well is wrong."""
        self._over.set()
        self._watch.join()
        for one in self.instances.values():
            one.send(signal.SIGCONT)
            one.send(signal.SIGTERM)
        for one in self.instances.values():
            if (code := one.end()) != 0:
                self.wrong.append(f"{one.name} ended with {code} when it was stopped at last")

    def _run(self) -> None:
        while not self._over.wait(_LOOK_S * 2):
            for one in self.instances.values():
                if one.lock.acquire(blocking=False):
                    try:
                        self._look(one)
                    finally:
                        one.lock.release()

    def _look(self, one: Instance) -> None:
        match one.look():
            case str(wrong):
                self.wrong.append(wrong)
            case (kind, arm):
                self.struck[kind, arm] += 1
            case None:
                pass
