"""The local stack as its users see it: it starts, keeps its data, refuses, and stops."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from shared.local import broker, postgres
from shared.local.errors import LocalStackError
from shared.local.locks import try_lock
from shared.local.stack import Endpoints, LocalStack
from tests.integration.local import content

AWKWARD = "Grüße, 100 % 'it'"  # commas, blanks, quotes, letters outside ASCII


def test_second_start_finds_the_data_on_the_same_ports(tmp_path: Path) -> None:
    """Given data in both servers, when the stack restarts, then it is there, reached as before.

    The directory lies in a clone that nobody else may enter, and nothing is opened for it.
    """
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data_dir = closed / AWKWARD / "data"
    with LocalStack(data_dir) as first:
        content.write(first, "J-1")
    with LocalStack(data_dir) as second:
        assert content.read(second) == ("J-1", "J-1")
        assert second == first
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "postgres" / "password").stat().st_mode) == 0o600


def test_two_directories_run_side_by_side(running: Endpoints, tmp_path: Path) -> None:
    """Given a running stack, when another directory starts, then neither sees the other's data."""
    content.write(running, "here")
    with LocalStack(tmp_path) as other:
        content.write(other, "there")
        assert content.read(other) == ("there", "there")
        assert content.read(running) == ("here", "here")


def test_second_up_on_a_running_directory_is_refused(running: Endpoints) -> None:
    """Given a running stack, when its directory is started again, one sentence says why not."""
    with pytest.raises(LocalStackError, match="already running") as refusal:
        LocalStack(running.data_dir).up()
    assert "\n" not in str(refusal.value)
    with pytest.raises(LocalStackError, match="already running"):
        LocalStack(running.data_dir).wipe()
    with psycopg.connect(running.database_url) as database:  # and the running one is undisturbed
        assert database.execute("SELECT 1").fetchone() == (1,)


def test_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    """Given a stack with an open connection, when it stops, then no process holds its folders."""
    stack = LocalStack(tmp_path)
    endpoints = stack.up()
    with psycopg.connect(endpoints.database_url) as database:
        stack.down()
        with pytest.raises(psycopg.OperationalError):
            database.execute("SELECT 1")
    _assert_nothing_runs(tmp_path)
    with pytest.raises(LocalStackError, match="stopped"):
        stack.check()
    stack.down()  # harmless
    stack.wipe()
    assert not tmp_path.exists()


def test_a_port_taken_meanwhile_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given ports that others took after they were found free, the servers move to other ports."""
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        taken: int = squatter.getsockname()[1]
        for module in (broker, postgres):
            monkeypatch.setattr(
                module, "remembered_ports", _first_taken(taken, module.remembered_ports)
            )
        with LocalStack(tmp_path) as endpoints:
            assert str(taken) not in endpoints.kafka_bootstrap_servers
            with psycopg.connect(endpoints.database_url) as database:
                assert database.info.port != taken


def _assert_nothing_runs(data_dir: Path) -> None:
    for name in ("kafka", "postgres"):
        lock = try_lock(data_dir / name / "lock")
        assert lock is not None, f"{name} is still running"
        os.close(lock)


def _first_taken(
    taken: int, choose: Callable[[Path, int], list[int]]
) -> Callable[[Path, int], list[int]]:
    """`choose`, but its first answer names the taken port first."""
    answers = iter([True])

    def chosen(file: Path, count: int) -> list[int]:
        ports = choose(file, count)
        return [taken, *ports[1:]] if next(answers, False) else ports

    return chosen


def test_a_server_that_dies_is_named_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a setting that PostgreSQL refuses, the error says so and nothing keeps running."""
    monkeypatch.setitem(postgres.SETTINGS, "shared_buffers", "none")
    with pytest.raises(LocalStackError, match="PostgreSQL stopped by itself") as failure:
        LocalStack(tmp_path).up()
    assert str(tmp_path / "logs" / "postgres.log") in str(failure.value)
    assert "shared_buffers" in str(failure.value)
    _assert_nothing_runs(tmp_path)


def test_database_settings(running: Endpoints) -> None:
    """The database is safe, speaks UTC and sorts alike everywhere, and asks for the password."""
    expected = {
        "fsync": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "TimeZone": "UTC",
        "max_connections": "200",
        "max_locks_per_transaction": "256",
    }
    with psycopg.connect(running.database_url) as database:
        for name, value in expected.items():
            assert database.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)
        locale = "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'colophon'"
        assert database.execute(locale).fetchone() == ("b", "C.UTF-8")
        methods = "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
        assert database.execute(methods).fetchall() == [("scram-sha-256",)]
        port = database.info.port
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://colophon:wrong@127.0.0.1:{port}/colophon")


def test_broker_settings(running: Endpoints) -> None:
    """Topics are never made by accident; large records reach a topic's own limit."""
    address: dict[str, str | int | float | bool] = {
        "bootstrap.servers": running.kafka_bootstrap_servers
    }
    errors: list[KafkaError | None] = []
    producer = Producer(
        address | {"message.timeout.ms": 3000, "topic.metadata.propagation.max.ms": 0}
    )
    producer.produce("unknown", b"", on_delivery=lambda error, _record: errors.append(error))
    producer.flush(10)
    assert [error.code() for error in errors if error] == [KafkaError.UNKNOWN_TOPIC_OR_PART]
    admin = AdminClient(address)
    (settings,) = admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]).values()
    values = {name: entry.value for name, entry in settings.result(10).items()}
    assert values["message.max.bytes"] == str(16 * 1024 * 1024)
    assert values["offsets.topic.num.partitions"] == "8"
    assert values["group.consumer.session.timeout.ms"] == "6000"
