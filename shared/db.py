"""Connections to PostgreSQL: one engine per role and use, with the limits the runtime relies on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.types.array import ListBinaryDumper
from psycopg.types.string import TextLoader
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from shared.errors import Unreachable
from shared.settings import PREFIX, Settings, shown

OWNER: Final = "colophon_owner"
"""Owns schemas and tables; migrations run under it."""
AUDITOR: Final = "colophon_auditor"
"""May read everything: `verify` and `status`."""
OPERATOR: Final = "colophon_operator"
"""May decide about dead letters, and nothing else."""
IDLE_IN_TRANSACTION_MS = 4_800  # 0.8 of the 6 s consumer session: a stopped zombie lets go first
RELAY_IDLE_SESSION_MS = 15_000  # a stopped relay lets its lock go
CONNECT: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that vanished without a word is noticed within 20 s, not after the system's hours."""
_ADVICE: Final = {
    "certificate|does not match host name": "sslrootcert must be a file with the authority that"
    " signed the server's certificate, which must name the host as the URL does",
    "no encryption|no pg_hba.conf entry": "the server wants TLS, or does not know us: add"
    " ?sslmode=verify-full&sslrootcert=FILE",
    "password|permission denied|does not exist": "name a user who may; passwords of roles stand in"
    f" {PREFIX}SECRETS_DIR",
    "": "start it, or name one that runs",
}
"""What to do when the server is away or refuses us, by what it says; the first that fits."""
_OUTAGES: Final = (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege)


def engine(
    settings: Settings,
    role: str,
    *,
    pool_size: int = 4,
    statement_timeout_ms: int | None = None,
    search_path: str | None = None,
) -> Engine:
    """An engine for `role`, UTC, with statement and idle-in-transaction limits.

    Its errors do not tell the values of a statement: they are customers' data.
    """
    url = make_url(settings.role_url(role)).set(drivername="postgresql+psycopg")
    limit_ms = statement_timeout_ms or int(settings.transaction_limit_s * 1000)
    options = [
        "-c TimeZone=UTC",
        f"-c statement_timeout={limit_ms}",
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS}",
    ]
    if search_path:
        options.append(f"-c search_path={search_path}")
    made = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,
        pool_pre_ping=False,
        connect_args={
            "options": " ".join(options),
            "application_name": role,
            "prepare_threshold": 3,
            **CONNECT,
        },
    )
    event.listen(made, "connect", _prepare)
    return made


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """An outage inside the block, or a role that may not, becomes `Unreachable` in plain words."""
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, _OUTAGES):
            raise
        cause = str(error.orig).partition("\n")[0]
        advice = next(advised for said, advised in _ADVICE.items() if re.search(said, cause))
        url = shown(settings.database_url.get_secret_value())
        raise Unreachable(
            "database",
            f"the database does not answer: {PREFIX}DATABASE_URL={url} ({cause}); {advice}",
        ) from error


@contextmanager
def transaction(
    settings: Settings, role: str, *, search_path: str | None = None
) -> Iterator[Connection]:
    """One transaction on a connection of its own: for commands, not for services.

    Raises `Unreachable` on an outage.
    """
    own = engine(settings, role, pool_size=1, search_path=search_path)
    try:
        with answering(settings), own.begin() as connection:
            yield connection
    finally:
        own.dispose()


def _prepare(connection: Any, record: object) -> None:  # noqa: ANN401 - a psycopg connection
    """Return jsonb as text: `shared.store.Json` parses it into its model in one step.

    Send lists in binary: as text, psycopg escapes every quote of every JSON document by a call of
    a Python function, which costs more than all else in a batch.
    """
    del record
    connection.adapters.register_loader("jsonb", TextLoader)
    connection.adapters.register_dumper(list, ListBinaryDumper)
