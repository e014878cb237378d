"""A limit on how long a handler may take over one record."""

import signal
import threading
from types import FrameType
from typing import Self

from shared.errors import ColophonError


class HandlerTimeout(ColophonError):
    """A handler ran longer than a record may take."""


class Watch:
    """Breaks into a handler that runs too long; only the main thread can be broken into.

    One timer for all records of a batch rings every `seconds`; who runs since the ring before is
    broken into, so after one to two times as long. A timer for each would be two calls a record.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._record = self._rung_at = 0
        self._runs = False
        self._works = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self._works:
            self._before = signal.signal(signal.SIGALRM, self._ring)
            signal.setitimer(signal.ITIMER_REAL, self._seconds, self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._works:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)

    def start(self) -> None:
        """A record starts."""
        self._record += 1
        self._runs = True

    def stop(self) -> None:
        """It ended in time."""
        self._runs = False

    def _ring(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        is_late = self._runs and self._record == self._rung_at
        self._rung_at = self._record
        if is_late:
            msg = f"the handler ran longer than {self._seconds} s"
            raise HandlerTimeout(msg)
