"""What the simulated shop works with: materials, inks, devices, operations, and their rates.

One row per thing, in euro; other currencies take the row times a factor, so that every legal
entity knows the same codes. Rates are invented and plausible, nothing more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from shared.events.base import Unit
from shared.events.masterdata import RateLine
from shared.events.production import Component, PhaseStatus


@dataclass(frozen=True, slots=True)
class Item:
    """A material, ink, operation or service: what `per` units sell for and cost."""

    code: str
    component: Component
    unit: str
    price: Decimal
    cost: Decimal
    per: Decimal
    english: str
    german: str


@dataclass(frozen=True, slots=True)
class Device:
    """A machine: hourly selling price and cost, and how fast it is (units an hour)."""

    code: str
    price: Decimal
    cost: Decimal
    speed: Decimal
    english: str
    german: str


def _item(component: Component, unit: Unit, row: str) -> Item:
    code, price, cost, per, english, german = (part.strip() for part in row.split("|"))
    return Item(
        code, component, unit.value, Decimal(price), Decimal(cost), Decimal(per), english, german
    )


def _items(component: Component, unit: Unit, table: str) -> Iterator[Item]:
    return (_item(component, unit, row) for row in table.strip().splitlines())


_SHEETS: Final = """
PAP-SILK-135     | 0.085  | 0.061  | 1 | Silk coated 135 g/m², 70 x 100 cm      | Bilderdruck matt 135 g/m², 70 x 100 cm
PAP-SILK-170     | 0.108  | 0.078  | 1 | Silk coated 170 g/m², 70 x 100 cm      | Bilderdruck matt 170 g/m², 70 x 100 cm
PAP-SILK-300     | 0.192  | 0.141  | 1 | Silk coated 300 g/m², 70 x 100 cm      | Bilderdruck matt 300 g/m², 70 x 100 cm
PAP-GLOSS-135    | 0.087  | 0.062  | 1 | Gloss coated 135 g/m², 70 x 100 cm     | Bilderdruck glänzend 135 g/m², 70 x 100 cm
PAP-OFFSET-90    | 0.064  | 0.045  | 1 | Uncoated 90 g/m², 70 x 100 cm          | Offset weiß 90 g/m², 70 x 100 cm
PAP-OFFSET-120   | 0.082  | 0.058  | 1 | Uncoated 120 g/m², 70 x 100 cm         | Offset weiß 120 g/m², 70 x 100 cm
PAP-RECYCLED-100 | 0.076  | 0.055  | 1 | Recycled 100 g/m², 70 x 100 cm         | Recycling 100 g/m², 70 x 100 cm
BRD-GC1-300      | 0.214  | 0.158  | 1 | Folding boxboard 300 g/m², 70 x 100 cm | Chromokarton GC1 300 g/m², 70 x 100 cm
PAP-DIGI-120     | 0.042  | 0.026  | 1 | Digital uncoated 120 g/m², SRA3        | Digitaldruckpapier 120 g/m², SRA3
PAP-DIGI-170     | 0.058  | 0.037  | 1 | Digital silk 170 g/m², SRA3            | Digitaldruckpapier matt 170 g/m², SRA3
PAP-DIGI-350     | 0.118  | 0.079  | 1 | Digital board 350 g/m², SRA3           | Digitaldruckkarton 350 g/m², SRA3
"""  # noqa: E501 - a row is a line
_METRES: Final = """
MED-BANNER-510   | 6.40   | 3.10   | 1 | PVC banner 510 g/m²                    | PVC-Bannerplane 510 g/m²
MED-VINYL-100    | 7.90   | 4.05   | 1 | Self-adhesive vinyl 100 µm             | Selbstklebefolie 100 µm
MED-PHOTO-200    | 8.60   | 4.70   | 1 | Photo satin 200 g/m²                   | Fotopapier satiniert 200 g/m²
MED-FOAM-5       | 14.20  | 8.30   | 1 | Foam board 5 mm                        | Leichtschaumplatte 5 mm
"""  # noqa: E501 - a row is a line
_INKS: Final = """
INK-PROCESS      | 28.50  | 14.20  | 1 | Process ink                            | Skalenfarbe
INK-SPOT         | 46.00  | 24.80  | 1 | Spot colour ink                        | Sonderfarbe
INK-LATEX        | 118.00 | 71.00  | 1 | Latex ink                              | Latextinte
"""
_FINISHING: Final = """
FOLD             | 12.00  | 6.90   | 1000 | Folding                             | Falzen
CUT              | 4.80   | 2.70   | 1000 | Cutting                             | Schneiden
STITCH           | 38.00  | 22.50  | 1000 | Saddle stitching                    | Rückendrahtheftung
PUR-BIND         | 340.00 | 214.00 | 1000 | PUR binding                         | PUR-Klebebindung
CREASE           | 18.00  | 9.80   | 1000 | Creasing                            | Rillen
ROUND-CORNER     | 9.50   | 5.10   | 1000 | Rounding corners                    | Ecken runden
LAMINATE         | 96.00  | 58.00  | 1000 | Matt lamination                     | Folienkaschierung matt
EYELET           | 0.55   | 0.21   | 1    | Eyelets                             | Ösen
ROUTE            | 2.90   | 1.35   | 1    | Contour routing                     | Konturfräsen
"""  # noqa: E501 - a row is a line
_PIECES: Final = """
PLATE            | 9.80   | 5.60   | 1 | Printing plates                        | Druckplatten
PROOF            | 24.00  | 9.50   | 1 | Contract proof                         | Proof
AA-PAGE          | 15.00  | 7.40   | 1 | Author's alteration, per page          | Autorenkorrektur je Seite
PACK             | 3.20   | 1.60   | 1 | Packing, per carton                    | Verpackung je Karton
"""  # noqa: E501 - a row is a line
_CLICKS: Final = """
CLICK-4C         | 0.021  | 0.012  | 1 | Digital colour impressions             | Digitaldrucke farbig
"""  # noqa: E501 - a row is a line
_HOURS: Final = """
PREPRESS         | 72.00  | 41.00  | 1 | Prepress work                          | Druckvorstufe
"""
_OUTLAYS: Final = """
FREIGHT          | 85.00  | 85.00  | 1 | Freight                                | Fracht
POSTAGE          | 70.00  | 70.00  | 1 | Postage                                | Porto
"""
_HANDLING: Final = """
CSP-HANDLING     | 14.00  | 6.50   | 1000 | Handling of customer's paper        | Handhabung Kundenpapier
"""  # noqa: E501 - a row is a line

ITEMS: Final = {
    item.code: item
    for items in (
        _items(Component.SUBSTRATE, Unit.SHEET, _SHEETS),
        _items(Component.SUBSTRATE, Unit.SQUARE_METRE, _METRES),
        _items(Component.INK, Unit.KILOGRAM, _INKS),
        _items(Component.FINISHING, Unit.PIECE, _FINISHING),
        _items(Component.SERVICES, Unit.PIECE, _PIECES),
        _items(Component.MACHINE, Unit.PIECE, _CLICKS),
        _items(Component.SERVICES, Unit.HOUR, _HOURS),
        _items(Component.SERVICES, Unit.LUMP_SUM, _OUTLAYS),
        _items(Component.SERVICES, Unit.SHEET, _HANDLING),
    )
    for item in items
}


def _device(row: str) -> Device:
    code, price, cost, speed, english, german = (part.strip() for part in row.split("|"))
    return Device(code, Decimal(price), Decimal(cost), Decimal(speed), english, german)


DEVICES: Final = {
    device.code: device
    for device in map(
        _device,
        """
XL106-5  | 180.00 | 112.00 | 12000 | Sheetfed offset press, 5 colours | Bogenoffset 5 Farben
XL106-2  | 165.00 | 101.00 | 13000 | Sheetfed offset press, 2 colours | Bogenoffset 2 Farben
HP7900   | 96.00  | 58.00  | 1900  | Digital press, sheets            | Digitaldruck Bogen
LATEX800 | 84.00  | 46.00  | 28    | Wide-format printer              | Großformatdruck
""".strip().splitlines(),
    )
}

_STATUS: Final = (
    (PhaseStatus.SETUP, "make-ready", "Einrichten"),
    (PhaseStatus.RUN, "run", "Fortdruck"),
    (PhaseStatus.CLEANUP, "wash-up", "Waschen"),
    (PhaseStatus.STOPPED, "waiting", "Wartezeit"),
)


def rate_lines(factor: Decimal, language: str) -> tuple[RateLine, ...]:
    """The selling rates, times `factor`, described in `language` (de, otherwise English).

    Outlays (freight, postage) have none: they are passed through at cost.
    """
    return tuple(
        _line(item, item.price * factor, item.german if language == "de" else item.english)
        for item in ITEMS.values()
        if item.unit != Unit.LUMP_SUM
    ) + tuple(
        _hours(device, status, device.price * factor, words)
        for device in DEVICES.values()
        for status, words in _described(device, language)
    )


def cost_lines(factor: Decimal) -> tuple[RateLine, ...]:
    """What everything but outlays costs the shop, times `factor`."""
    return tuple(
        _line(item, item.cost * factor, item.english)
        for item in ITEMS.values()
        if item.unit != Unit.LUMP_SUM
    ) + tuple(
        _hours(device, status, device.cost * factor, words)
        for device in DEVICES.values()
        for status, words in _described(device, "en")
    )


def _described(device: Device, language: str) -> Iterator[tuple[PhaseStatus, str]]:
    for status, english, german in _STATUS:
        name, what = (device.german, german) if language == "de" else (device.english, english)
        yield status, f"{name}, {what}"


def _line(item: Item, rate: Decimal, words: str) -> RateLine:
    return RateLine(
        component=item.component,
        code=item.code,
        description=words,
        unit=item.unit,
        rate=rounded(rate),
        per=item.per,
    )


def _hours(device: Device, status: PhaseStatus, rate: Decimal, words: str) -> RateLine:
    return RateLine(
        component=Component.MACHINE,
        code=device.code,
        description=words,
        status=status,
        unit=Unit.HOUR,
        rate=rounded(rate),
    )


def rounded(rate: Decimal) -> Decimal:
    """A unit price as it stands on a rate card: four decimals."""
    return rate.quantize(Decimal("0.0001"))
