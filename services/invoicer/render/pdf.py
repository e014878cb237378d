"""A PDF file, object by object: numbered, cross-referenced, closed (ISO 32000-1, 7.5).

Written here because reportlab's document model took a third of the time of drawing an invoice.
"""

import zlib
from typing import Final

_HEAD: Final = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"  # four bytes that say: this file is binary


class File:
    """The objects of one file; what refers to another names it by its reference, 12 0 R."""

    def __init__(self) -> None:
        self._objects: list[bytes] = []

    def add(self, content: str | bytes) -> str:
        """Append an object and return its reference."""
        self._objects.append(content.encode() if isinstance(content, str) else content)
        return self._reference(len(self._objects))

    def following(self, ahead: int) -> str:
        """The reference of the object to be added after `ahead` others."""
        return self._reference(len(self._objects) + ahead + 1)

    def closed(self, root: str, info: str, identity: str) -> bytes:
        """The whole file; `identity` is its id in hex."""
        parts, offsets, at = [_HEAD], [], len(_HEAD)
        for number, content in enumerate(self._objects, 1):
            part = b"%d 0 obj\n%b\nendobj\n" % (number, content)
            parts.append(part)
            offsets.append(at)
            at += len(part)
        count = len(offsets) + 1
        table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
        parts.append(
            f"xref\n0 {count}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {count} /Root {root} /Info {info}"
            f" /ID [<{identity}><{identity}>] >>\n"
            f"startxref\n{at}\n%%EOF\n".encode()
        )
        return b"".join(parts)

    @staticmethod
    def _reference(number: int) -> str:
        return f"{number} 0 R"


def stream(content: bytes, entries: str) -> bytes:
    """A stream of `content` as it is, with `entries` in its dictionary."""
    head = f"<< {entries} /Length {len(content)} >>\nstream\n"
    return head.encode() + content + b"\nendstream"


def deflated(content: bytes, entries: str = "", *, level: int = -1) -> bytes:
    """`content` as a compressed stream with `entries` in its dictionary; zlib's usual level."""
    return stream(zlib.compress(content, level), f"/Filter /FlateDecode {entries}")


def text(value: str) -> str:
    """A text string: UTF-16 in hex digits, so that nothing in it needs to be escaped."""
    return f"<feff{value.encode('utf-16-be').hex()}>"
