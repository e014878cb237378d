"""The document as programs read it: figures, pages, fonts, links, always the same bytes."""

import io
import os
import re
import subprocess
import sys
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from services.invoicer.render import prepare, render_invoice
from services.invoicer.render.numbers import number_style
from services.simulator.logo import logo
from shared.events.billing import InvoiceIssued, LineKind
from shared.events.masterdata import BankAccount, BuyerKind, PaymentTerms
from tests.unit.invoicer.factory import (
    address,
    customer,
    entity,
    invoice,
    line,
    priced,
    rate_card_lines,
    tax_rule,
    variances,
)

ROOT = Path(__file__).resolve().parents[3]
LATE = "Wer zu spät zahlt, zahlt Zinsen."


@cache
def short() -> InvoiceIssued:
    """Six lines, discount, estimate: everything on one page."""
    terms = PaymentTerms(net_days=30, discount_percent=Decimal(2), discount_days=10)
    price = priced(
        *rate_card_lines(), variances=variances(), show_estimate=True, payment_terms=terms
    )
    return invoice(price, entity(late_payment_text=LATE))


@cache
def long() -> InvoiceIssued:
    """Sixty lines in English, some with long descriptions and change orders."""
    kinds = list(LineKind)[1:7]
    lines = [
        line(
            f"{1000 + number}.{number:02d}",
            number,
            kind=kinds[(number - 1) // 10],
            description=f"Item {number}: " + "coated silk, grain long, FSC " * (number % 5),
            change_order_ref="CO-17" if number > 50 else None,
        )
        for number in range(1, 61)
    ]
    buyer = customer(locale="en_GB")
    return invoice(priced(*lines), None, buyer)


@cache
def document(issued: InvoiceIssued) -> PdfReader:
    return PdfReader(io.BytesIO(render_invoice(issued, None).content), strict=True)


@cache
def pages(issued: InvoiceIssued) -> list[str]:
    return [page.extract_text() for page in document(issued).pages]


def test_every_figure_stands_there_as_a_word_of_its_own() -> None:
    issued = short()
    (page,) = pages(issued)
    words = page.split()
    numbers = number_style("de_DE")
    for amount in (
        issued.net_total,
        issued.tax_total,
        issued.gross_total,
        *(one.net for one in issued.lines),
        *(tax.net for tax in issued.taxes),
    ):
        assert numbers.money(amount, "EUR") in words, amount
    assert "1.198,62." in words  # after 2 % discount
    assert "DE89 3704 0044 0532 0130 00" in page
    assert "RF17 R202 6000 001" in page
    assert "Bitte zahlen Sie EUR 1.223,08 bis zum 2. April 2026." in page.replace("\u00a0", " ")
    assert LATE in page
    assert "Seite 1 von 1" in page
    assert "Angebot und tatsächlicher Aufwand" in page


def test_what_late_payment_means_is_said_in_the_language_of_the_document() -> None:
    seller = entity(late_payment_text=LATE)
    (page,) = pages(invoice(priced(line("10.00")), seller, customer(locale="en_GB")))
    assert LATE not in page
    assert "If payment has not arrived by the due date" in page


def test_a_deviation_that_rounds_to_nothing_has_no_sign() -> None:
    (first, *_) = variances()
    tiny = first.model_copy(update={"percent": Decimal("-0.04"), "difference": Decimal("-0.40")})
    (page,) = pages(invoice(priced(line("10.00"), variances=(tiny,), show_estimate=True), entity()))
    assert "0,0" in page.split()
    assert "-0,0" not in page


def test_a_long_invoice_carries_its_sums_over_every_break() -> None:
    issued, numbers = long(), number_style("en_GB")
    texts = pages(issued)
    assert len(texts) >= 3
    seen = 0
    for number, page in enumerate(texts, 1):
        assert f"Page {number} of {len(texts)}" in page
        lines_here = len(re.findall(r"Item \d+:", page))
        if number > 1 and "Description" in page:
            before = sum(one.net for one in issued.lines[:seen])
            assert f"Brought forward {numbers.money(Decimal(before), 'EUR')}" in page
            assert issued.invoice_number in page
        seen += lines_here
        if seen < 60:
            so_far = sum(one.net for one in issued.lines[:seen])
            assert f"Carried forward {numbers.money(Decimal(so_far), 'EUR')}" in page
    assert seen == 60
    assert numbers.money(issued.gross_total, "EUR") in texts[-1] + texts[-2]


def test_no_section_heading_ends_a_page_and_totals_never_stand_alone() -> None:
    texts = pages(long())
    for page in texts[:-1]:
        before = page.split("Carried forward")[0].strip().splitlines()[-1]
        assert before not in {"Materials", "Finishing", "Services", "Labour and machine time"}
    (with_total,) = [page for page in texts if "Net total" in page]
    assert "Item 60:" in with_total


def test_the_same_invoice_gives_the_same_bytes_in_any_process() -> None:
    mine = sha256(render_invoice(short(), prepare(logo("DE01").content)).content).hexdigest()
    again = sha256(render_invoice(short(), prepare(logo("DE01").content)).content).hexdigest()
    assert mine == again
    program = (
        "from hashlib import sha256\n"
        "from services.invoicer.render import prepare, render_invoice\n"
        "from services.simulator.logo import logo\n"
        "from shared.events.billing import InvoiceIssued\n"
        "import sys\n"
        "issued = InvoiceIssued.model_validate_json(sys.stdin.buffer.read())\n"
        "pdf = render_invoice(issued, prepare(logo('DE01').content)).content\n"
        "print(sha256(pdf).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=short().model_dump_json().encode(),
        capture_output=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "0"},
        timeout=120,
    )
    assert done.stdout.decode().strip() == mine


def look(thing: Any, *keys: object) -> Any:  # noqa: ANN401 -- pypdf types little of it
    """What a PDF holds under `keys`, references followed."""
    for key in keys:
        thing = thing[key].get_object()
    return thing


def test_the_file_says_what_it_is_in_which_language() -> None:
    reader = document(short())
    assert look(reader.trailer, "/Root", "/Lang") == "de-DE"
    assert look(reader.trailer, "/Root", "/ViewerPreferences", "/DisplayDocTitle").value is True
    assert reader.metadata is not None
    assert reader.metadata.title == "Rechnung R-2026-000001 – Druckhaus Spreebogen GmbH"
    assert reader.metadata.author == "Druckhaus Spreebogen GmbH"
    assert reader.metadata.creation_date == short().issued_at


def test_every_object_stands_where_the_file_says() -> None:
    content = render_invoice(long(), prepare(logo("DE01").content)).content
    table = content[int(content.split(b"startxref\n")[1].split()[0]) :].splitlines()
    offsets = [int(line.split()[0]) for line in table[3 : 2 + int(table[1].split()[1])]]
    assert len(offsets) == content.count(b" 0 obj\n")
    for number, offset in enumerate(offsets, 1):
        assert content[offset:].startswith(b"%d 0 obj\n" % number)
    referred = set(map(int, re.findall(rb"(\d+) 0 R", content)))
    assert referred == set(range(1, len(offsets) + 1))


def test_every_font_is_embedded_as_a_sound_subset() -> None:
    reader = document(short())
    fonts = look(reader.pages[0], "/Resources", "/Font")
    assert len(fonts) == 2
    for name in fonts:
        assert re.fullmatch(r"/[A-Z]{6}\+NotoSans-\w+", look(fonts, name, "/BaseFont"))
        file = look(fonts, name, "/DescendantFonts", 0, "/FontDescriptor", "/FontFile2")
        program = file.get_data()
        words = (program[at : at + 4] for at in range(0, len(program), 4))
        total = sum(int.from_bytes(word, "big") for word in words)
        assert total & 0xFFFFFFFF == 0xB1B0AFBA  # OpenType: the checksum of a whole font


def test_the_payment_link_can_be_clicked() -> None:
    reader = document(short())
    notes = look(reader.pages[0], "/Annots")
    assert [look(notes, n, "/A", "/URI") for n in range(len(notes))] == [short().payment_url]


def test_the_logo_is_drawn_once_and_the_name_set_where_there_is_none() -> None:
    with_logo = PdfReader(io.BytesIO(render_invoice(long(), prepare(logo("DE01").content)).content))
    assert [len(page.images) for page in with_logo.pages][:2] == [1, 0]
    name = "Druckhaus Spreebogen GmbH"
    assert pages(long())[0].count(name) > with_logo.pages[0].extract_text().count(name)


@pytest.mark.parametrize(
    ("currency", "net", "gross"),
    [("JPY", "1284500", "1,528,555"), ("KWD", "1235.000", "1,469.650")],
)
def test_currencies_with_no_or_three_decimals(currency: str, net: str, gross: str) -> None:
    account = BankAccount(account="0000-123", currency=currency)
    seller = entity(currency=currency, bank_accounts=(account,))
    issued = invoice(priced(line(net), currency=currency), seller, customer(locale="en_GB"))
    (page,) = pages(issued)
    assert f"{currency} {gross}" in page.replace("\u00a0", " ")
    assert "Account 0000-123" in page


def test_names_in_any_script_are_there_to_be_read() -> None:
    for name in (
        "Εκδόσεις Αιγαίο Α.Ε.",
        "Печатница Изгрев ООД",
        "株式会社さくら書房",
        "한빛 출판사",
    ):
        (page,) = pages(invoice(buyer=customer(name=name)))
        assert name in page
    rendered = render_invoice(invoice(buyer=customer(name="Raketen 🚀 AG")), None)
    assert rendered.missing == {"🚀"}


def test_an_exemption_says_on_what_it_rests() -> None:
    rules = (
        tax_rule(
            tax_rule_id="K",
            buyer_kind=BuyerKind.EU_BUSINESS,
            category="K",
            rate=Decimal(0),
            exemption_code="VATEX-EU-IC",
        ),
    )
    buyer = customer(vat_id="ATU12345675", address=address("AT"), locale="de_AT")
    issued = invoice(priced(line(ship_to_country="AT")), None, buyer, *rules)
    (page,) = pages(issued)
    assert "Steuerfreie innergemeinschaftliche Lieferung. (VATEX-EU-IC)" in " ".join(page.split())
    assert "ÖSTERREICH" in page
    assert "ATU12345675" in page


def test_addresses_are_written_as_their_country_does() -> None:
    american = customer(
        address=address("US", lines=("77 Market Street",), city="San Francisco", region="CA"),
        locale="en_US",
    )
    british = customer(address=address("GB", city="London", postal_code="WC1X 8PN"))
    export = tax_rule(buyer_kind=BuyerKind.EXPORT, category="G", rate=Decimal(0))
    (page,) = pages(invoice(priced(line(ship_to_country="US")), None, american, export))
    assert "San Francisco, CA 10245\nUNITED STATES" in page
    (page,) = pages(invoice(priced(line(ship_to_country="GB")), None, british, export))
    assert "London\nWC1X 8PN\nVEREINIGTES KÖNIGREICH" in page


def test_nothing_to_pay_asks_for_nothing() -> None:
    (page,) = pages(invoice(priced(line("0.00"))))
    assert "Es ist nichts zu zahlen." in page
    assert "IBAN" not in page.split("Gesamtbetrag")[1].split("Seite")[0]


def test_a_description_longer_than_a_page_goes_on_over_the_break() -> None:
    words = [f"w{number}" for number in range(330)]
    wordy = priced(line(description=" ".join(words)[:2000]), line("1.00", 2))
    text = " ".join(pages(invoice(wordy)))
    assert all(word in text.split() for word in words if word in wordy.lines[0].description.split())
    wide = priced(line(description="漢" * 2000))
    assert "".join(pages(invoice(wide))).count("漢") == 2000


def test_other_currencies_accounts_are_shown_with_theirs() -> None:
    (page,) = pages(invoice(priced(currency="USD"), None, customer(locale="en_GB")))
    assert "DE89 3704 0044 0532 0130 00 (EUR)" in page.replace("\u00a0", " ")
