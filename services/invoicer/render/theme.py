"""How documents look: paper, margins, colours that stay readable, and text styles."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from services.invoicer.render.faces import body, strong
from services.invoicer.render.sheet import Colour, Style

MM: Final = 72 / 25.4
LEFT: Final = 25 * MM  # DIN 5008: the address shows in a window envelope
RIGHT: Final = 20 * MM
_A4: Final = (210 * MM, 297 * MM)
_LETTER: Final = (612.0, 792.0)
_LETTER_COUNTRIES: Final = frozenset("US CA MX CL CO CR DO GT HN NI PA PH PR SV VE".split())
_HOUSE_ACCENT: Final = "#23395B"

INK: Final = (0.11, 0.12, 0.14)
MUTED: Final = (0.42, 0.44, 0.47)
FAINT: Final = (0.82, 0.83, 0.85)
WHITE: Final = (1.0, 1.0, 1.0)
_READABLE: Final = 4.5  # WCAG 2.2, 1.4.3


@dataclass(frozen=True)
class Paper:
    """A sheet's size and the margins' edges, in points."""

    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge of what is printed."""
        return self.width - RIGHT

    @property
    def measure(self) -> float:
        """The width of what is printed."""
        return self.right - LEFT

    @property
    def folds(self) -> tuple[float, ...]:
        """Where a window envelope wants the fold (DIN 5008 B) and the punch, from the top."""
        is_a4 = (self.width, self.height) == _A4
        return (105 * MM, 148.5 * MM, 210 * MM) if is_a4 else ()


@dataclass(frozen=True)
class Theme:
    """The colours and styles of one seller's documents."""

    accent: Colour
    on_accent: Colour
    tint: Colour
    title: Style
    name: Style
    heading: Style
    lead: Style
    text: Style
    value: Style
    label: Style
    address: Style
    address_name: Style
    column: Style
    small: Style
    link: Style
    total: Style
    foot: Style
    foot_name: Style


def paper_for(country: str) -> Paper:
    """Letter where letters are written on it, A4 everywhere else."""
    return Paper(*(_LETTER if country in _LETTER_COUNTRIES else _A4))


@cache
def theme(accent: str | None) -> Theme:
    """The theme around the seller's `accent` (#1A2B3C), or the house's own."""
    colour = _parsed(accent or _HOUSE_ACCENT)
    readable = _readable(colour)
    plain, heavy = body(), strong()
    return Theme(
        accent=colour,
        on_accent=WHITE if _contrast(colour, WHITE) >= _contrast(colour, INK) else INK,
        tint=_mixed(colour, WHITE, 0.07),
        title=Style(heavy, 18, readable, strong=True),
        name=Style(heavy, 15, readable, strong=True),
        heading=Style(heavy, 9.6, readable, strong=True),
        lead=Style(heavy, 10.6, INK, strong=True),
        text=Style(plain, 8.8, INK),
        value=Style(heavy, 8.8, INK, strong=True),
        label=Style(plain, 8.8, MUTED),
        address=Style(plain, 10, INK),
        address_name=Style(heavy, 10, INK, strong=True),
        column=Style(heavy, 7.4, MUTED, strong=True),
        small=Style(plain, 7.6, MUTED),
        link=Style(plain, 7.6, readable),
        total=Style(heavy, 11.5, WHITE, strong=True),
        foot=Style(plain, 6.6, MUTED),
        foot_name=Style(heavy, 6.6, MUTED, strong=True),
    )


def _parsed(text: str) -> Colour:
    red, green, blue = (round(int(text[at : at + 2], 16) / 255, 4) for at in (1, 3, 5))
    return red, green, blue


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the one colour, the rest of the other."""
    red, green, blue = (
        round(a * share + b * (1 - share), 4) for a, b in zip(one, other, strict=True)
    )
    return red, green, blue


def _readable(colour: Colour) -> Colour:
    """`colour`, darkened until text in it reads well on white."""
    while _contrast(colour, WHITE) < _READABLE:
        colour = _mixed(colour, (0.0, 0.0, 0.0), 0.9)
    return colour


def _contrast(one: Colour, other: Colour) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    """Relative luminance (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB
        for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
