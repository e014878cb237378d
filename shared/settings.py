"""Every setting, read once from the environment or from secret files, checked, then frozen."""

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import ConfigurationError

PREFIX = "COLOPHON_"


class Settings(BaseSettings):
    """The settings of one process, each the environment variable `COLOPHON_<NAME>`.

    `secrets_dir` holds one file per database role with its password (and other secrets by setting
    name); a role without a file uses the user and password of `database_url` as they are.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: Path | None = None
    kafka_ssl_certificate_location: Path | None = None
    kafka_ssl_key_location: Path | None = None
    kafka_replication_factor: Annotated[int, Field(ge=1)] = 1
    database_url: SecretStr = SecretStr("postgresql://colophon@127.0.0.1:5432/colophon")
    schema_registry_url: str | None = None
    data_dir: Path = Path(".colophon")
    clock_file: Path | None = None
    secrets_dir: Path | None = None
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    http_socket: int | None = None  # one that listens already, inherited from who started us
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    stop_with_parent: bool = False
    fault: str | None = None  # where a test kills or stops the process: shared.runtime.faults
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    transaction_limit_s: Annotated[float, Field(gt=0)] = 30.0
    record_limit_s: Annotated[float, Field(gt=0)] = 3.0
    breaker_records_min: Annotated[int, Field(ge=1)] = 50
    breaker_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    outbox_rows_max: Annotated[int, Field(ge=1)] = 200_000
    parked_per_key_max: Annotated[int, Field(ge=1)] = 10_000
    smtp_host: str = "127.0.0.1"
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = 1025
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = False
    smtp_sender: str = "billing@colophon.example"
    payment_link_key: SecretStr | None = None

    def role_url(self, role: str) -> str:
        """The database URL for `role`: its own password where `secrets_dir` has one."""
        url = self.database_url.get_secret_value()
        password = self.secret(role)
        if password is None:
            return url
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{host}"))

    def secret(self, name: str) -> str | None:
        """The content of the secret file `name`, or None where there is none."""
        file = self.secrets_dir / name if self.secrets_dir else None
        return file.read_text("utf-8").strip() if file and file.is_file() else None

    @property
    def has_own_servers(self) -> bool:
        """Whether the environment names servers, so that no local stack is wanted."""
        return bool({"database_url", "kafka_bootstrap_servers"} & self.model_fields_set)

    @property
    def documents_dir(self) -> Path:
        """Where documents are stored by their sha256."""
        return self.data_dir / "documents"


@cache
def read_settings() -> Settings:
    """The settings of this process; raises `ConfigurationError` naming the variable and value."""
    try:
        return Settings(_secrets_dir=os.environ.get(PREFIX + "SECRETS_DIR"))
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        msg = f"{name}: {first['msg']} (got {first['input']!r})"
        raise ConfigurationError(msg) from error
