"""The typefaces on board: what they cover, how wide their characters are, who stands in for whom.

Every face is read once per process and never changed; the large one for Chinese, Japanese and
Korean is read only when a document first needs it.
"""

from functools import cache, lru_cache
from importlib.resources import as_file, files
from typing import Final

from reportlab.pdfbase.ttfonts import TTFont

REPLACEMENT: Final = "\ufffd"
_BODY, _STRONG = "NotoSans-Regular", "NotoSans-SemiBold"
_FALLBACKS: Final = ("NotoSansHebrew-Regular", "NotoSansArabic-Regular", "DroidSansFallback")
_PER_EM: Final = 1000


class _Hex(dict[str, str]):
    """Character to glyph number as four hex digits, filled as characters are asked for."""

    def __init__(self, glyphs: dict[int, int]) -> None:
        super().__init__()
        self._glyphs = glyphs

    def __missing__(self, character: str) -> str:
        found = self[character] = f"{self._glyphs[ord(character)]:04x}"
        return found


class _Widths(dict[str, float]):
    """Character to advance width in parts of the font size, filled as above."""

    def __init__(self, widths: dict[int, float]) -> None:
        super().__init__()
        self._widths = widths

    def __missing__(self, character: str) -> float:
        found = self[character] = self._widths[ord(character)] / _PER_EM
        return found


class Face:
    """One TrueType face; `ttf` is reportlab's reading of its file, `ascii` what it has of ASCII.

    `advance` is the width of a text in parts of the font size, `encode` its glyph numbers as the
    digits of a PDF hex string; the face must cover the text.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        with as_file(files(__package__) / "fonts" / f"{name}.ttf") as path:
            self.ttf = TTFont(name, str(path), asciiReadable=0, shapable=False)
        self.glyphs: dict[int, int] = self.ttf.face.charToGlyph
        self._characters = frozenset(map(chr, self.glyphs))
        self.ascii = frozenset(one for one in self._characters if " " <= one <= "~")
        self._hex = _Hex(self.glyphs)
        self._widths = _Widths(self.ttf.face.charWidths)
        self.advance = lru_cache(maxsize=8192)(self._advance)
        self.encode = lru_cache(maxsize=8192)(self._encode)

    def covers(self, text: str) -> bool:
        """Whether the face has a glyph for every character of `text`."""
        return self._characters.issuperset(text)

    def table(self, tag: str) -> bytes:
        """A table of the face's file; empty where it has none."""
        font = self.ttf.face
        return bytes(font.get_table(tag)) if tag in font.table else b""  # type: ignore[no-untyped-call]

    def _encode(self, text: str) -> str:
        return "".join(map(self._hex.__getitem__, text))

    def _advance(self, text: str) -> float:
        return sum(map(self._widths.__getitem__, text))


@cache
def face(name: str) -> Face:
    """The face `name`, read at the first call."""
    return Face(name)


def body() -> Face:
    """The face of running text: Latin, Greek, Cyrillic."""
    return face(_BODY)


def strong() -> Face:
    """The same, heavier: names, headings, totals."""
    return face(_STRONG)


@lru_cache(maxsize=8192)
def face_for(character: str, preferred: Face) -> Face | None:
    """`preferred` where it covers `character`, else the first stand-in that does, else None."""
    if preferred.covers(character):
        return preferred
    for name in _FALLBACKS:
        if face(name).covers(character):
            return face(name)
    return None
