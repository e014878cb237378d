"""The services as child processes of a local stack: started, watched, killed, stopped.

Each child reads its standard input, whose other end only this process holds: when this process
ends, however it ends, they stop too.
"""

import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import Final

from shared.clock import monotonic
from shared.local.environment import environment, for_service
from shared.local.errors import LocalStackError
from shared.local.ports import http_status, listening
from shared.settings import Settings

READY_S: Final = 180.0
STOP_S: Final = 12.0
_POLL_S = 0.1
_LINES_SHOWN = 6


@dataclass
class Child:
    """One running service."""

    name: str
    port: int
    log: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def is_ready(self) -> bool:
        """Whether /readyz says yes; raises `LocalStackError` when the process has ended."""
        if self.process.poll() is not None:
            last = self.log.read_text("utf-8", "replace").splitlines()[-_LINES_SHOWN:]
            text = "\n".join(last)
            msg = f"{self.name} stopped by itself; the end of {self.log}:\n{text}"
            raise LocalStackError(msg)
        return http_status(self.port, "/readyz") == HTTPStatus.OK


class Fleet:
    """Runs services against `settings`, on `ports` by name where these are free.

    Each is handed a socket that listens already, so that whoever answers on its port is itself.
    """

    def __init__(self, settings: Settings, *, ports: dict[str, int] | None = None) -> None:
        self._settings = settings
        self._ports = ports or {}
        self.children: dict[str, Child] = {}

    def start(self, name: str, module: str | None = None) -> Child:
        """Start one service, or start it again."""
        log = self._settings.data_dir / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with listening(self._ports.get(name)) as server, log.open("ab") as out:
            port = server.getsockname()[1]
            changes = {
                "http_port": port,
                "http_socket": server.fileno(),
                "stop_with_parent": True,
            }
            settings = for_service(self._settings, name).model_copy(update=changes)
            process = subprocess.Popen(
                [sys.executable, "-m", module or f"services.{name}"],
                env=environment(settings),
                pass_fds=[server.fileno()],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.children[name] = Child(name, port, log, process)
        return self.children[name]

    def start_all(self, names: Iterable[str]) -> None:
        """Start several and wait until all are ready."""
        for name in names:
            self.start(name)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until every child is ready; raises `LocalStackError` when one ends or takes long."""
        deadline, rest = monotonic() + READY_S, Event()
        for child in self.children.values():
            while not child.is_ready():
                if monotonic() > deadline:
                    msg = f"{child.name} is not ready after {READY_S:.0f} s: see {child.log}"
                    raise LocalStackError(msg)
                rest.wait(_POLL_S)

    def kill(self, name: str) -> None:
        """SIGKILL: no chance to finish anything."""
        child = self.children.pop(name)
        child.process.kill()
        _wait(child)

    def stop(self) -> Sequence[int]:
        """Ask all to stop, wait, and return their exit codes; what hangs is killed."""
        for child in self.children.values():
            child.process.send_signal(signal.SIGTERM)
        codes = [_wait(child) for child in self.children.values()]
        self.children.clear()
        return codes


def _wait(child: Child) -> int:
    with child.process as process:  # closes our end of its standard input
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
