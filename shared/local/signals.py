"""SIGTERM and SIGHUP taken like Ctrl-C: kill, systemd and Docker get an ordered stop too."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_NUMBERS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Inside the block the first of them raises `KeyboardInterrupt`; what follows is ignored.

    A signal that was ignored before (nohup) stays so.
    """
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    taken = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in taken:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])
