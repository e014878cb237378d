"""Where a drop goes, as far as tax needs to know: country and region, no names."""

import re
from dataclasses import dataclass
from typing import Final

from services.ingest.domain.element import Element

_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True, slots=True)
class Place:
    """ISO 3166 country and the region in it; None where the file does not say."""

    country: str | None = None
    region: str | None = None


def place_of(address: Element) -> Place:
    """The place of an `Address`: @CountryCode, or @Country where that is a code."""
    country = address.text("CountryCode") or address.text("Country") or ""
    known = country.upper() if _COUNTRY.fullmatch(country) else None
    region = address.text("Region") if known else None
    return Place(known, region[:64] if region else None)
