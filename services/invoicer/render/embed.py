"""Embed only the glyphs that a document uses (and ASCII), as one composite PDF font per face.

The character codes in the page are the glyph numbers of the face's file, so nothing has to be
assigned per document, and a face with any number of glyphs stays one font. Glyph numbers are
kept in the subset; what is not used is empty. With all of ASCII in it, one subset serves most
documents of a seller and is made once. Source: ISO 32000-1, 9.7 (composite fonts) and the OpenType
specification (tables glyf, loca, hmtx).
"""

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from services.invoicer.render.faces import Face
from services.invoicer.render.pdf import File, deflated

_MORE_COMPONENTS: Final = 0x20
_WORDS, _SCALE, _XY_SCALE, _TWO_BY_TWO = 0x01, 0x08, 0x40, 0x80
_COMPONENTS_AT: Final = 10
_CHECKSUM_MAGIC: Final = 0xB1B0AFBA
_SYMBOLIC: Final = 4
_PER_BLOCK: Final = 100
_HINTS: Final = ("cvt ", "fpgm", "prep")


@dataclass(frozen=True)
class _Glyph:
    """A glyph: outline, padded to four bytes, metrics, its entry of widths, what it is made of."""

    outline: bytes
    metrics: bytes
    width: str
    parts: tuple[int, ...]


@dataclass(frozen=True)
class _Subset:
    """A font as its objects say it, but for their references to one another."""

    tag: str
    descriptor: str
    widths: str
    program: bytes
    to_unicode: bytes


def embed(file: File, face: Face, characters: Collection[str]) -> str:
    """The reference of a font of `face` with `characters` and all its ASCII, now in `file`."""
    made = _subset(face, face.ascii.union(characters))
    program, to_unicode = file.add(made.program), file.add(made.to_unicode)
    descriptor = file.add(f"<< {made.descriptor} /FontFile2 {program} >>")
    descendant = file.add(
        f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{made.tag} /CIDToGIDMap /Identity"
        " /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
        f" /FontDescriptor {descriptor} /W [{made.widths}] >>"
    )
    return file.add(
        f"<< /Type /Font /Subtype /Type0 /BaseFont /{made.tag} /Encoding /Identity-H"
        f" /DescendantFonts [{descendant}] /ToUnicode {to_unicode} >>"
    )


@lru_cache(maxsize=128)
def _subset(face: Face, characters: frozenset[str]) -> _Subset:
    glyphs = {face.glyphs[ord(one)]: one for one in sorted(characters, reverse=True)}
    numbers = sorted(glyphs)
    tag, program = _tag(face.name, numbers), subset(face, numbers)
    return _Subset(
        tag=tag,
        descriptor=_descriptor(face, tag),
        widths=" ".join(_glyph(face, number).width for number in numbers),
        program=deflated(program, f"/Length1 {len(program)}"),
        to_unicode=deflated(_to_unicode(glyphs, numbers).encode()),
    )


def subset(face: Face, numbers: Collection[int]) -> bytes:
    """The face's file with the outlines of glyphs `numbers` (and what they are made of) only."""
    glyf, loca, hmtx, offset = [], [0], [], 0
    for number in sorted(_closure(face, numbers)):
        gap = number + 1 - len(loca)  # glyphs that are not used are empty and have no width
        loca += [offset] * gap
        glyph = _glyph(face, number)
        offset += len(glyph.outline)
        loca.append(offset)
        glyf.append(glyph.outline)
        hmtx += [bytes(4 * gap), glyph.metrics]
    count = len(loca) - 1
    head, hhea, maxp = (face.table(tag) for tag in ("head", "hhea", "maxp"))
    made = {
        "glyf": b"".join(glyf),
        "loca": struct.pack(f">{len(loca)}L", *loca),
        "hmtx": b"".join(hmtx),
        "head": head[:8] + bytes(4) + head[12:50] + struct.pack(">H", 1) + head[52:],
        "hhea": hhea[:34] + struct.pack(">H", count),
        "maxp": maxp[:4] + struct.pack(">H", count) + maxp[6:],
    }
    kept = {tag: face.table(tag) for tag in _HINTS if face.table(tag)}
    return _file(made | kept)


def _closure(face: Face, numbers: Collection[int]) -> set[int]:
    wanted, open_ends = {0, *numbers}, [0, *numbers]
    while open_ends:
        parts = [part for part in _glyph(face, open_ends.pop()).parts if part not in wanted]
        wanted.update(parts)
        open_ends += parts
    return wanted


@lru_cache(maxsize=8192)
def _glyph(face: Face, number: int) -> _Glyph:
    font = face.ttf.face
    start, end = font.glyphPos[number : number + 2]
    at = font.get_table_pos("glyf")[0]
    outline = font.get_chunk(at + start, end - start)
    advance, bearing = map(int, font.hmetrics[number])
    return _Glyph(
        outline=outline + bytes(-len(outline) % 4),
        metrics=struct.pack(">HH", advance, bearing),
        width=f"{number} [{round(advance * 1000 / font.unitsPerEm)}]",
        parts=tuple(_components(outline)),
    )


def _components(outline: bytes) -> Iterator[int]:
    """The glyphs that a composite outline is made of; none for a simple or an empty one."""
    if not outline or outline[0] < 0x80:  # noqa: PLR2004 - the sign of the contour count
        return
    at, more = _COMPONENTS_AT, True
    while more:
        flags, number = struct.unpack_from(">HH", outline, at)
        yield number
        at += 8 if flags & _WORDS else 6
        at += 2 if flags & _SCALE else 4 if flags & _XY_SCALE else 8 if flags & _TWO_BY_TWO else 0
        more = bool(flags & _MORE_COMPONENTS)


def _file(tables: dict[str, bytes]) -> bytes:
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    header = struct.pack(
        ">LHHHH", 0x00010000, count, power * 16, power.bit_length() - 1, (count - power) * 16
    )
    directory, bodies, at, head_at = [], [], 12 + 16 * count, 0
    for tag in sorted(tables):
        body = tables[tag] + bytes(-len(tables[tag]) % 4)
        entry = struct.pack(">4sLLL", tag.encode(), _checksum(body), at, len(tables[tag]))
        head_at = at if tag == "head" else head_at
        directory.append(entry)
        bodies.append(body)
        at += len(body)
    whole = bytearray(b"".join([header, *directory, *bodies]))
    adjustment = (_CHECKSUM_MAGIC - _checksum(bytes(whole))) & 0xFFFFFFFF
    struct.pack_into(">L", whole, head_at + 8, adjustment)
    return bytes(whole)


def _checksum(padded: bytes) -> int:
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}L", padded)
    return sum(words) & 0xFFFFFFFF


def _tag(name: str, numbers: Sequence[int]) -> str:
    """Six capitals that differ with the glyphs, so that merging documents never mixes subsets."""
    digest = sha256(f"{name} {numbers}".encode()).digest()
    return "".join(chr(65 + byte % 26) for byte in digest[:6]) + f"+{name}"


def _descriptor(face: Face, tag: str) -> str:
    font = face.ttf.face
    box = " ".join(str(round(edge)) for edge in font.bbox)
    return (
        f"/Type /FontDescriptor /FontName /{tag} /Flags {_SYMBOLIC} /FontBBox [{box}]"
        f" /ItalicAngle 0 /Ascent {round(font.ascent)} /Descent {round(font.descent)}"
        f" /CapHeight {round(font.capHeight)} /StemV {round(font.stemV)}"
    )


def _to_unicode(glyphs: dict[int, str], numbers: Sequence[int]) -> str:
    pairs = [_mapping(number, glyphs[number]) for number in numbers]
    blocks = [pairs[at : at + _PER_BLOCK] for at in range(0, len(pairs), _PER_BLOCK)]
    mapped = "\n".join(
        f"{len(block)} beginbfchar\n{chr(10).join(block)}\nendbfchar" for block in blocks
    )
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n{mapped}\n"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    )


@lru_cache(maxsize=8192)
def _mapping(number: int, character: str) -> str:
    return f"<{number:04x}> <{character.encode('utf-16-be').hex()}>"
