"""What runs beside the loop: turn after turn in a thread of its own, whatever breaks one."""

import threading
from abc import ABC, abstractmethod
from contextlib import suppress

from shared.errors import headline
from shared.logging import logger
from shared.metrics import CONSUMER_RETRIES
from shared.retry import Backoff, transient_reason


class PatientThread(threading.Thread, ABC):
    """Takes turns until stopped; what breaks one is logged, counted and tried again after a rest.

    `failure` is what has broken the last turn, until one works: readiness looks at it.
    """

    def __init__(self, service: str, part: str) -> None:
        super().__init__(name=f"{service}-{part}", daemon=True)
        self._service = service
        self._log = logger(part=part)
        self._stop_asked = threading.Event()
        self._backoff = Backoff()
        self.failure: Exception | None = None

    def stop(self) -> None:
        """End after the portion in hand."""
        self._stop_asked.set()

    def run(self) -> None:
        """Turn after turn; a bug, too, is tried again, more and more slowly."""
        while not self._stop_asked.is_set():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 -- logged, counted, tried again
                self.failure = error
                with suppress(OSError):  # the log's own disk or reader
                    self._note(error, self._reason(error))
                self._stop_asked.wait(self._backoff.next_s())

    @abstractmethod
    def _turn(self) -> None:
        """Work, and say `_works` when it did; what it raises ends the turn, never the thread."""

    def _works(self) -> None:
        """Nothing is broken any more: rest shortly the next time."""
        self.failure = None
        self._backoff.reset()

    def _reason(self, error: Exception) -> str | None:
        """Why `error` is the world's fault, or None where it is not."""
        return transient_reason(error)

    def _note(self, error: Exception, reason: str | None) -> None:
        CONSUMER_RETRIES.labels(self._service, reason or "bug").inc()
        if reason is None:
            self._log.error("failed", exc_info=error)
        else:
            self._log.warning("rests", reason=reason, error=headline(error))
