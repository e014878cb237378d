"""Free TCP ports on the loopback interface that stay the same over restarts where they can.

Only ports below the range from which systems take the ends of outgoing connections are offered:
inside it, a client that polls a server which is not up yet can end up connected to itself.
"""

import secrets
import socket
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from shared.local.errors import LocalStackError

LOOPBACK = "127.0.0.1"
FIRST, LAST = 20_000, 31_999
ATTEMPTS_MAX = 200
BACKLOG = 16


def remembered_ports(file: Path, count: int) -> list[int]:
    """The ports noted in `file` if there are `count` of them and all are free, else new ones."""
    known: list[int] = []
    with suppress(FileNotFoundError, ValueError):
        known = [int(word) for word in file.read_text(encoding="ascii").split()]
    if len(known) == count and all(is_free(port) for port in known):
        return known
    ports = _free_ports(count)
    file.write_text(" ".join(map(str, ports)) + "\n", encoding="ascii")
    return ports


def free_port() -> int:
    """One port that is free now."""
    return _free_ports(1)[0]


def listening(preferred: int | None) -> socket.socket:
    """A socket that listens on 127.0.0.1:`preferred`, or on a free port where that is taken.

    Who is handed it has the port for sure: between a look whether a port is free and its use,
    somebody else may take it.
    """
    for _ in range(ATTEMPTS_MAX):
        port = preferred or _free_ports(1)[0]
        preferred = None
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((LOOPBACK, port))
            server.listen(BACKLOG)
        except OSError:
            server.close()
        else:
            return server
    raise _none_free()


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def http_status(port: int, path: str, timeout_s: float = 5.0) -> int | None:
    """What a server of ours answers to GET `path`; None where it gives no answer."""
    connection = HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _free_ports(count: int) -> list[int]:
    found: set[int] = set()
    for _ in range(ATTEMPTS_MAX):
        candidate = FIRST + secrets.randbelow(LAST - FIRST + 1)
        if candidate not in found and is_free(candidate):
            found.add(candidate)
        if len(found) == count:
            return list(found)
    raise _none_free()


def _none_free() -> LocalStackError:
    return LocalStackError(
        f"No free port between {FIRST} and {LAST} on {LOOPBACK} was found: "
        "stop what is using them, or see whether a firewall forbids listening there."
    )
