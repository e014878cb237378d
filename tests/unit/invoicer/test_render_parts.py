"""The parts of rendering: numbers, lines of text, pages, QR cells, logos, words, theme."""

import io
from datetime import date
from decimal import Decimal

import pytest
import segno
from babel.numbers import format_decimal
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.invoicer.render.cells import MASK, VERSION_MAX, cells, version_for
from services.invoicer.render.faces import REPLACEMENT, body, strong
from services.invoicer.render.logo import BOX, LogoUnreadable, prepare
from services.invoicer.render.numbers import country_name, long_date, number_style
from services.invoicer.render.pages import Extent, Room, paginate
from services.invoicer.render.qr import payment_code, transfer_payload
from services.invoicer.render.text import cleaned, shape, wrap
from services.invoicer.render.theme import paper_for, theme
from services.invoicer.render.words import LANGUAGES, choose
from shared.events.billing import LineKind
from shared.events.masterdata import BankAccount
from shared.events.production import Component
from tests.unit.invoicer.factory import EUR_ACCOUNT, entity, invoice, line, priced

# ---------------------------------------------------------------- numbers


@settings(max_examples=60)
@given(
    st.decimals(-(10**12), 10**12, places=3, allow_nan=False),
    st.sampled_from("de_DE en_GB en_US en_IN fr_FR de_CH es_ES pl_PL ja_JP ar_EG hi_IN".split()),
)
def test_numbers_are_written_as_cldr_says(value: Decimal, locale: str) -> None:
    theirs = format_decimal(
        value, locale=locale, decimal_quantization=False, numbering_system="latn"
    )
    plain = str.maketrans({"\u2212": "-", "\u200e": None, "\u200f": None, "\u061c": None})
    assert number_style(locale).shortest(value) == theirs.translate(plain)


def test_money_has_the_decimals_of_its_currency() -> None:
    german, english = number_style("de_DE"), number_style("en_GB")
    assert german.money(Decimal("1223.08"), "EUR") == "1.223,08"
    assert english.money(Decimal("-54.1"), "EUR") == "-54.10"
    assert english.money(Decimal(1412950), "JPY") == "1,412,950"
    assert english.money(Decimal("1234.567"), "KWD") == "1,234.567"
    assert (german.rate(Decimal(19)), english.rate(Decimal("8.875"))) == ("19\u00a0%", "8.875%")
    assert english.shortest(Decimal("0.0850"), 2) == "0.085"
    assert english.shortest(Decimal(180), 2) == "180.00"


def test_dates_and_countries_are_written_in_words() -> None:
    assert long_date(date(2026, 3, 7), "de_DE") == "7. März 2026"
    assert long_date(date(2026, 3, 7), "en_US") == "March 7, 2026"
    assert (country_name("DE", "fr"), country_name("QX", "fr")) == ("Allemagne", "QX")


# ---------------------------------------------------------------- text


@settings(max_examples=60)
@given(st.text("ab ä–漢字、 \n", max_size=80), st.floats(20, 200))
def test_wrapping_loses_nothing_but_spaces_and_fits(text: str, width: float) -> None:
    lines = wrap(text, body(), 10, width)
    assert "".join("".join(lines).split()) == "".join(cleaned(text).split())
    for one in lines:
        assert shape(one, body()).width * 10 <= width + 0.01 or len(one) == 1


def test_east_asian_lines_never_begin_with_a_closing_mark() -> None:
    lines = wrap("四季の写真集、四季の写真集、四季の写真集。", body(), 10, 61)
    assert len(lines) > 3
    assert not any(one.startswith(("、", "。")) for one in lines)


@pytest.mark.parametrize(
    ("text", "faces"),
    [
        ("Möbelhaus & Söhne", ["NotoSans-SemiBold"]),
        ("Εκδόσεις Αιγαίο, Печатница", ["NotoSans-SemiBold"]),
        ("株式会社さくら", ["DroidSansFallback"]),
        ("한빛 Press", ["DroidSansFallback", "NotoSans-SemiBold"]),
        ("דפוס", ["NotoSansHebrew-Regular"]),
        ("مطبعة", ["NotoSansArabic-Regular"]),
    ],
)
def test_every_script_on_board_finds_its_face(text: str, faces: list[str]) -> None:
    shaped = shape(text, strong())
    assert sorted({run.face.name for run in shaped.runs}) == sorted(faces)
    assert not shaped.missing
    assert shaped.width > 0


def test_what_no_face_has_is_shown_and_named() -> None:
    shaped = shape("Raketen 🚀 AG", body())
    assert shaped.missing == {"🚀"}
    assert "".join(run.text for run in shaped.runs) == f"Raketen {REPLACEMENT} AG"


def test_right_to_left_text_is_ordered_joined_and_mirrored() -> None:
    # Hebrew: letters reversed, the number kept, brackets mirrored twice and so unchanged
    drawn = "".join(run.text for run in shape("ספר (2026)", body()).runs)
    assert drawn == "(2026) רפס"
    # Arabic: joined letters are presentation forms; quotes open to the right
    shaped = shape("«كتاب»", body())
    drawn = "".join(run.text for run in shaped.runs)
    assert drawn[0] == "«"
    assert drawn[-1] == "»"
    assert all("\ufe70" <= one <= "\ufeff" for one in drawn[1:-1])
    assert shaped.logical == "«كتاب»"


def test_invisible_characters_go_and_combining_ones_compose() -> None:
    assert cleaned("A\u00addieu\u200b\x07\tu\u0308") == "Adieu ü"
    assert cleaned("five \u2212 2") == "five - 2"


# ---------------------------------------------------------------- pages

ROOM = Room(first=100, other=150, carry=10, head=20)
EXTENTS = st.builds(Extent, st.floats(1, 60), keep_next=st.booleans(), in_table=st.booleans())


@given(st.lists(EXTENTS, min_size=1, max_size=40))
def test_every_row_stands_on_one_page_in_order_and_fits(rows: list[Extent]) -> None:
    pages = paginate(rows, ROOM)
    assert [page.start for page in pages[1:]] == [page.end for page in pages[:-1]]
    assert (pages[0].start, pages[-1].end) == (0, len(rows))
    for number, page in enumerate(pages):
        assert page.start < page.end
        used = sum(row.height for row in rows[page.start : page.end])
        if number and rows[page.start].in_table:
            used += ROOM.head
        if page.end < len(rows) and rows[page.end].in_table:
            used += ROOM.carry
        fits = used <= (ROOM.other if number else ROOM.first) + 1e-6
        assert fits or page.end == page.start + 1 or number == 0


@given(st.lists(EXTENTS, min_size=2, max_size=40))
def test_rows_that_cling_together_part_only_when_higher_than_a_page(rows: list[Extent]) -> None:
    highest = ROOM.other - ROOM.head - ROOM.carry
    for page in paginate(rows, ROOM)[:-1]:
        if rows[page.end - 1].keep_next:
            begin = end = page.end
            while begin > 0 and rows[begin - 1].keep_next:
                begin -= 1
            while end < len(rows) and rows[end].keep_next:
                end += 1
            assert sum(row.height for row in rows[begin : end + 1]) > highest


def test_a_heading_is_never_the_last_row_of_a_page() -> None:
    heading = Extent(10, keep_next=True, in_table=True)
    rows = [Extent(10, in_table=True)] * 9 + [heading, Extent(10, in_table=True)]
    first, second = paginate(rows, ROOM)
    assert (first.end, second.start) == (9, 9)


# ---------------------------------------------------------------- QR


@pytest.mark.parametrize("version", range(1, VERSION_MAX + 1))
def test_cells_are_those_of_segno(version: int) -> None:
    """Full symbols: segno pads a shorter payload with one more zero byte than the standard."""
    length = next(n for n in range(400, 0, -1) if version_for(n) == version)
    payload = bytes(97 + n * 7 % 26 for n in range(length))
    made = segno.make_qr(
        payload.decode(), version=version, error="m", mask=MASK, boost_error=False, mode="byte"
    )
    count, rows = cells(payload, version)
    found = [[row[x >> 3] >> (7 - x % 8) & 1 for x in range(count)] for row in rows]
    assert found == [list(map(int, row)) for row in made.matrix]


def test_a_short_payload_is_padded_as_the_standard_says() -> None:
    """ISO/IEC 18004 7.4.10: terminator, then 0xEC and 0x11 in turn."""
    count, rows = cells(b"abc", 1)
    assert (count, len(rows)) == (21, 21)
    assert version_for(10**6) is None


def test_a_euro_invoice_is_paid_by_sepa_transfer() -> None:
    issued = invoice(priced(line("1027.80")))
    payload = transfer_payload(issued, EUR_ACCOUNT)
    assert payload is not None
    assert payload.split("\n") == [
        "BCD", "002", "1", "SCT", "COBADEFFXXX", "Druckhaus Spreebogen GmbH",
        "DE89370400440532013000", "EUR1223.08", "", "RF17R2026000001",
    ]  # fmt: skip
    code = payment_code(issued, EUR_ACCOUNT)
    assert code is not None
    assert code.transfer


@pytest.mark.parametrize(
    ("currency", "account"),
    [
        ("GBP", EUR_ACCOUNT),
        ("EUR", BankAccount(account="12345", currency="EUR")),
        ("EUR", BankAccount(account=EUR_ACCOUNT.account, currency="USD")),
        ("EUR", None),
    ],
)
def test_any_other_invoice_is_paid_by_its_link(currency: str, account: BankAccount | None) -> None:
    code = payment_code(invoice(priced(currency=currency)), account)
    assert code is not None
    assert not code.transfer


def test_there_is_no_code_where_there_is_nothing_to_pay_or_no_way() -> None:
    assert payment_code(invoice(priced(line("0.00"))), EUR_ACCOUNT) is None
    no_link = invoice(priced(currency="GBP"), entity(payment_base_url=None))
    assert payment_code(no_link, None) is None
    long = invoice(priced(currency="GBP"), entity(payment_base_url=f"https://{'x' * 900}.example"))
    assert payment_code(long, None) is None


# ---------------------------------------------------------------- logos


def image(mode: str, size: tuple[int, int], form: str = "PNG", colour: object = 0) -> bytes:
    out = io.BytesIO()
    made = Image.new(mode, size, colour)  # type: ignore[arg-type]
    if mode == "RGB" and form == "PNG":
        made.putdata([(n % 256, n // 256 % 256, 7) for n in range(size[0] * size[1])])
    made.save(out, form)
    return out.getvalue()


def test_a_logo_is_flat_small_and_in_its_box() -> None:
    clear = prepare(image("RGBA", (400, 100), colour=(0, 0, 0, 0)))
    assert clear.colours.startswith("[/Indexed /DeviceRGB 0 <ffffff>")
    assert (clear.width, clear.height) == (BOX[0], BOX[0] / 4)
    tall = prepare(image("L", (100, 4000)))
    assert tall.height == BOX[1]
    assert tall.pixels[1] <= BOX[1] * 300 / 72 + 1
    many = prepare(image("RGB", (64, 64)))
    assert (many.filter, many.colours) == ("FlateDecode", "/DeviceRGB")
    photo = prepare(image("CMYK", (640, 480), "JPEG"))
    assert (photo.filter, photo.content[:2]) == ("DCTDecode", b"\xff\xd8")


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", image("L", (9, 9), "GIF"), image("1", (7000, 7000))]
)
def test_what_is_no_bearable_picture_is_refused(content: bytes) -> None:
    with pytest.raises(LogoUnreadable):
        prepare(content)


# ---------------------------------------------------------------- words, theme


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_says_everything(language: str) -> None:
    words = LANGUAGES[language]
    assert set(words.sections) == set(LineKind)
    assert set(words.components) == set(Component)
    assert set(words.exemptions) == {"Z", "E", "AE", "K", "G", "O"}
    assert set(words.units) == set(LANGUAGES["en"].units)
    assert words.unit("XYZ") == "XYZ"
    assert words.page.format(page=1, pages=2) != words.page


@pytest.mark.parametrize(
    ("buyer", "seller", "abroad", "expected"),
    [
        ("de_DE", "en_GB", True, ("de", "de_DE")),
        ("fr-FR", "de_DE", True, ("fr", "fr_FR")),
        ("el_GR", "de_DE", True, ("en", "en_GB")),
        ("tr_TR", "de_DE", False, ("de", "de_DE")),
        ("ja_JP", "ja_JP", False, ("en", "en_GB")),
        ("en_KW", "ja_JP", False, ("en", "en_001")),
    ],
)
def test_a_document_is_in_the_buyers_language_or_the_next_best(
    buyer: str, seller: str, expected: tuple[str, str], *, abroad: bool
) -> None:
    words, locale = choose(buyer, seller, abroad=abroad)
    assert (words.language, locale) == expected


def test_colours_stay_readable() -> None:
    yellow = theme("#F2C14E")
    assert yellow.on_accent != (1.0, 1.0, 1.0)
    assert yellow.title.colour < yellow.accent
    assert theme("#0B5C7A").on_accent == (1.0, 1.0, 1.0)
    assert theme(None).accent == theme("#23395B").accent


def test_paper_is_that_of_the_sellers_country() -> None:
    assert (paper_for("US").width, paper_for("US").folds) == (612.0, ())
    assert len(paper_for("DE").folds) == 3
