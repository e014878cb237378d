"""PostgreSQL over TLS: who is trusted, who is let in, and what somebody is told who is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from shared import db
from shared.db import AUDITOR, OWNER
from shared.errors import Unreachable
from shared.local.ports import LOOPBACK
from shared.migrate import bring_up, differences, migrate
from shared.settings import Settings
from shared.topology import SERVICE, consumers
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.echo import DECIDED, SPEC, request
from tests.integration.transport.certificates import Authority
from tests.integration.transport.database import TlsPostgres

pytestmark = pytest.mark.tools("postgres")

APPROVER = SERVICE[SPEC.name].role
ENCRYPTED = text(
    "SELECT usename, bool_and(ssl) AS tls FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)"
    " WHERE client_addr IS NOT NULL GROUP BY usename"
)


@pytest.fixture(scope="module")
def over_tls(
    tmp_path_factory: pytest.TempPathFactory,
    locked: Settings,
    debian_postgres: Path,
    authority: Authority,
) -> Iterator[Settings]:
    """The secured broker and a database that speaks TLS alone, with the echo service's tables."""
    server = TlsPostgres(tmp_path_factory.mktemp("tls"), debian_postgres, authority)
    url = f"{server.start()}?sslmode=verify-full&sslrootcert={authority.ca}"
    settings = locked.model_copy(update={"database_url": SecretStr(url)})
    bring_up(settings, [SPEC])
    yield settings
    server.stop()


def moved(settings: Settings, before: str, after: str) -> Settings:
    """The same, with another URL of the database."""
    url = settings.database_url.get_secret_value()
    assert before in url
    return settings.model_copy(update={"database_url": SecretStr(url.replace(before, after))})


def refusal(settings: Settings, role: str = APPROVER) -> str:
    """What somebody is told; no password is in it."""
    with pytest.raises(Unreachable) as refused, db.transaction(settings, role):
        pass
    said = str(refused.value)
    assert "COLOPHON_DATABASE_URL=postgresql://colophon:***@" in said
    assert str(settings.secret(role)) not in said
    return said


def test_a_service_works_over_tls_alone(over_tls: Settings) -> None:
    """Given broker and database both by TLS, then a decision is published, nothing in plain."""
    echo = Echo(over_tls)
    echo.joined().publish(request("tls", 1))
    echo.until(lambda: echo.subjects().get("tls") == "1," and not echo.count("outbox"))
    with db.transaction(over_tls, OWNER) as connection:
        found = {row.usename: row.tls for row in connection.execute(ENCRYPTED)}
    echo.close()
    assert found[APPROVER]
    assert all(found.values())
    assert len(echo.published(DECIDED)) >= 1


def test_every_service_migrates_over_tls(over_tls: Settings) -> None:
    """On the release of PostgreSQL that Debian has, which is older than the local stack's."""
    migrate(over_tls)
    assert [
        found for service in consumers() if (found := differences(over_tls, service.name))
    ] == []


def test_a_server_of_another_authority_is_not_trusted(over_tls: Settings, tmp_path: Path) -> None:
    """If it failed: whoever stands in between could be the database."""
    other = Authority(tmp_path, "other")
    url = over_tls.database_url.get_secret_value()
    said = refusal(moved(over_tls, url.rpartition("=")[2], str(other.ca)))
    assert "certificate verify failed" in said
    assert "sslrootcert must be a file with the authority" in said


def test_an_authority_that_is_not_there_is_named(over_tls: Settings) -> None:
    said = refusal(moved(over_tls, "ca.pem", "nowhere.pem"))
    assert "nowhere.pem" in said
    assert "sslrootcert must be a file with the authority" in said


def test_a_server_under_another_name_is_not_trusted(over_tls: Settings) -> None:
    said = refusal(moved(over_tls, LOOPBACK, "localhost"))
    assert 'does not match host name "localhost"' in said
    assert "which must name the host as the URL does" in said


def test_nobody_comes_in_plain(over_tls: Settings) -> None:
    """If it failed: passwords hold, but what is said could be read and changed on its way."""
    said = refusal(moved(over_tls, "sslmode=verify-full", "sslmode=disable"))
    assert "no encryption" in said
    assert "the server wants TLS" in said


def test_a_wrong_password_says_where_passwords_stand(over_tls: Settings, tmp_path: Path) -> None:
    (tmp_path / APPROVER).write_text("not the one", "ascii")
    said = refusal(over_tls.model_copy(update={"secrets_dir": tmp_path}))
    assert "password authentication failed" in said
    assert "passwords of roles stand in COLOPHON_SECRETS_DIR" in said


def test_a_certificate_may_stand_for_a_password(over_tls: Settings, authority: Authority) -> None:
    """Given a role that the server lets in by certificate alone, then no password is enough."""
    said = refusal(over_tls, AUDITOR)
    assert "certificate" in said
    certificate, key = authority.issue(AUDITOR)
    url = f"{over_tls.database_url.get_secret_value()}&sslcert={certificate}&sslkey={key}"
    with db.transaction(
        over_tls.model_copy(update={"database_url": SecretStr(url)}), AUDITOR
    ) as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == AUDITOR
