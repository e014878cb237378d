"""The figures in a document's text, written as its reader writes them."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.auditor.domain.facts import Document, InvoiceKey, Tax, document
from services.auditor.domain.pdf import documents_say_what_was_issued, spread
from shared.events.billing import InvoiceIssued
from tests.unit.auditor.world import TEXT, issued, records

KEY = InvoiceKey("DE01", issued().invoice_id)


def invoice(**changes: Any) -> Document:  # noqa: ANN401 - any field of the event
    event: InvoiceIssued = issued(**changes)
    return document(records([event])[0], is_invoice=True)


def missing(text: str, known: Document | None = None) -> list[str]:
    found = documents_say_what_was_issued({KEY: text}, {KEY: known or invoice()})
    return [finding.subject.partition(", ")[2] for finding in found]


def test_a_document_that_says_it_all() -> None:
    assert missing(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("1.223,08", "1.223,09", "gross in its PDF"),
        ("195,28", "1.195,28", "tax S in its PDF"),
        ("195,28", "195,281", "tax S in its PDF"),
        ("Nettosumme 1.027,80", "Nettosumme -1.027,80", None),
        ("1.027,80", "-1.027,80", "net in its PDF"),
        ("2. März 2026", "3. März 2026", "due date in its PDF"),
        ("Rechnung R-2026-000001", "Rechnung R-2026-000002", "number in its PDF"),
        ("RF", "RX", "reference in its PDF"),
    ],
)
def test_each_figure_is_looked_for_by_itself(old: str, new: str, what: str | None) -> None:
    assert missing(TEXT.replace(old, new)) == ([what] if what else [])


def test_figures_may_be_written_in_english_where_the_locale_is_unknown() -> None:
    said = invoice()
    seller, buyer = "xx", "not a locale"
    strange = Document(**{**_fields(said), "seller_locale": seller, "buyer_locale": buyer})
    text = TEXT.replace("1.027,80", "1,027.80").replace("1.223,08", "1,223.08")
    text = text.replace("195,28", "195.28").replace("2. März 2026", "2 March 2026")
    assert missing(text, strange) == []


def test_a_currency_without_decimals_and_groups_of_two() -> None:
    # Given yen for an Indian reader, and nothing to pay but the figures
    strange = Document(
        **{
            **_fields(invoice()),
            "currency": "JPY",
            "net_total": Decimal(1234567),
            "tax_total": Decimal(0),
            "gross_total": Decimal(1234567),
            "taxes": (Tax("Z", Decimal(0), Decimal(1234567), Decimal(0)),),
            "buyer_locale": "en_IN",
            "seller_locale": "en_IN",
            "due_on": date(2026, 3, 2),
        }
    )
    text = f"R-2026-000001 12,34,567 0 2 March 2026 {strange.reference}"
    assert missing(text, strange) == []


def test_what_asks_for_nothing_needs_no_date_and_no_reference() -> None:
    free = Document(**{**_fields(invoice()), "gross_total": Decimal(0), "taxes": ()})
    assert missing("R-2026-000001 1.027,80 0,00", free) == []


def test_a_sample_is_spread_evenly() -> None:
    assert spread(range(10), 4) == [0, 2, 5, 7]
    assert spread([1, 2], 5) == [1, 2]


def _fields(known: Document) -> dict[str, Any]:
    return {name: getattr(known, name) for name in known.__slots__}
