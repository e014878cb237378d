"""The houses' logos: small PNG images drawn from scratch, the same bytes on every machine.

The pixels are stored uncompressed, because compressors differ between versions and the sha256 of
a logo stands in an immutable master datum.
"""

import struct
import zlib
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final

WIDTH, HEIGHT = 360, 120
_COLOURS: Final = {
    "DE01": (0x0B, 0x5C, 0x7A),
    "GB01": (0x7A, 0x1F, 0x2B),
    "JP01": (0x2F, 0x5D, 0x3A),
}
_SHEETS, _WHITE = 4, 4
_PITCH, _SIZE, _LEFT, _TOP, _STEP = 84, 72, 6, 8, 12
_BAR: Final = range(104, 114)


@dataclass(frozen=True, slots=True)
class Logo:
    """An image and the sha256 under which the document store keeps it."""

    sha256: str
    content: bytes


@cache
def logo(legal_entity_id: str) -> Logo:
    """The logo of one of the simulated houses: four sheets in shades of its colour, and a bar."""
    content = _png(_palette(_COLOURS[legal_entity_id]))
    return Logo(sha256(content).hexdigest(), content)


def _palette(colour: tuple[int, int, int]) -> bytes:
    shades = [bytes(min(255, part + 42 * sheet) for part in colour) for sheet in range(_SHEETS)]
    return b"".join(shades) + b"\xff\xff\xff"


def _shade(x: int, y: int) -> int:
    sheet, across = divmod(x, _PITCH)
    top = _TOP + _STEP * (sheet % 2)
    if sheet < _SHEETS and _LEFT <= across < _LEFT + _SIZE and top <= y < top + _SIZE:
        return sheet
    return 0 if y in _BAR else _WHITE


def _row(y: int) -> bytes:
    pairs = ((_shade(x, y) << 4) | _shade(x + 1, y) for x in range(0, WIDTH, 2))
    return b"\x00" + bytes(pairs)


def _png(palette: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 4, 3, 0, 0, 0)
    pixels = b"".join(map(_row, range(HEIGHT)))
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", _stored(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _stored(data: bytes) -> bytes:
    """`data` (up to 65,535 bytes) as a zlib stream of one stored block (RFC 1950, RFC 1951)."""
    size = struct.pack("<HH", len(data), len(data) ^ 0xFFFF)
    return b"\x78\x01\x01" + size + data + struct.pack(">I", zlib.adler32(data))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
