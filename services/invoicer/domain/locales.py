"""Locales as people write them, and the nearest that CLDR knows."""

from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError

from shared.errors import Invalid

_WORLD_ENGLISH: Final = "en_001"  # CLDR: English outside the United States


@lru_cache(maxsize=1024)
def nearest(code: str) -> Locale:
    """The CLDR locale of `code` (de_DE or de-DE), or of its language where the pair is unknown.

    Raises `Invalid` when CLDR does not know the language either.
    """
    written = code.replace("-", "_")
    language = written.split("_", maxsplit=1)[0]
    for candidate in (written, _WORLD_ENGLISH if language == "en" else language):
        try:
            return Locale.parse(candidate)
        except (UnknownLocaleError, ValueError):
            continue
    raise Invalid(
        "master-data-invalid", "locale must be one as in de_DE", field="locale", value=code
    )
