"""What the simulated shop prints, and how each product is made."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

OFFSET, MONO, DIGITAL, WIDE = "XL106-5", "XL106-2", "HP7900", "LATEX800"
PROCESS: Final = ("Cyan", "Magenta", "Yellow", "Black")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a product that is printed by itself.

    `per_piece` is sheets (square metres on the wide-format printer) for one piece, `forms` how
    often the press is made ready, `grams` the ink of each separation on a thousand sheets (on a
    square metre); the digital press has no ink of its own, its hour includes it.
    """

    name: str
    device: str
    stocks: tuple[str, ...]
    per_piece: Decimal
    forms: int
    grams: Decimal = Decimal(0)
    separations: tuple[str, ...] = PROCESS
    ink: str = "INK-PROCESS"


@dataclass(frozen=True, slots=True)
class Product:
    """Something a customer orders: sections, and operations with their quantity for one piece."""

    english: str
    german: str
    product_class: str
    quantities: tuple[int, ...]
    sections: tuple[Section, ...]
    operations: tuple[tuple[str, Decimal], ...]
    pages: int = 2


def _per(pieces: int) -> Decimal:
    return Decimal(1) / Decimal(pieces)


_SILK: Final = ("PAP-SILK-135", "PAP-GLOSS-135", "PAP-SILK-170")
_TEXT: Final = ("PAP-OFFSET-90", "PAP-RECYCLED-100", "PAP-OFFSET-120")
_ONE: Final = Decimal(1)

FLYER: Final = Product(
    "A5 leaflet, 4/4 colours",
    "Flyer A5, 4/4-farbig",
    "leaflet",
    (10_000, 20_000, 25_000, 50_000, 100_000),
    (Section("sheet", OFFSET, _SILK, _per(32), 1, Decimal(620)),),
    (("CUT", _ONE),),
)
FOLDER: Final = Product(
    "DL leaflet, folded, 6 pages",
    "Faltblatt DIN lang, 6 Seiten",
    "leaflet",
    (5_000, 10_000, 20_000, 40_000),
    (Section("sheet", OFFSET, _SILK, _per(20), 1, Decimal(580)),),
    (("CUT", _ONE), ("FOLD", _ONE)),
    6,
)
BROCHURE: Final = Product(
    "A4 brochure, 16 pages, stitched",
    "Broschüre A4, 16 Seiten, geheftet",
    "brochure",
    (2_000, 4_000, 6_000, 10_000),
    (Section("text", OFFSET, _SILK, _ONE, 2, Decimal(700)),),
    (("FOLD", _ONE), ("STITCH", _ONE)),
    16,
)
CATALOGUE: Final = Product(
    "A4 catalogue, 48 pages and cover",
    "Katalog A4, 48 Seiten und Umschlag",
    "brochure",
    (3_000, 5_000, 8_000),
    (
        Section("text", OFFSET, _SILK, Decimal(3), 6, Decimal(690)),
        Section("cover", OFFSET, ("PAP-SILK-300",), _per(4), 1, Decimal(640)),
    ),
    (("FOLD", Decimal(3)), ("STITCH", _ONE)),
    52,
)
BOOK: Final = Product(
    "Softcover book, 192 pages",
    "Taschenbuch, 192 Seiten",
    "book",
    (1_000, 2_000, 3_000),
    (
        Section("text", MONO, _TEXT, Decimal(6), 12, Decimal(410), ("Black",)),
        Section("cover", OFFSET, ("BRD-GC1-300",), _per(8), 1, Decimal(660)),
    ),
    (("FOLD", Decimal(6)), ("PUR-BIND", _ONE), ("LAMINATE", _per(8))),
    196,
)
LETTERHEAD: Final = Product(
    "Letterhead A4, 2 spot colours",
    "Briefbogen A4, 2 Sonderfarben",
    "stationery",
    (5_000, 10_000, 20_000),
    (
        Section(
            "sheet", MONO, ("PAP-OFFSET-90",), _per(8), 1, Decimal(160), ("PMS 286", "PMS 430"),
            "INK-SPOT",
        ),
    ),
    (("CUT", _ONE),),
)  # fmt: skip
CARDS: Final = Product(
    "Business cards, 4/4 colours",
    "Visitenkarten, 4/4-farbig",
    "business-card",
    (250, 500, 1_000, 2_000),
    (Section("sheet", DIGITAL, ("PAP-DIGI-350",), _per(24), 1),),
    (("CUT", _ONE), ("ROUND-CORNER", _ONE)),
)
BOOKLET: Final = Product(
    "A5 booklet, 24 pages, digital",
    "Booklet A5, 24 Seiten, digital",
    "brochure",
    (100, 250, 500),
    (
        Section("text", DIGITAL, ("PAP-DIGI-120", "PAP-DIGI-170"), Decimal(3), 1),
        Section("cover", DIGITAL, ("PAP-DIGI-350",), Decimal("0.5"), 1),
    ),
    (("FOLD", Decimal(3)), ("STITCH", _ONE), ("CREASE", _ONE)),
    28,
)
MAILING: Final = Product(
    "Personalised letter A4, digital",
    "Personalisierter Brief A4, digital",
    "stationery",
    (1_000, 2_500, 5_000),
    (Section("sheet", DIGITAL, ("PAP-DIGI-120",), _per(2), 1),),
    (("CUT", _ONE), ("FOLD", _ONE)),
)
BANNER: Final = Product(
    "Banner 3 x 1 m with eyelets",
    "Banner 3 x 1 m mit Ösen",
    "sign",
    (5, 10, 20, 40),
    (Section("print", WIDE, ("MED-BANNER-510",), Decimal(3), 1, Decimal(7), ink="INK-LATEX"),),
    (("EYELET", Decimal(8)),),
    1,
)
STICKER: Final = Product(
    "Vinyl stickers, contour cut",
    "Aufkleber, konturgeschnitten",
    "sign",
    (200, 500, 1_000),
    (Section("print", WIDE, ("MED-VINYL-100",), _per(20), 1, Decimal(9), ink="INK-LATEX"),),
    (("ROUTE", Decimal("0.6")),),
    1,
)
PANEL: Final = Product(
    "Exhibition panel A1, foam board",
    "Ausstellungstafel A1, Leichtschaum",
    "sign",
    (6, 12, 24),
    (Section("print", WIDE, ("MED-FOAM-5",), _per(2), 1, Decimal(8), ink="INK-LATEX"),),
    (("ROUTE", Decimal(3)),),
    1,
)

WEIGHED: Final = (
    *(FLYER,) * 5,
    *(FOLDER,) * 4,
    *(BROCHURE,) * 4,
    *(CATALOGUE,) * 2,
    *(BOOK,) * 3,
    *(LETTERHEAD,) * 2,
    *(CARDS,) * 4,
    *(BOOKLET,) * 3,
    *(MAILING,) * 2,
    *(BANNER,) * 2,
    STICKER,
    PANEL,
)
"""Every product, as often as it is ordered among thirty-three jobs."""
LARGE: Final = (CATALOGUE, BOOK)
"""Products whose price is well above every absolute threshold."""
