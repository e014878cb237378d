"""Advisory file locks: who uses a data directory, and whether anything started from it still lives.

A lock belongs to the open file, which child processes inherit and which closes with the last of
them, also after SIGKILL. So a lock that can be taken proves that nobody is left, which a process id
in a file cannot: ids are used again, in containers at once.
"""

import os
from pathlib import Path

from shared.local.errors import LocalStackError

try:
    import fcntl
except ModuleNotFoundError as error:
    raise LocalStackError(
        "The local stack runs on Linux and macOS, on Windows inside WSL: start it there, or set "
        "COLOPHON_KAFKA_BOOTSTRAP_SERVERS and COLOPHON_DATABASE_URL to servers of your own."
    ) from error


def try_lock(path: Path) -> int | None:
    """Lock `path` and return its descriptor, not inheritable; None if another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
