"""The local stack: a real Kafka broker and a real PostgreSQL server for one data directory.

Both start in parallel, on free ports of the loopback interface. They live as long as the process
that called `up`: a clean `down` and a crash of that process both end them.
"""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from shared.local.broker import Broker
from shared.local.errors import LocalStackError
from shared.local.kafka import kafka
from shared.local.locks import try_lock
from shared.local.postgres import Postgres
from shared.local.prometheus import Prometheus
from shared.local.registry import Registry

MEGABYTE = 1024 * 1024
FREE_BYTES_MIN = 300 * MEGABYTE


@dataclass(frozen=True)
class Endpoints:
    """Where the servers of a running stack are reached.

    `database_url` is the superuser's, with its password: `postgresql://user:password@host:port/db`.
    """

    kafka_bootstrap_servers: str
    database_url: str
    data_dir: Path


class LocalStack:
    """Broker and database of one data directory; also a context manager.

    Args:
        data_dir: Made if missing. Whoever starts on the same one again finds its data.
        report: Called with a short sentence before a step that may take long.
    """

    def __init__(self, data_dir: Path, report: Callable[[str], None] = lambda _text: None) -> None:
        self._data_dir = data_dir.resolve()
        self._kafka = kafka(self._data_dir, report)
        self._postgres = Postgres(self._data_dir)
        self._lock: int | None = None

    def up(self) -> Endpoints:
        """Start both servers and wait until both answer.

        Raises:
            LocalStackError: One cannot run, or the directory is in use. Nothing is left running.
        """
        self._claim()
        try:
            self._check_space()
            with ThreadPoolExecutor(2) as pool:
                address = pool.submit(self._kafka.start)
                url = pool.submit(self._postgres.start)
                return Endpoints(address.result(), url.result(), self._data_dir)
        except BaseException:
            self.down()
            raise

    def wipe(self) -> None:
        """Delete the data directory with everything in it; raises LocalStackError when in use."""
        self._claim()
        try:
            beside = Registry(self._data_dir), Prometheus(self._data_dir, {})
            for server in (self._kafka, self._postgres, *beside):
                server.end_orphans()
            shutil.rmtree(self._data_dir)
        finally:
            self.down()

    def check(self) -> None:
        """Raise LocalStackError, with the end of its log, if a server has died since `up`."""
        self._kafka.check()
        self._postgres.check()

    def down(self) -> None:
        """Stop both servers, in bounded time; harmless when they are not running."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(_stop, (self._kafka, self._postgres)))
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Endpoints:
        return self.up()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def _claim(self) -> None:
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = try_lock(self._data_dir / "lock")
        except OSError as error:
            raise LocalStackError(
                f"The data directory {self._data_dir} cannot be used ({error.strerror}): "
                "name another one by COLOPHON_DATA_DIR."
            ) from error
        if lock is None:
            raise LocalStackError(
                f"A local stack is already running on {self._data_dir}: stop it first, or name "
                "another directory by COLOPHON_DATA_DIR."
            )
        self._lock = lock

    def _check_space(self) -> None:
        free = shutil.disk_usage(self._data_dir).free
        if free < FREE_BYTES_MIN:
            raise LocalStackError(
                f"The disk is full: {free // MEGABYTE} MB are free in {self._data_dir} and the "
                f"local stack needs {FREE_BYTES_MIN // MEGABYTE} MB to start."
            )


def _stop(server: Broker | Postgres) -> None:
    server.stop()
