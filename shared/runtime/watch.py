"""A limit on how long a handler may take over one record."""

import signal
import threading
from types import FrameType
from typing import Self

from shared.errors import ColophonError


class HandlerTimeout(ColophonError):
    """A handler ran longer than a record may take."""


class Watch:
    """Breaks into a handler that runs too long; only the main thread can be broken into."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._works = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self._works:
            self._before = signal.signal(signal.SIGALRM, self._ring)
        return self

    def __exit__(self, *_: object) -> None:
        if self._works:
            self.stop()
            signal.signal(signal.SIGALRM, self._before)

    def start(self) -> None:
        """A record starts."""
        if self._works:
            signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def stop(self) -> None:
        """It ended in time."""
        if self._works:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        msg = f"the handler ran longer than {self._seconds} s"
        raise HandlerTimeout(msg)
