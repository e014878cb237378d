"""Which servers a command works on: those of the environment, else those of the local stack."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import ConfigurationError
from shared.local.environment import local_settings
from shared.local.locks import try_lock
from shared.local.stack import Endpoints
from shared.settings import PREFIX, Settings, read_settings

_NOTE: Final = "endpoints.json"
_OF_STACK: Final = ("smtp_port", "schema_registry_url")
_OWN: Final = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")


def servers() -> Settings:
    """Settings for the servers at hand; raises `ConfigurationError` where there are none."""
    settings = read_settings()
    if settings.has_own_servers:
        return settings
    note = _note_of_living(settings.data_dir / _NOTE)
    if note is None:
        msg = (
            f"no servers: start the local stack of {settings.data_dir} with `colophon up` in"
            f" another terminal, or set {' and '.join(PREFIX + name for name in _OWN)}"
        )
        raise ConfigurationError(msg)
    found = json.loads(note)
    endpoints = Endpoints(
        found["kafka_bootstrap_servers"], found["database_url"], Path(found["data_dir"])
    )
    local = local_settings(endpoints)
    return local.model_copy(update={name: found[name] for name in _OF_STACK})


@contextmanager
def noted(settings: Settings) -> Iterator[None]:
    """Inside the block a note, for this user only, says where the running stack is found.

    It is locked as long as we live, so that one that we could not take away is known as such.
    """
    note = settings.data_dir / _NOTE
    scratch = note.with_suffix(f".{os.getpid()}")
    lock = try_lock(scratch)
    scratch.write_text(
        json.dumps(
            {
                "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
                "database_url": settings.database_url.get_secret_value(),
                "data_dir": str(settings.data_dir),
                **{name: getattr(settings, name) for name in _OF_STACK},
            }
        ),
        "utf-8",
    )
    scratch.replace(note)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def _note_of_living(note: Path) -> str | None:
    """The note's content, or None where there is none or nobody holds its lock."""
    if not note.is_file():
        return None
    lock = try_lock(note)
    if lock is None:
        return note.read_text("utf-8")
    os.close(lock)
    return None
