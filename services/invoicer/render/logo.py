"""The seller's logo: a PNG or JPEG from the document store, made ready for print once.

It is set on white, in RGB, at no more than 300 dots per inch, so that a poster-sized original
does not end up in every document.
"""

import io
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from PIL import Image, UnidentifiedImageError

from shared.errors import ColophonError

BOX: Final = (184.0, 51.0)  # points: 65 by 18 mm
_DOTS_PER_POINT: Final = 300 / 72
_PIXELS_MAX: Final = 40_000_000
_COLOURS_MAX: Final = 256
_FORMATS: Final = ("PNG", "JPEG")
_QUALITY: Final = 90


class LogoUnreadable(ColophonError):
    """The bytes are no PNG or JPEG of bearable size: put a proper one, and name it by sha256."""


@dataclass(frozen=True)
class Logo:
    """An image as the PDF holds it, and its size on paper in points."""

    content: bytes
    filter: str
    colours: str
    pixels: tuple[int, int]
    width: float
    height: float


@lru_cache(maxsize=64)
def prepare(content: bytes) -> Logo:
    """The logo in `content`; raises `LogoUnreadable`."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > _PIXELS_MAX:
                msg = f"{image.width} by {image.height} pixels are too many"
                raise LogoUnreadable(msg)
            photo = image.format == "JPEG"
            flat = _on_white(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise LogoUnreadable(str(error)) from error
    scale = min(BOX[0] / flat.width, BOX[1] / flat.height)
    width, height = flat.width * scale, flat.height * scale
    flat.thumbnail((round(width * _DOTS_PER_POINT), round(height * _DOTS_PER_POINT)))
    packed, method, colours = _jpeg(flat) if photo else _flate(flat)
    return Logo(packed, method, colours, flat.size, width, height)


def _on_white(image: Image.Image) -> Image.Image:
    drawn = image.convert("RGBA")
    white = Image.new("RGBA", drawn.size, "white")
    white.alpha_composite(drawn)
    return white.convert("RGB")


def _jpeg(image: Image.Image) -> tuple[bytes, str, str]:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue(), "DCTDecode", "/DeviceRGB"


def _flate(image: Image.Image) -> tuple[bytes, str, str]:
    """Drawn artwork: a palette where few colours are used, else RGB."""
    counted = image.getcolors(_COLOURS_MAX)
    if counted is None:
        return zlib.compress(image.tobytes(), 9), "FlateDecode", "/DeviceRGB"
    palette = sorted(colour for _, colour in counted if isinstance(colour, tuple))
    index = {bytes(colour): number for number, colour in enumerate(palette)}
    raw = image.tobytes()
    cells = bytes(index[raw[at : at + 3]] for at in range(0, len(raw), 3))
    table = b"".join(map(bytes, palette)).hex()
    space = f"[/Indexed /DeviceRGB {len(palette) - 1} <{table}>]"
    return zlib.compress(cells, 9), "FlateDecode", space
