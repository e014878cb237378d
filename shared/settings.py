"""Every setting, read once from the environment or from secret files, checked, then frozen."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import ConfigurationError

PREFIX = "COLOPHON_"
LOCAL_REGISTRY = "local"
_PASSWORD = re.compile(r":(?!//).*@|(?<=password=)[^\s&]+", re.DOTALL)


def shown(url: str) -> str:
    """`url`, whatever it is, without its password."""
    return _PASSWORD.sub(lambda found: ":***@" if found[0].endswith("@") else "***", url)


def kafka_files(role: str) -> tuple[str, str, str]:
    """The files of `secrets_dir` by which `role` is known to Kafka: password, certificate, key."""
    return f"{role}_kafka", f"{role}_kafka.crt", f"{role}_kafka.key"


def _postgresql(url: SecretStr) -> SecretStr:
    """Refuse what is no URL of a PostgreSQL database."""
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) <= 1:
        msg = "must be postgresql://user:password@host:port/database"
        raise ValueError(msg)
    return url


def _addresses(servers: str) -> str:
    """Refuse what is no list of addresses."""
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdecimal():
            msg = "must be host:port,host:port"
            raise ValueError(msg)
    return servers


def _registry(url: str) -> str:
    """Refuse what is no address of a schema registry."""
    parts = urlsplit(url)
    is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    if url != LOCAL_REGISTRY and not is_address:
        msg = f"must be http://host:port/path, https:// likewise, or {LOCAL_REGISTRY}"
        raise ValueError(msg)
    return url


class Settings(BaseSettings):
    """The settings of one process, each the environment variable `COLOPHON_<NAME>`.

    `secrets_dir` holds for each role a file `<role>` with its password in the database, and for
    Kafka `<role>_kafka` with its password, or `<role>_kafka.crt` and `.key` with its certificate;
    and other secrets by setting name. A role without a file is whom `database_url` or the settings
    of Kafka name.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kafka_bootstrap_servers: Annotated[str, AfterValidator(_addresses)] = "127.0.0.1:9092"
    kafka_security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(str.upper)
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(str.upper)
    ] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: FilePath | None = None
    kafka_ssl_certificate_location: FilePath | None = None
    kafka_ssl_key_location: FilePath | None = None
    kafka_replication_factor: Annotated[int, Field(ge=1)] = 1
    database_url: Annotated[SecretStr, AfterValidator(_postgresql)] = SecretStr(
        "postgresql://colophon@127.0.0.1:5432/colophon"
    )
    schema_registry_url: Annotated[str, AfterValidator(_registry)] | None = None
    data_dir: Path = Path(".colophon")
    clock_file: Path | None = None
    secrets_dir: Path | None = None
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    http_socket: int | None = None  # one that listens already, inherited from who started us
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)
    ] = "INFO"
    traces_endpoint: Annotated[
        str | None,
        Field(
            validation_alias=AliasChoices(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
            )
        ),
    ] = None  # read by OpenTelemetry itself; here it says that there is a collector
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

    def kafka_user(self, role: str) -> tuple[str, str] | None:
        """User and password of `role` in Kafka: from `secrets_dir`, else as set for all."""
        own, shared = self.secret(kafka_files(role)[0]), self.kafka_sasl_password
        if own is not None:
            return role, own
        if self.kafka_sasl_username is None or shared is None:
            return None
        return self.kafka_sasl_username, shared.get_secret_value()

    def kafka_certificate(self, role: str) -> tuple[Path, Path] | None:
        """Certificate and key of `role` in Kafka: from `secrets_dir`, else as set for all."""
        if self.secrets_dir is not None:
            _, *names = kafka_files(role)
            own, own_key = (self.secrets_dir / name for name in names)
            if own.is_file() and own_key.is_file():
                return own, own_key
        certificate, key = self.kafka_ssl_certificate_location, self.kafka_ssl_key_location
        return (certificate, key) if certificate and key else None

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
    secrets_dir = os.environ.get(PREFIX + "SECRETS_DIR")
    if secrets_dir is not None and not Path(secrets_dir).is_dir():
        msg = f"{PREFIX}SECRETS_DIR: must be a folder (got {secrets_dir!r})"
        raise ConfigurationError(msg)
    try:
        return Settings(_secrets_dir=secrets_dir)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        said = first["msg"].removeprefix("Value error, ")
        msg = f"{name}: {said} (got {shown(str(first['input']))!r})"
        raise ConfigurationError(msg) from error
