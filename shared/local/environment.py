"""The settings of a process that works against the local stack, with generated secrets."""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from shared.db import AUDITOR, OPERATOR
from shared.local.stack import Endpoints
from shared.settings import PREFIX, Settings, kafka_files
from shared.topology import SERVICE, SERVICES


def local_settings(endpoints: Endpoints) -> Settings:
    """Settings for a running stack: its servers, its folders, a password per role."""
    folder = endpoints.data_dir / "secrets"
    services = [service for service in SERVICES if service.port]
    names = {AUDITOR, OPERATOR}.union(*([service.role, *service.secrets] for service in services))
    for name in names:
        if not (folder / name).exists():
            _write(folder / name, secrets.token_urlsafe(32))
    return Settings(
        kafka_bootstrap_servers=endpoints.kafka_bootstrap_servers,
        database_url=SecretStr(endpoints.database_url),
        data_dir=endpoints.data_dir,
        secrets_dir=folder,
        clock_file=endpoints.data_dir / "clock",
    )


def for_service(settings: Settings, name: str) -> Settings:
    """What the process of service `name` may know of `settings`: no other role's password.

    Its secrets lie in a folder of their own, and its database URL names no user. Where the role has
    no password of its own, whoever chose the settings has chosen that user for every service.
    """
    service = SERVICE[name]
    if settings.secret(service.role) is None:
        return settings
    folder = settings.data_dir / "secrets" / name
    for own in (service.role, *kafka_files(service.role), *service.secrets):
        if (secret := settings.secret(own)) is not None:
            _write(folder / own, secret)
    url = urlsplit(settings.database_url.get_secret_value())
    bare = urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))
    return settings.model_copy(update={"database_url": SecretStr(bare), "secrets_dir": folder})


def environment(settings: Settings) -> dict[str, str]:
    """`settings` as environment variables for a child process; passwords stay in their files."""
    values = settings.model_dump(exclude_none=True, exclude_defaults=True)
    plain = {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in values.items()}
    return dict(os.environ) | {PREFIX + name.upper(): str(value) for name, value in plain.items()}


def _write(file: Path, secret: str) -> None:
    """Write `secret` to `file`, whole or not at all; nobody else may read it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
        out.write(secret)
    scratch.replace(file)
