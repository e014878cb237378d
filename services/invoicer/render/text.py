"""Text as it is drawn: cleaned, shaped, in reading order, face by face, and broken into lines.

Nothing vanishes silently: a character that no face on board has becomes U+FFFD, and `missing`
names it, so that the document can be flagged.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby, pairwise
from typing import Final

from arabic_reshaper import ArabicReshaper  # type: ignore[import-untyped]  # no stubs exist
from bidi import get_display  # type: ignore[import-untyped]  # no stubs exist

from services.invoicer.render.faces import REPLACEMENT, Face, face_for

_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_WIDE: Final = frozenset({"W", "F"})
# Closing marks and their like, which East Asian setting never puts at the start of a line.
_NOT_AT_START: Final = frozenset(
    "\u3001\u3002\uff0c\uff0e\u30fb\uff1a\uff1b\uff1f\uff01\uff09\u300d\u300f\u3011\u3015"
    "\u3009\u300b\u30fc\u309d\u3005%\u00b0"
)
_WORDS: Final = re.compile(r" *[^ ]+")
_FIRST_RIGHT_TO_LEFT: Final = "\u0590"  # Hebrew; nothing before it runs right to left
_KEPT: Final = frozenset("\n\u200c\u200d")
_JOINERS: Final = str.maketrans(dict.fromkeys("\u200c\u200d"))  # read by the shaper, then gone
_PAIRS: Final = "()[]{}<>\u00ab\u00bb\u2039\u203a\u2264\u2265"
_MIRROR: Final = str.maketrans(_PAIRS, ")(][}{><\u00bb\u00ab\u203a\u2039\u2265\u2264")
_MARK: Final = "\u0346"  # a combining mark that no name or description has
_PAIRED: Final = re.compile(f"[{re.escape(_PAIRS)}]")
_MARKED_LEFT: Final = re.compile(f"{_MARK}([{re.escape(_PAIRS)}])")
_NO_BREAK: Final = "\u00a0"  # in every amount; Python calls it not printable
_SUBSTITUTES: Final = str.maketrans({"\t": " ", "\u2011": "-", "\u2212": "-"})


@dataclass(frozen=True)
class Run:
    """A stretch of text in one face; `width` in parts of the font size."""

    face: Face
    text: str
    width: float


@dataclass(frozen=True)
class Shaped:
    """One line, ready to draw. `logical` differs from the runs where text runs right to left."""

    runs: tuple[Run, ...]
    width: float
    missing: frozenset[str] = frozenset()
    logical: str | None = None


@lru_cache(maxsize=8192)
def shape(text: str, face: Face) -> Shaped:
    """`text` (one line) in `face`, with stand-ins for what it does not cover."""
    if text.isascii() and text.isprintable():
        run = Run(face, text, face.advance(text))
        return Shaped((run,), run.width)
    clean = cleaned(text).replace("\n", " ")
    if face.covers(clean) and max(clean, default="") < _FIRST_RIGHT_TO_LEFT:
        run = Run(face, clean, face.advance(clean))
        return Shaped((run,), run.width)
    visual = _reading_order(clean).translate(_JOINERS)
    missing = frozenset(one for one in visual if face_for(one, face) is None)
    drawn = "".join(REPLACEMENT if one in missing else one for one in visual)
    runs = tuple(
        _run(standin, "".join(group))
        for standin, group in groupby(drawn, key=lambda one: face_for(one, face) or face)
    )
    width = sum(run.width for run in runs)
    return Shaped(runs, width, missing, clean if visual != clean.translate(_JOINERS) else None)


@lru_cache(maxsize=8192)
def wrap(text: str, face: Face, size: float, width: float) -> tuple[str, ...]:
    """`text` broken into lines at most `width` points wide, at least one.

    It breaks at spaces, between wide characters (Chinese, Japanese, Korean), and inside a word
    only where the word alone is wider than the line.
    """
    limit = width / size
    lines: list[str] = []
    for paragraph in cleaned(text).split("\n"):
        line = ""
        for word in _words(paragraph):
            if shape(line + word, face).width <= limit:
                line += word
                continue
            if line.strip():
                lines.append(line.strip())
            *whole, line = _cut(word.lstrip(), face, limit)
            lines += whole
        lines.append(line.strip())
    return tuple(lines)


@lru_cache(maxsize=8192)
def cleaned(text: str) -> str:
    """`text` composed (NFC), without control and invisible format characters but line breaks."""
    if text.isascii() and text.isprintable():
        return text
    composed = unicodedata.normalize("NFC", text.translate(_SUBSTITUTES))
    if composed.replace(_NO_BREAK, "").isprintable():
        return composed
    return "".join(
        one for one in composed if one in _KEPT or unicodedata.category(one) not in {"Cc", "Cf"}
    )


def _run(face: Face, text: str) -> Run:
    return Run(face, text, face.advance(text))


def _words(paragraph: str) -> list[str]:
    """The pieces between which a line may break, each with the spaces before it."""
    pieces: list[str] = []
    for word in _WORDS.findall(paragraph):
        if word.isascii():
            pieces.append(word)
        else:
            pieces += _wide_pieces(word)
    return pieces


def _wide_pieces(word: str) -> list[str]:
    pieces = [word[0]]
    for before, one in pairwise(word):
        may_break = (_wide(before) or _wide(one)) and before != " " and one not in _NOT_AT_START
        if may_break:
            pieces.append(one)
        else:
            pieces[-1] += one
    return pieces


def _cut(word: str, face: Face, limit: float) -> list[str]:
    """`word` in parts that fit, for one wider than the line; in one part for any other."""
    if shape(word, face).width <= limit:
        return [word]
    parts, width = [""], 0.0
    for one in word:
        width += shape(one, face).width
        if parts[-1] and width > limit:
            parts.append("")
            width = shape(one, face).width
        parts[-1] += one
    return parts


@lru_cache(maxsize=8192)
def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in _WIDE


def _reading_order(text: str) -> str:
    """`text` from left to right as it is seen, its Arabic letters joined (UAX 9).

    The library orders but does not mirror (rule L4). A combining mark takes the direction of what
    it follows, so a mark put after each bracket tells by its side which way the bracket runs.
    """
    if not any(unicodedata.bidirectional(one) in _RIGHT_TO_LEFT for one in text):
        return text
    marked = _PAIRED.sub(rf"\g<0>{_MARK}", _reshaper().reshape(text))
    seen = str(get_display(marked))
    mirrored = _MARKED_LEFT.sub(lambda found: found[1].translate(_MIRROR), seen)
    return mirrored.replace(_MARK, "")


@cache
def _reshaper() -> ArabicReshaper:
    return ArabicReshaper(configuration={"delete_harakat": False, "support_ligatures": True})
