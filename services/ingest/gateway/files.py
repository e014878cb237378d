"""Reads a file as bytes, up to a limit, and never one that only looks like a file."""

import stat
from pathlib import Path
from typing import Final

from services.ingest.domain.element import Fault, Unreadable

BYTES_MAX: Final = 32 * 1024 * 1024
_PACKED: Final = {
    b"PK\x03\x04": "a ZIP package",
    b"PK\x05\x06": "an empty ZIP package",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"MIME-Version:": "a MIME package",
    b"Content-Type: multipart": "a MIME package",
}


def read(path: Path) -> bytes:
    """The bytes of a regular file, one more than allowed at most; raises `Unreadable`."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(Fault("is no regular file: name the job files themselves"))
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise Unreadable(Fault(f"cannot be read: {error.strerror}")) from error
    return data


def check(data: bytes) -> None:
    """Raise `Unreadable` where the bytes are too many, none, or packed."""
    if len(data) > BYTES_MAX:
        raise Unreadable(Fault(f"is larger than {BYTES_MAX // 1024**2} MiB: split it"))
    if not data.strip():
        raise Unreadable(Fault("is empty"))
    for magic, name in _PACKED.items():
        if data.startswith(magic):
            raise Unreadable(Fault(f"is {name}: unpack it and give the files in it"))
