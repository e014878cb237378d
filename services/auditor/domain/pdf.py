"""What the customer reads: the figures in the text of a PDF, compared to the cent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Final, TypeVar

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal

from services.auditor.domain.arithmetic import minor_unit
from services.auditor.domain.facts import Document, InvoiceKey
from services.auditor.domain.findings import Finding

T = TypeVar("T")
_SPACES: Final = re.compile(r"\s+")
_BEFORE: Final = re.compile(r"\d[.,'’]?$|[.,'’-]$")
_AFTER: Final = re.compile(r"[.,'’]?\d")
_FALLBACKS: Final = ("en_GB", "en_US", "en")


def spread(items: Sequence[T], count: int) -> list[T]:
    """`count` of `items`, evenly spread over them; all, where there are no more."""
    if count >= len(items):
        return list(items)
    return [items[place * len(items) // count] for place in range(count)]


def documents_say_what_was_issued(
    texts: Mapping[InvoiceKey, str], invoices: Mapping[InvoiceKey, Document]
) -> Iterator[Finding]:
    """A PDF shows number, net, taxes, gross, due date and payment reference as issued."""
    for key, text in texts.items():
        invoice = invoices.get(key)
        if invoice is None:
            continue
        shown = _SPACES.sub(" ", text)
        missing = min((_missing(shown, invoice, code) for code in _locales(invoice)), key=len)
        for what, expected in missing:
            look = f"the PDF of {key}"
            yield Finding(f"{invoice}, {what} in its PDF", expected, "not in the text", look)


def _locales(invoice: Document) -> list[str]:
    """In whose way the figures may be written: the buyer's, the seller's, or English."""
    wanted = (invoice.buyer_locale, invoice.seller_locale, *_FALLBACKS)
    return list(dict.fromkeys(code for code in wanted if _is_known(code)))


def _missing(shown: str, invoice: Document, code: str) -> list[tuple[str, str]]:
    """What does not stand in the text when it is written as in the locale `code`."""
    amounts = {
        "net": invoice.net_total,
        **{f"tax {tax.category}": tax.tax for tax in invoice.taxes},
        "gross": invoice.gross_total,
    }
    figures = {what: _money(amount, invoice.currency, code) for what, amount in amounts.items()}
    missing = [(what, figure) for what, figure in figures.items() if not _stands(shown, figure)]
    if invoice.number not in shown:
        missing.append(("number", invoice.number))
    if invoice.due_on and invoice.gross_total > 0:
        due = _SPACES.sub(" ", format_date(invoice.due_on, "long", code))
        missing += [] if due in shown else [("due date", due)]
        compact = shown.replace(" ", "")
        missing += [] if invoice.reference in compact else [("reference", invoice.reference)]
    return missing


def _stands(shown: str, figure: str) -> bool:
    """Whether `figure` stands in the text by itself, not as a part of a longer number."""
    at = shown.find(figure)
    while at >= 0:
        before, after = shown[max(0, at - 2) : at], shown[at + len(figure) :][:2]
        if not _BEFORE.search(before) and not _AFTER.match(after):
            return True
        at = shown.find(figure, at + 1)
    return False


def _money(amount: Decimal, currency: str, code: str) -> str:
    decimals = minor_unit(currency)
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    text = format_decimal(amount, _pattern(code, pattern), code, numbering_system="latn")
    return _SPACES.sub(" ", text).replace("\u2212", "-")


@cache
def _pattern(code: str, pattern: str) -> str:
    """`pattern` with the locale's own group sizes, as in 1,00,000."""
    sizes = Locale.parse(code).decimal_formats[None].grouping
    if sizes[0] != sizes[1]:
        return pattern.replace("#,##0", f"#,{'#' * sizes[1]},{'#' * (sizes[0] - 1)}0")
    return pattern


@cache
def _is_known(code: str) -> bool:
    try:
        Locale.parse(code)
    except (UnknownLocaleError, ValueError):
        return False
    return True
