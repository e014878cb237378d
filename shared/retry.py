"""How long to wait before trying again, and what counts as the world's fault."""

import random
from dataclasses import dataclass, field

import psycopg
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import Transient

_DATA_ERRORS = (psycopg.DataError, psycopg.IntegrityError)


@dataclass
class Backoff:
    """Full jitter between nothing and a ceiling that doubles up to `longest_s` seconds."""

    first_s: float = 0.1
    longest_s: float = 15.0
    attempts: int = 0
    _random: random.Random = field(default_factory=random.Random)

    def next_s(self) -> float:
        """Count an attempt and say how many seconds to wait before it."""
        ceiling = min(self.longest_s, self.first_s * 2**self.attempts)
        self.attempts = min(self.attempts + 1, 30)
        return float(ceiling * (0.5 + 0.5 * self._random.random()))

    def reset(self) -> None:
        """It worked: start small the next time."""
        self.attempts = 0


def transient_reason(error: BaseException) -> str | None:
    """Why `error` is the world's fault and worth trying again, or None where it is not."""
    if isinstance(error, Transient):
        return error.reason
    if isinstance(error, PoolTimeout):
        return "database-pool"
    if isinstance(error, InvalidRequestError):
        return "database-connection"
    if isinstance(error, DBAPIError):
        return _database_reason(error)
    return None


def is_data_error(error: BaseException) -> bool:
    """Whether the database refused a value: some record's fault, found by bisection."""
    return isinstance(error, DBAPIError) and isinstance(error.orig, _DATA_ERRORS)


_REASONS = (
    (psycopg.errors.SerializationFailure, "serialization"),
    (psycopg.errors.DeadlockDetected, "deadlock"),
    (psycopg.errors.LockNotAvailable, "lock"),
    (psycopg.errors.QueryCanceled, "statement-timeout"),
    (psycopg.errors.IdleInTransactionSessionTimeout, "transaction-limit"),
    (psycopg.OperationalError, "database-connection"),
)


def _database_reason(error: DBAPIError) -> str | None:
    for kind, reason in _REASONS:
        if isinstance(error.orig, kind):
            return reason
    return "database-connection" if error.connection_invalidated else None
