"""The words on a document, by language, and which language a document is in."""

from typing import Final

from services.invoicer.domain.locales import nearest
from services.invoicer.render.words.base import Words
from services.invoicer.render.words.de import GERMAN
from services.invoicer.render.words.en import ENGLISH
from services.invoicer.render.words.fr import FRENCH

LANGUAGES: Final = {words.language: words for words in (ENGLISH, GERMAN, FRENCH)}
_ABROAD: Final = "en_GB"


def choose(buyer_locale: str, seller_locale: str, *, abroad: bool) -> tuple[Words, str]:
    """The words and the CLDR locale of a document.

    The buyer's language where we have it; else, for a buyer abroad, English; else the seller's
    where we have it; else English.
    """
    candidates = [buyer_locale, _ABROAD if abroad else seller_locale, seller_locale, _ABROAD]
    for candidate in candidates:
        locale = nearest(candidate)
        if locale.language in LANGUAGES:
            return LANGUAGES[locale.language], str(locale)
    return ENGLISH, _ABROAD
