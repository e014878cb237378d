"""A transaction on a connection of its own, whose commit is certain or said to be in doubt."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from shared.clock import monotonic
from shared.errors import Transient
from shared.metrics import DB_TRANSACTION

T = TypeVar("T")


class CommitInDoubt(Transient):
    """The connection broke during COMMIT: it may have happened or not; read before deciding."""

    def __init__(self) -> None:
        super().__init__("commit-in-doubt", "the connection was lost while COMMIT was on its way")


def transact(engine: Engine, service: str, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction and commit it; roll back and raise what it raises."""
    started, ended = monotonic(), "rolled-back"
    try:
        with engine.connect() as connection:
            transaction = connection.begin()
            try:
                result = work(connection)
            except BaseException:
                _abandon(connection)
                raise
            try:
                transaction.commit()
            except DBAPIError as error:
                _abandon(connection)
                if not error.connection_invalidated:
                    raise  # the server answered: it did not happen
                ended = "in-doubt"
                raise CommitInDoubt from error
            ended = "committed"
            return result
    finally:
        DB_TRANSACTION.labels(service, ended).observe(monotonic() - started)


def _abandon(connection: Connection) -> None:
    """Roll back, and drop the connection where even that fails."""
    try:
        connection.rollback()
    except DBAPIError:
        connection.invalidate()
