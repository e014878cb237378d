"""A way to the broker or the database that a test can cut, or let swallow everything."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from shared.local.ports import free_port
from shared.settings import Settings

HOST = "127.0.0.1"
_CHUNK = 65_536
_LENGTH_BYTES = 4

Read = Callable[[socket.socket], bytes]


class Proxy:
    """Passes on what comes to `port`, to `target` on the same machine."""

    def __init__(self, target: int, *, speaks_kafka: bool = False) -> None:
        self.port = free_port()
        self._target = target
        self._answers = self._kafka_answer if speaks_kafka else _chunk
        self._passes = threading.Event()
        self._ends: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.restore()

    def cut(self) -> None:
        """Close every connection and refuse new ones."""
        self._passes.set()
        listener, self._listener = self._listener, None
        if listener:
            _close(listener)
        while self._ends:
            _close(self._ends.pop())

    def swallow(self) -> None:
        """Take what comes and pass nothing on: a network that drops, or a server that hangs."""
        self._passes.clear()

    def restore(self) -> None:
        """Pass everything on, what was swallowed first."""
        self._passes.set()
        if self._listener is None:
            self._listener = socket.create_server((HOST, self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection((HOST, self._target))
                except OSError:  # the server is down: so is the way to it
                    _close(near)
                    continue
                self._ends = [end for end in self._ends if end.fileno() >= 0] + [near, far]
                for way in ((near, far, _chunk), (far, near, self._answers)):
                    threading.Thread(target=self._pump, args=way, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, read: Read) -> None:
        with suppress(OSError):
            while content := read(source):
                self._passes.wait()
                sink.sendall(content)
        _close(source)
        _close(sink)

    def _kafka_answer(self, broker: socket.socket) -> bytes:
        """One answer; where it names the broker's address, it names ours."""
        head = _exactly(broker, _LENGTH_BYTES)
        body = _exactly(broker, int.from_bytes(head))
        return head + body.replace(_address(self._target), _address(self.port))


def _close(end: socket.socket) -> None:
    """Wake whoever waits for it, then let it go."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _address(port: int) -> bytes:
    return HOST.encode() + port.to_bytes(4)


def _chunk(source: socket.socket) -> bytes:
    return source.recv(_CHUNK)


def _exactly(source: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        if not (more := source.recv(min(size - len(content), _CHUNK))):
            return b""
        content += more
    return content


@dataclass(frozen=True)
class Lines:
    """The ways to both servers, and the settings that lead over them."""

    broker: Proxy
    database: Proxy
    changes: dict[str, object]


@contextmanager
def lines_to(settings: Settings) -> Iterator[Lines]:
    """Open ways to the servers of `settings`; cut at the end."""
    url = urlsplit(settings.database_url.get_secret_value())
    kafka_port = int(settings.kafka_bootstrap_servers.rpartition(":")[2])
    with ExitStack() as stack:
        broker = Proxy(kafka_port, speaks_kafka=True)
        database = Proxy(url.port or 0)
        for proxy in (broker, database):
            stack.callback(proxy.cut)
        server = f"{url.netloc.rpartition(':')[0]}:{database.port}"
        yield Lines(
            broker,
            database,
            {
                "kafka_bootstrap_servers": f"{HOST}:{broker.port}",
                "database_url": SecretStr(urlunsplit(url._replace(netloc=server))),
            },
        )
