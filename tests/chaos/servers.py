"""Broker and database that can be stopped, killed and cut while services run."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock
from typing import Self

import psycopg
from psycopg.sql import SQL, Identifier

from shared.clock import monotonic
from shared.local.environment import local_settings
from shared.local.kafka import kafka
from shared.local.postgres import Postgres
from shared.local.stack import Endpoints

_TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
STRIKE_S = 30.0
"""So long a fault of the database is tried until it strikes: another may have stopped it."""
ANSWER_S = 60.0
"""So long may a server that is being restarted take to answer."""


class Servers:
    """The servers of one data directory; both are restarted on the ports they had."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._broker = kafka(data_dir, lambda _text: None)
        self._postgres = Postgres(data_dir)
        self._broker_lock, self._database_lock = Lock(), Lock()
        self.endpoints = Endpoints("", "", data_dir)

    def __enter__(self) -> Self:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self.endpoints = Endpoints(self._broker.start(), self._postgres.start(), self._data_dir)
        self.settings = local_settings(self.endpoints)
        return self

    def __exit__(self, *_: object) -> None:
        self._broker.stop()
        self._postgres.stop()

    def stop_database(self, away: Event, seconds: float, *, crashes: bool) -> None:
        """Stop it (fast, or at once with recovery afterwards), and start it again."""
        with self._database_lock:
            number = signal.SIGQUIT if crashes else signal.SIGINT
            os.kill(self._pid("postgres"), number)
            away.wait(seconds)
            self._postgres.stop()
            again = self._postgres.start()
            assert again == self.endpoints.database_url, "the database has moved"

    def stop_broker(self, away: Event, seconds: float, *, crashes: bool) -> None:
        """Stop it in order or by SIGKILL, and start it again."""
        with self._broker_lock:
            if crashes:
                os.kill(self._pid("kafka"), signal.SIGKILL)
            self._broker.stop()
            away.wait(seconds)
            again = self._broker.start()
            assert again == self.endpoints.kafka_bootstrap_servers, "the broker has moved"

    def cut_connections(self, role: str) -> int:
        """End every backend of `role`, once there are some; how many there were."""
        deadline, rest, count = monotonic() + STRIKE_S, Event(), 0
        while not count and monotonic() < deadline:
            with suppress(psycopg.OperationalError), self.superuser() as connection:
                count = len(connection.execute(_TERMINATE, (role,)).fetchall())
            rest.wait(0 if count else 0.2)
        return count

    def lock(self, schema: str, table: str, away: Event, seconds: float) -> bool:
        """Hold a table so that nobody reads or writes it, or until the database is stopped.

        False where it could not be had.
        """
        table_name = Identifier(schema, table)
        deadline, is_held = monotonic() + STRIKE_S, False
        while not is_held and monotonic() < deadline:
            with (
                suppress(psycopg.OperationalError),
                self.superuser() as connection,
                connection.transaction(),
            ):
                connection.execute("SET lock_timeout = '5s'")
                connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table_name))
                is_held = True
                away.wait(seconds)
        return is_held

    def superuser(self) -> psycopg.Connection:
        """A connection of the database's owner, as soon as it answers."""
        deadline, rest = monotonic() + ANSWER_S, Event()
        while True:
            try:
                return psycopg.connect(self.endpoints.database_url, autocommit=True)
            except psycopg.OperationalError:
                if monotonic() > deadline:
                    raise
                rest.wait(0.2)

    def _pid(self, folder: str) -> int:
        return int((self._data_dir / folder / "pid").read_text("ascii"))
