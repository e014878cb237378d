"""QR cells fast: bytes to a symbol of error level M and mask 2, as ISO/IEC 18004 has it.

segno draws the frame of each version once (finders, timing, format) and lends its tables; only
the data is placed here, with whole numbers instead of cell by cell. A document needs its symbol
in a fifth of a millisecond, where segno's own takes two; a test holds both to the same cells.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Final, cast

import segno
from segno import consts

VERSION_MAX: Final = 13
MASK: Final = 2
_LEVEL: Final = consts.ERROR_LEVEL_M
_BYTE_MODE: Final = 0b0100
_PADDING: Final = bytes((0xEC, 0x11))
_LONG_COUNT_FROM: Final = 10
_VERSION_SHOWN_FROM: Final = 7
_TIMING: Final = 6


@dataclass(frozen=True)
class _Frame:
    """A version's symbol without data: cells per side, data cells, and the mask over these.

    `pick` takes the data's bits, then 0 and 1, and gives the whole symbol cell by cell.
    """

    count: int
    size: int
    mask: int
    pick: Callable[[str], tuple[str, ...]]


def version_for(length: int) -> int | None:
    """The smallest version that holds `length` bytes, or None above version 13."""
    fitting = (version for version in range(1, VERSION_MAX + 1) if length <= _room(version))
    return next(fitting, None)


def cells(payload: bytes, version: int) -> tuple[int, tuple[bytes, ...]]:
    """The symbol's cells per side, and its rows, eight cells to a byte, dark ones set."""
    frame = _frame(version)
    bits = 8 * sum(block.num_blocks * block.num_total for block in _blocks(version))
    coded = int.from_bytes(_interleaved(_data(payload, version), version), "big")
    masked = coded << (frame.size - bits) ^ frame.mask
    width = -(-frame.count // 8)
    shift = width * 8 - frame.count
    digits = "".join(frame.pick(f"{masked:0{frame.size}b}01"))
    rows = (digits[at : at + frame.count] for at in range(0, len(digits), frame.count))
    return frame.count, tuple((int(row, 2) << shift).to_bytes(width, "big") for row in rows)


def _room(version: int) -> int:
    """How many bytes of payload a version holds beside its mode and count."""
    return _capacity(version) - (3 if version >= _LONG_COUNT_FROM else 2)


def _capacity(version: int) -> int:
    return sum(block.num_blocks * block.num_data for block in _blocks(version))


def _data(payload: bytes, version: int) -> bytes:
    count_bits = 16 if version >= _LONG_COUNT_FROM else 8
    value = (_BYTE_MODE << count_bits | len(payload)) << (8 * len(payload))
    value |= int.from_bytes(payload, "big")
    # Mode, count and payload end in the middle of a byte; the terminator's four zeros fill it.
    filled = (value << 4).to_bytes(1 + count_bits // 8 + len(payload), "big")
    missing = _capacity(version) - len(filled)
    return filled + (_PADDING * (missing // 2 + 1))[:missing]


def _interleaved(data: bytes, version: int) -> bytes:
    """Data and error correction of all blocks, column by column."""
    blocks: list[bytes] = []
    corrections: list[bytes] = []
    at = 0
    for kind in _blocks(version):
        size = kind.num_total - kind.num_data
        for _ in range(kind.num_blocks):
            block = data[at : at + kind.num_data]
            at += kind.num_data
            blocks.append(block)
            corrections.append(_correction(block, size))
    longest = max(map(len, blocks))
    columns = [bytes(block[i] for block in blocks if i < len(block)) for i in range(longest)]
    return b"".join(columns) + b"".join(map(bytes, zip(*corrections, strict=True)))


def _correction(block: bytes, size: int) -> bytes:
    """The remainder by the generator polynomial of `size` in GF(256): Reed-Solomon."""
    products, top, keep = _products(size), 8 * (size - 1), (1 << 8 * size) - 1
    remainder = 0
    for byte in block:
        factor = byte ^ (remainder >> top)
        remainder = (remainder << 8 & keep) ^ products[factor]
    return remainder.to_bytes(size, "big")


@cache
def _products(size: int) -> tuple[int, ...]:
    """The generator polynomial of `size` times every element of the field."""
    exponents = consts.GEN_POLY[size]
    log, exp = consts.GALIOS_LOG, consts.GALIOS_EXP
    products = [0]
    for factor in range(1, 256):
        terms = bytes(exp[(log[factor] + exponent) % 255] for exponent in exponents)
        products.append(int.from_bytes(terms, "big"))
    return tuple(products)


@cache
def _blocks(version: int) -> tuple[consts.EC, ...]:
    table = cast("dict[int, dict[int, tuple[consts.EC, ...]]]", consts.ECC)
    return table[version][_LEVEL]


@cache
def _frame(version: int) -> _Frame:
    drawn = segno.make_qr("0", version=version, error="m", mask=MASK, boost_error=False)
    count = len(drawn.matrix)
    order = tuple(_order(version, count))
    free = [at % count % 3 == 0 for at in order]
    mask = int("".join("1" if flips else "0" for flips in free), 2)
    sources = [len(order) + cell for row in drawn.matrix for cell in row]
    for source, at in enumerate(order):
        sources[at] = source
    return _Frame(count, len(order), mask, itemgetter(*sources))


def _order(version: int, count: int) -> Iterator[int]:
    """The data cells: two columns at a time from the right, up and down in turn."""
    upward = True
    rights = [*range(count - 1, _TIMING, -2), *range(_TIMING - 1, 0, -2)]
    for right in rights:
        rows = range(count - 1, -1, -1) if upward else range(count)
        for row in rows:
            for column in (right, right - 1):
                if not _reserved(row, column, version, count):
                    yield row * count + column
        upward = not upward


def _reserved(row: int, column: int, version: int, count: int) -> bool:
    """Whether a cell belongs to a finder, its format strip, timing, alignment or version."""
    near, far = 9, count - 8
    corner = (row < near and (column < near or column >= far)) or (row >= far and column < near)
    timing = _TIMING in {row, column}
    return (
        corner
        or timing
        or _aligned(row, column, version, count)
        or _version(row, column, version, count)
    )


def _aligned(row: int, column: int, version: int, count: int) -> bool:
    if version == 1:
        return False
    centres = consts.ALIGNMENT_POS[version - 2]
    last = count - 7
    corners = {(_TIMING, _TIMING), (_TIMING, last), (last, _TIMING)}
    reach = range(-2, 3)
    return any(
        row - y in reach and column - x in reach and (y, x) not in corners
        for y in centres
        for x in centres
    )


def _version(row: int, column: int, version: int, count: int) -> bool:
    strip = range(count - 11, count - 8)
    beside = (row < _TIMING and column in strip) or (column < _TIMING and row in strip)
    return version >= _VERSION_SHOWN_FROM and beside
