"""Ports and signals of the local stack."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shared.local import server
from shared.local.locks import try_lock
from shared.local.ports import LOOPBACK, free_port, listening
from shared.local.signals import signals_interrupt
from shared.local.stack import LocalStack


@pytest.mark.parametrize("name", ["kafka", "postgres", "registry", "prometheus"])
def test_a_wipe_ends_whatever_an_earlier_session_left(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it failed: an orphan would keep its ports and write to files that are gone."""
    monkeypatch.setattr(server, "ORPHAN_STEPS", ((signal.SIGTERM, 0.0), (signal.SIGKILL, 10.0)))
    folder = tmp_path / "data" / name
    folder.mkdir(parents=True)
    lock = try_lock(folder / "lock")
    assert lock is not None
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, pass_fds=[lock]) as orphan:
        os.close(lock)
        (folder / "pid").write_text(str(orphan.pid), "ascii")
        try:
            LocalStack(tmp_path / "data").wipe()
            assert orphan.wait(10) == -signal.SIGTERM
        finally:
            orphan.kill()
    assert not (tmp_path / "data").exists()


def test_the_preferred_port_is_taken_while_it_is_free() -> None:
    preferred = free_port()
    with listening(preferred) as one, listening(preferred) as other:
        assert one.getsockname() == (LOOPBACK, preferred)
        assert other.getsockname()[1] != preferred
        with socket.create_connection(other.getsockname()):  # it listens already
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_interrupts_once(number: signal.Signals) -> None:
    """If a second one raised too, it would cut the ordered stop short."""
    before = signal.signal(number, signal.SIG_DFL)  # whoever runs the tests may ignore it
    try:
        with signals_interrupt():
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_interrupt():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
