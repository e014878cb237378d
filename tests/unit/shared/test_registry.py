"""What a schema registry may answer, and what is no answer of one."""

import json
import socket
from collections.abc import Iterator
from itertools import count
from threading import Thread

import pytest

from shared.codec import registry as module
from shared.codec.codec import Codec
from shared.codec.registry import HttpRegistry, registry_from
from shared.dead_letter_content import _readable
from shared.errors import ConfigurationError, Undecodable, Unreachable
from shared.local.ports import listening
from shared.schemas import Schema, newest
from shared.settings import Settings
from shared.topology import TOPICS


def ours() -> Schema:
    """A schema of ours."""
    return newest(TOPICS[0].name)


class Server:
    """Answers every request with `answer`, byte for byte, and keeps what it was asked."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.answer = b""
        self.asked: list[bytes] = []
        self.port: int = listener.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def says(self, status: str, content: bytes, kind: str = "application/json") -> None:
        """Answer so from now on."""
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.answer = head.encode() + content

    def _serve(self) -> None:
        while True:
            try:
                conversation, _ = self.listener.accept()
            except OSError:
                return
            with conversation:
                self.asked.append(conversation.recv(65_536))
                conversation.sendall(self.answer)


@pytest.fixture
def server() -> Iterator[Server]:
    with listening(None) as listener:
        yield Server(listener)
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def registry(server: Server) -> HttpRegistry:
    return HttpRegistry(f"http://me:a%20b@127.0.0.1:{server.port}/api/")


def test_a_schema_is_asked_for_once_and_with_the_password(
    server: Server, registry: HttpRegistry
) -> None:
    server.says("200 OK", json.dumps({"schema": json.dumps(ours().published)}).encode())
    assert registry.plain_schema(7) is ours().plain
    server.answer = b""
    assert registry.plain_schema(7) is ours().plain
    (asked,) = server.asked
    assert asked.startswith(b"GET /api/schemas/ids/7 HTTP/1.1\r\n")
    assert b"Authorization: Basic bWU6YSBi\r\n" in asked


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        ("404 Not Found", b"<html>no such page</html>", "text/html"),
        ("404 Not Found", b'{"title": "no such path", "status": 404}', "application/json"),
        ("404 Not Found", b'{"error_code": 404, "message": "no such path"}', "application/json"),
        ("401 Unauthorized", b'{"error_code": 401, "message": "who?"}', "application/json"),
        ("500 Broken", b'{"error_code": 50001, "message": "no store"}', "application/json"),
        ("503 Busy", b"", "text/plain"),
        ("200 OK", b"<html>sign in</html>", "text/html"),
        ("200 OK", b"<html>sign in</html>" * 60_000, "text/html"),
        ("200 OK", b"[]", "application/json"),
        ("200 OK", b'{"ok": true}', "application/json"),
        ("301 Moved", b"", "text/plain"),
    ],
    ids=lambda value: str(value[:16]),
)
def test_whatever_is_no_answer_of_a_registry_is_tried_again(
    server: Server, registry: HttpRegistry, status: str, content: bytes, kind: str
) -> None:
    """If it failed: a proxy's page for "not found" would dead-letter every record."""
    server.says(status, content, kind)
    with pytest.raises(Unreachable, match=r"COLOPHON_SCHEMA_REGISTRY_URL=http://me:\*\*\*@"):
        registry.plain_schema(7)
    with pytest.raises(Unreachable):
        registry.id_of(ours())
    with pytest.raises(Unreachable):
        registry.register(ours())


@pytest.mark.parametrize(
    ("status", "content", "code"),
    [
        ("404 Not Found", b'{"error_code": 40403, "message": "no such"}', "schema-unknown"),
        ("200 OK", b'{"schema": "syntax", "schemaType": "PROTOBUF"}', "schema-unusable"),
        ("200 OK", b'{"schema": "\\"string\\""}', "schema-unusable"),
        ("200 OK", b'{"schema": "{\\"type\\": \\"record\\"}"}', "schema-unusable"),
        ("200 OK", b'{"schema": "%s"}' % (b" " * module._BYTES_MAX), "schema-unusable"),
    ],
    ids=lambda value: str(value[:32]),
)
def test_what_a_registry_says_of_an_id_is_the_records_fault(
    server: Server, registry: HttpRegistry, status: str, content: bytes, code: str
) -> None:
    """If it failed: one such record would hold its partition up for ever."""
    server.says(status, content)
    with pytest.raises(Undecodable) as refusal:
        registry.plain_schema(7)
    assert refusal.value.code == code


def test_no_more_refusals_are_kept_than_a_thousand(
    server: Server, registry: HttpRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one refusal too many, then the oldest is forgotten; and an absence is never kept."""
    monkeypatch.setattr(module, "_REFUSED_MAX", 2)
    server.says("404 Not Found", b'{"error_code": 40403, "message": "no such"}')
    for number in (1, 2, 1, 3, 3, 1):
        with pytest.raises(Undecodable):
            registry.plain_schema(number)
    assert [asked.split()[1].rpartition(b"/")[2] for asked in server.asked] == [b"1", b"2", b"3"]
    server.says("503 Busy", b"", "text/plain")
    for number in (2, 2):
        with pytest.raises(Unreachable):
            registry.plain_schema(number)
    assert len(server.asked) == 5


def test_a_registry_that_does_not_answer_is_given_up(
    server: Server, registry: HttpRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one that hangs, or never comes to an end, then our own limit ends it."""
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.1)
    with listening(None) as silent, pytest.raises(Unreachable, match="timed out"):
        HttpRegistry(f"http://127.0.0.1:{silent.getsockname()[1]}").plain_schema(7)
    seconds = count(0, 10)
    monkeypatch.setattr(module, "monotonic", lambda: float(next(seconds)))
    server.says("200 OK", b" " * module._BYTES_MAX)
    with pytest.raises(Unreachable, match="endless"):
        registry.plain_schema(7)


@pytest.mark.parametrize("url", ["registry:8081", "http://", "ftp://registry", "http://r:x", "r"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"http://host:port/path|Port could not be cast"):
        Settings(schema_registry_url=url)


def test_the_local_registry_is_the_local_stacks() -> None:
    """If it failed: a service on other servers would look for a host of that name."""
    with pytest.raises(ConfigurationError, match="beside servers of your own, name yours"):
        registry_from(Settings(schema_registry_url="local"))
    assert registry_from(Settings()) is None


def test_a_dead_letter_is_shown_without_the_registry_too() -> None:
    """If it failed: people on call could not look at one while the registry is away."""
    codec = Codec(HttpRegistry("http://127.0.0.1:2"))
    shown = _readable(codec, TOPICS[0], b"\x00\x00\x00\x00\x07body")
    assert "the schema registry does not answer" in shown
    assert shown.endswith("62 6f 64 79")
