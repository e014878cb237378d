"""Which servers a command works on: those of the environment, else those of the local stack."""

import json
import os
from pathlib import Path
from typing import Final

from shared.errors import ConfigurationError
from shared.local.environment import local_settings
from shared.local.stack import Endpoints
from shared.settings import PREFIX, Settings, read_settings

_NOTE: Final = "endpoints.json"
_OWN: Final = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")


def servers() -> Settings:
    """Settings for the servers at hand; raises `ConfigurationError` where there are none."""
    settings = read_settings()
    if settings.has_own_servers:
        return settings
    note = settings.data_dir / _NOTE
    if not note.is_file():
        msg = (
            "no servers: start the local stack with `colophon up` in another terminal, or set"
            f" {' and '.join(PREFIX + name for name in _OWN)}"
        )
        raise ConfigurationError(msg)
    found = json.loads(note.read_text("utf-8"))
    endpoints = Endpoints(
        found["kafka_bootstrap_servers"], found["database_url"], Path(found["data_dir"])
    )
    local = local_settings(endpoints)
    return local.model_copy(update={"smtp_port": found["smtp_port"]})


def remember(settings: Settings) -> None:
    """Leave a note, for this user only, where the running stack is found."""
    note = settings.data_dir / _NOTE
    text = json.dumps(
        {
            "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
            "database_url": settings.database_url.get_secret_value(),
            "data_dir": str(settings.data_dir),
            "smtp_port": settings.smtp_port,
        }
    )
    with os.fdopen(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def forget(settings: Settings) -> None:
    """The stack has stopped."""
    (settings.data_dir / _NOTE).unlink(missing_ok=True)
