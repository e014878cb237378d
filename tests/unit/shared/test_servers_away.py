"""Every verb against servers that are away, and settings that are nonsense: one clear sentence."""

import socket
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Thread

import pytest
import structlog
from confluent_kafka.admin import AdminClient, ClusterMetadata

from shared import cli, kafka, topics
from shared.codec.registry import HttpRegistry
from shared.errors import ConfigurationError, Unreachable
from shared.kafka import ClientLog
from shared.local.ports import listening
from shared.settings import Settings, read_settings, shown

DEAD = "postgresql://user:secret@127.0.0.1:2/books"
DATABASE, KAFKA = "COLOPHON_DATABASE_URL", "COLOPHON_KAFKA_BOOTSTRAP_SERVERS"

Run = Callable[[str], tuple[object, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs `colophon` against dead servers; returns exit code and all that it printed."""
    monkeypatch.setenv(DATABASE, DEAD)
    monkeypatch.setenv(KAFKA, "127.0.0.1:2")
    monkeypatch.setattr(kafka, "ANSWER_S", 0.3)

    def running(line: str) -> tuple[object, str]:
        read_settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["colophon", *line.split()])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capfd.readouterr()
        return ended.value.code, printed.out + printed.err

    logs = structlog.get_config()
    yield running
    read_settings.cache_clear()
    structlog.configure(**logs)
    structlog.contextvars.unbind_contextvars("service")


@pytest.mark.parametrize("verb", ["migrate", "status", "verify", "dlq list", "migrate pricer"])
def test_a_dead_database_is_one_sentence(run: Run, verb: str) -> None:
    code, printed = run(verb)
    assert code == 2
    assert printed.count("\n") == 1
    assert "COLOPHON_DATABASE_URL=postgresql://user:***@127.0.0.1:2/books" in printed
    assert "Connection refused" in printed
    assert "start it" in printed
    assert "secret@" not in printed


@pytest.mark.parametrize("verb", ["topics plan", "topics apply", "simulate --jobs 1"])
def test_a_dead_broker_is_one_sentence(run: Run, verb: str) -> None:
    code, printed = run(verb)
    assert code == 2
    assert printed.count("\n") == 1
    assert "COLOPHON_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:2 (" in printed
    assert "Connection refused); start it" in printed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (DATABASE, "nonsense"),
        (DATABASE, "postgresql://user:secret@host"),
        (DATABASE, "mysql://user:secret@host/books"),
        (KAFKA, "nonsense"),
        ("COLOPHON_KAFKA_SECURITY_PROTOCOL", "LOUD"),
        ("COLOPHON_KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("COLOPHON_KAFKA_SSL_CA_LOCATION", "/nowhere/ca.pem"),
        ("COLOPHON_HTTP_PORT", "70000"),
        ("COLOPHON_LOG_LEVEL", "LOUD"),
        ("COLOPHON_SECRETS_DIR", "/nowhere"),
    ],
)
@pytest.mark.parametrize("verb", ["run pricer", "migrate"])
def test_a_nonsense_setting_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, verb: str, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, printed = run(verb)
    assert code == 2
    assert f"{name}: " in printed
    assert value.replace("secret", "***") in printed
    assert printed.count("\n") == 1


def test_a_folder_that_does_not_exist_is_wrong_use(run: Run) -> None:
    """If it failed: the demo would run without the files, and nobody would notice."""
    code, printed = run("demo --input /nowhere")
    assert code == 2
    assert "/nowhere" in printed
    assert "Preparing" not in printed


@pytest.mark.parametrize("verb", ["ingest", "verify", "status", "simulate", "demo"])
def test_help_names_the_commands_own_options_only(run: Run, verb: str) -> None:
    code, printed = run(f"{verb} --help")
    assert code == 0
    assert "--json" in printed
    assert "-completion" not in printed


def test_no_password_is_shown() -> None:
    for url in (
        "postgresql://u:a:b/c@d@h:5/db",
        "u:ab@h/db",
        "host=h password=ab",
        "http://u:ab@h",
    ):
        assert "ab" not in shown(url).replace("a:b", "ab")
    assert shown("postgresql://h:5432/db") == "postgresql://h:5432/db"
    assert shown("postgresql://u@h:5432/db") == "postgresql://u@h:5432/db"


def test_a_broker_that_goes_away_between_two_questions_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If it failed: a service would end with a stack trace where it should try again."""
    monkeypatch.setattr(kafka, "ANSWER_S", 0.3)
    monkeypatch.setattr(kafka, "metadata", lambda *_: ClusterMetadata())
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:2")
    admin = AdminClient(kafka.client(settings, "colophon_pricer"))
    with pytest.raises(Unreachable, match="does not say whether facts exists"):
        kafka.present(settings, admin, ["facts"])


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_no_password_is_set_in_the_clear(protocol: str, tmp_path: Path) -> None:
    """If it failed: whoever listens between us and the broker could come in as any service."""
    (tmp_path / "colophon_pricer_kafka").write_text("secret", "ascii")
    settings = Settings.model_validate(
        {
            "secrets_dir": tmp_path,
            "kafka_security_protocol": protocol,
            "kafka_bootstrap_servers": "127.0.0.1:2",
        }
    )
    with pytest.raises(ConfigurationError, match=f"SECURITY_PROTOCOL={protocol} take the files"):
        topics.set_passwords(settings)


def test_a_registry_that_is_none_is_unreachable() -> None:
    with listening(None) as server:
        server.settimeout(10)
        port = server.getsockname()[1]
        _answer_nonsense(server)
        with pytest.raises(Unreachable, match=f"REGISTRY_URL=http://127.0.0.1:{port} "):
            HttpRegistry(f"http://127.0.0.1:{port}").plain_schema(1)
    with pytest.raises(Unreachable, match="Connection refused"):
        HttpRegistry("http://127.0.0.1:2").plain_schema(1)


def _answer_nonsense(server: socket.socket) -> None:
    def answer() -> None:
        conversation, _ = server.accept()
        with conversation:
            conversation.recv(4096)
            conversation.sendall(b"no HTTP\r\n\r\n")

    Thread(target=answer, daemon=True).start()


def test_of_what_a_client_repeats_one_a_minute_is_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If it failed: a broker that is away for a night fills the disk with one sentence."""
    seconds = count(0, 10)
    monkeypatch.setattr(kafka, "monotonic", lambda: float(next(seconds)))
    log, passed = ClientLog(), list[tuple[str, str, int]]()
    log.sink = lambda *said: passed.append(said)
    for number in range(8):
        log.log(40, "%s [%s] %s", "FAIL", "rdkafka#1", f"refused {number}")
    assert passed == [("FAIL", "refused 0", 0), ("FAIL", "refused 6", 5)]
    assert log.last_words == "refused 7"
