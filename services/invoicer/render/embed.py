"""Embed only the glyphs that a document uses, as one composite PDF font per face.

The character codes in the page are the glyph numbers of the face's file, so nothing has to be
assigned per document, and a face with any number of glyphs stays one font. Glyph numbers are
kept in the subset; what is not used is empty. Source: ISO 32000-1, 9.7 (composite fonts) and the
OpenType specification (tables glyf, loca, hmtx).
"""

import struct
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from reportlab.pdfbase.pdfdoc import PDFDocument, PDFObject

from services.invoicer.render.faces import Face

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


class Written(PDFObject):
    """A PDF object that is written already: much cheaper than reportlab's dictionaries."""

    def __init__(self, content: str | bytes) -> None:
        self.content = content.encode() if isinstance(content, str) else content

    def format(self, document: PDFDocument) -> bytes:
        """The object as it stands in the file."""
        del document
        return self.content


def embed(document: PDFDocument, face: Face, characters: Collection[str]) -> Written:
    """The font of `face` with the glyphs of `characters`; what it rests on goes to `document`."""
    glyphs = {face.glyphs[ord(one)]: one for one in sorted(characters, reverse=True)}
    numbers = sorted(glyphs)
    tag = _tag(face.name, numbers)
    descendant = Written(
        f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{tag} /CIDToGIDMap /Identity"
        " /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
        f" /FontDescriptor {refer(document, _descriptor(document, face, tag, numbers))}"
        f" /W [{' '.join(_glyph(face, number).width for number in numbers)}] >>"
    )
    to_unicode = deflated(_to_unicode(glyphs, numbers).encode())
    return Written(
        f"<< /Type /Font /Subtype /Type0 /BaseFont /{tag} /Encoding /Identity-H"
        f" /DescendantFonts [{refer(document, descendant)}]"
        f" /ToUnicode {refer(document, to_unicode)} >>"
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


def refer(document: PDFDocument, made: PDFObject) -> str:
    """A reference to `made`, now an object of its own in `document`, as text: 12 0 R."""
    reference = document.Reference(made)  # type: ignore[no-untyped-call]
    return str(reference.format(document), "ascii")


def deflated(content: bytes, entries: str = "") -> Written:
    """`content` as a compressed stream with `entries` in its dictionary."""
    return stream(zlib.compress(content), f"/Filter /FlateDecode {entries}")


def stream(content: bytes, entries: str) -> Written:
    """A stream of `content` as it is, with `entries` in its dictionary."""
    head = f"<< {entries} /Length {len(content)} >>\nstream\n"
    return Written(head.encode() + content + b"\nendstream\n")


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


def _descriptor(document: PDFDocument, face: Face, tag: str, numbers: Collection[int]) -> Written:
    font, program = face.ttf.face, subset(face, numbers)
    file = refer(document, deflated(program, f"/Length1 {len(program)}"))
    box = " ".join(str(round(edge)) for edge in font.bbox)
    return Written(
        f"<< /Type /FontDescriptor /FontName /{tag} /Flags {_SYMBOLIC} /FontBBox [{box}]"
        f" /ItalicAngle 0 /Ascent {round(font.ascent)} /Descent {round(font.descent)}"
        f" /CapHeight {round(font.capHeight)} /StemV {round(font.stemV)} /FontFile2 {file} >>"
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
