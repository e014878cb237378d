"""One page: text, rules, boxes and images at places measured from its upper left corner, in points.

Writes PDF operators itself, because setting text through reportlab's canvas takes six times as
long.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from services.invoicer.render.faces import Face
from services.invoicer.render.text import Shaped, shape

Colour = tuple[float, float, float]
Box = tuple[float, float, float, float]
_SYNTHETIC_STROKE: Final = 0.025  # of the font size: weight for stand-ins of the heavier face


@dataclass(frozen=True)
class Style:
    """How text looks: its face, size in points, colour (RGB, 0 to 1)."""

    face: Face
    size: float
    colour: Colour
    strong: bool = False


@dataclass
class Font:
    """A face in a document: its resource name and what is set in it so far that is not ASCII."""

    name: str
    characters: set[str] = field(default_factory=set)


@dataclass
class Ink:
    """What a document has used so far: fonts, and the characters that no face has."""

    fonts: dict[Face, Font] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def font(self, face: Face, text: str) -> str:
        """The resource name of `face`, which now also needs the characters of `text`."""
        font = self.fonts.get(face)
        if font is None:
            font = self.fonts[face] = Font(f"F{len(self.fonts) + 1}")
        if not text.isascii():
            font.characters.update(text)
        return font.name


class Sheet:
    """The operators and links of one page."""

    def __init__(self, width: float, height: float, ink: Ink) -> None:
        self.width, self.height = width, height
        self.links: list[tuple[str, Box]] = []
        self.logo_box: Box | None = None
        self._ink = ink
        self._ops: list[str] = []
        self._fill: Colour | None = None
        self._font = ""

    @cached_property
    def operators(self) -> str:
        """The page's content stream; nothing may be drawn once it has been asked for."""
        return "\n".join(self._ops)

    def text(self, x: float, y: float, text: str, style: Style) -> float:
        """Draw `text` from `x` on the baseline `y`; returns where it ends."""
        shaped = shape(text, style.face)
        self._draw(x, y, shaped, style)
        return x + shaped.width * style.size

    def right(self, x: float, y: float, text: str, style: Style) -> float:
        """Draw `text` so that it ends at `x`; returns where it begins."""
        shaped = shape(text, style.face)
        begin = x - shaped.width * style.size
        self._draw(begin, y, shaped, style)
        return begin

    def centre(self, x: float, y: float, text: str, style: Style) -> None:
        """Draw `text` around `x`."""
        shaped = shape(text, style.face)
        self._draw(x - shaped.width * style.size / 2, y, shaped, style)

    def rule(self, x: float, y: float, width: float, thickness: float, colour: Colour) -> None:
        """A horizontal line whose upper edge is at `y`."""
        self.box(x, y, width, thickness, colour)

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """A filled box with its upper left corner at (`x`, `y`)."""
        self._colour(colour)
        self._ops.append(f"{x:.2f} {self.height - y - height:.2f} {width:.2f} {height:.2f} re f")

    def link(self, x: float, y: float, width: float, height: float, url: str) -> None:
        """Make the box clickable."""
        bottom = self.height - y - height
        self.links.append((url, (x, bottom, x + width, bottom + height)))

    def place_logo(self, x: float, y: float, width: float, height: float) -> None:
        """Keep the box for the document's logo."""
        self.logo_box = (x, self.height - y - height, width, height)

    def bits(self, x: float, y: float, size: float, rows: tuple[bytes, ...], count: int) -> None:
        """Draw a square of `count` by `count` black or white cells, packed row by row."""
        data = b"".join(rows).hex()
        self._colour((0, 0, 0))
        self._ops.append(
            f"q {size:.2f} 0 0 {size:.2f} {x:.2f} {self.height - y - size:.2f} cm\n"
            f"BI /W {count} /H {count} /BPC 1 /IM true /D [1 0] /F /AHx ID\n{data}>\nEI Q"
        )

    def _draw(self, x: float, y: float, shaped: Shaped, style: Style) -> None:
        self._colour(style.colour)
        if shaped.missing:
            self._ink.missing.update(shaped.missing)
        parts = " ".join([self._run(run.face, run.text, style) for run in shaped.runs])
        drawn = f"BT {x:.2f} {self.height - y:.2f} Td {parts} ET"
        if shaped.logical is not None:
            logical = shaped.logical.encode("utf-16-be").hex()
            drawn = f"/Span <</ActualText <feff{logical}>>> BDC\n{drawn}\nEMC"
        self._ops.append(drawn)

    def _run(self, face: Face, text: str, style: Style) -> str:
        font = f"/{self._ink.font(face, text)} {style.size:g} Tf "
        shown = f"{font if font != self._font else ''}<{face.encode(text)}> Tj"
        self._font = font
        if style.strong and face is not style.face:
            red, green, blue = style.colour
            stroke = f"{red:g} {green:g} {blue:g} RG {style.size * _SYNTHETIC_STROKE:.2f} w"
            return f"{stroke} 2 Tr {shown} 0 Tr"
        return shown

    def _colour(self, colour: Colour) -> None:
        if colour != self._fill:
            red, green, blue = colour
            self._ops.append(f"{red:g} {green:g} {blue:g} rg")
            self._fill = colour
