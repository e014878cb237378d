"""Runs one server, and stops it when the process that asked for it is gone.

Started as a script by shared.local.server, isolated and without site packages, so that it is small
(about 10 MB) and starts in a few milliseconds. Its standard input is a pipe whose other end only
the parent holds. End of file there, for whatever reason, SIGKILL included, means: stop the server.
As a second check it looks once a second whether its parent is still the one that started it, since
a forked child of the parent might keep the pipe open.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PARENT_CHECK_SECONDS = 1.0
OPEN_FILES_WANTED = 65_536


def main(plan: dict[str, Any]) -> int:
    """Run `plan["command"]` until it ends (1) or the parent does (0)."""
    wakeup = _wake_on_signals()
    _allow_open_files()
    with Path(plan["log"]).open("ab") as log:
        try:
            server = _start(plan, log.fileno())
        except (OSError, subprocess.SubprocessError) as error:
            log.write(f"cannot start {plan['command'][0]}: {error}\n".encode())
            return 1
    Path(plan["pid_file"]).write_text(f"{server.pid}\n", encoding="ascii")
    while server.poll() is None:
        if _asked_to_stop(wakeup, plan["parent"]):
            _stop(server, plan["stop"])
            return 0
    return 1


def _start(plan: dict[str, Any], log: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        plan["command"],
        cwd=plan["cwd"],
        env=plan["env"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=[plan["lock_fd"]],
        start_new_session=True,
        umask=0o077,
        **plan["identity"],
    )


def _wake_on_signals() -> int:
    """A descriptor that becomes readable when the server ends or somebody asks us to stop."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return readable


def _allow_open_files() -> None:
    """Kafka opens three files per segment; the usual soft limit is 1,024, on macOS 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _asked_to_stop(wakeup: int, parent: int) -> bool:
    """Wait for news, at most PARENT_CHECK_SECONDS, and say whether it means the end."""
    readable, _, _ = select.select([sys.stdin, wakeup], [], [], PARENT_CHECK_SECONDS)
    signals = os.read(wakeup, 512) if wakeup in readable else b""
    told = bool(set(signals) - {signal.SIGCHLD})
    return told or sys.stdin in readable or os.getppid() != parent


def _stop(server: "subprocess.Popen[bytes]", steps: list[tuple[int, float]]) -> None:
    """Ask politely, then less so; each step is a signal and the seconds it is given."""
    for number, seconds in steps:
        server.send_signal(number)
        try:
            server.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    server.kill()
    server.wait()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
