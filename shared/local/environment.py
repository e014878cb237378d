"""The settings of a process that works against the local stack, with generated secrets."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from shared.db import AUDITOR, OPERATOR
from shared.local.stack import Endpoints
from shared.settings import PREFIX, Settings
from shared.topology import SERVICES


def local_settings(endpoints: Endpoints) -> Settings:
    """Settings for a running stack: its servers, its folders, a password per role."""
    folder = endpoints.data_dir / "secrets"
    names = (
        AUDITOR,
        OPERATOR,
        "payment_link_key",
        *(service.role for service in SERVICES if service.port),
    )
    _ensure(folder, names)
    return Settings(
        kafka_bootstrap_servers=endpoints.kafka_bootstrap_servers,
        database_url=SecretStr(endpoints.database_url),
        data_dir=endpoints.data_dir,
        secrets_dir=folder,
        clock_file=endpoints.data_dir / "clock",
    )


def environment(settings: Settings) -> dict[str, str]:
    """`settings` as environment variables for a child process; passwords stay in their files."""
    values = settings.model_dump(exclude_none=True, exclude_defaults=True)
    plain = {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in values.items()}
    return dict(os.environ) | {PREFIX + name.upper(): str(value) for name, value in plain.items()}


def _ensure(folder: Path, names: tuple[str, ...]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in names:
        file = folder / name
        if not file.exists():
            scratch = folder / f"{name}.{os.getpid()}"
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                out.write(secrets.token_urlsafe(32))
            scratch.replace(file)
