"""How long to wait before trying again, and what counts as the world's fault."""

import random
from dataclasses import dataclass, field
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError, InvalidRequestError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import ConfigurationError, Transient

LIMITS: Final = frozenset({"transaction-limit", "statement-timeout"})
"""The reasons that speak of too much work in one transaction."""
RACES: Final = frozenset({"concurrent-write"})
"""The reasons that blame another transaction, wrongly where it would seem to win for ever."""
NARROWED: Final = LIMITS | RACES
"""With these a batch is halved, and the record that is left alone is given up in the end."""

_DATA_ERRORS = (psycopg.DataError, psycopg.IntegrityError)
_INDEXES = frozenset({"nbtutils.c", "indextuple.c"})
"""Where PostgreSQL refuses a value for its size; its other limits (54000) are the server's own."""
_LOST_CONNECTION = (InvalidRequestError, PendingRollbackError)  # their subclasses are bugs


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
    if type(error) in _LOST_CONNECTION:
        return "database-connection"
    if isinstance(error, DBAPIError):
        is_lost = error.connection_invalidated
        return _database_reason(error.orig) or ("database-connection" if is_lost else None)
    return _database_reason(error)


def is_bug(error: BaseException) -> bool:
    """Whether `error` is neither the world's fault nor that of a setting."""
    return transient_reason(error) is None and not isinstance(error, ConfigurationError)


def is_data_error(error: BaseException) -> bool:
    """Whether the database refused a value: some record's fault, found by bisection."""
    if not isinstance(error, DBAPIError):
        return False
    return isinstance(error.orig, _DATA_ERRORS) or _is_too_large(error.orig)


def _is_too_large(error: BaseException | None) -> bool:
    """Whether a value does not fit an index; the driver counts that among operational errors."""
    if not isinstance(error, psycopg.errors.ProgramLimitExceeded):
        return False
    return error.diag.source_file in _INDEXES


_REASONS = (
    (psycopg.errors.SerializationFailure, "serialization"),
    (psycopg.errors.DeadlockDetected, "deadlock"),
    (psycopg.errors.LockNotAvailable, "lock"),
    (psycopg.errors.QueryCanceled, "statement-timeout"),
    (psycopg.errors.IdleInTransactionSessionTimeout, "transaction-limit"),
    (psycopg.OperationalError, "database-connection"),
    (psycopg.InterfaceError, "database-connection"),
)


def _database_reason(error: BaseException | None) -> str | None:
    """The driver's own error; COPY raises it as it is."""
    if _is_too_large(error):
        return None
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), None)
