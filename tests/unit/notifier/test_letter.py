"""What customers read: the right language, figures as their locale writes them, a link to pay."""

from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifier.domain.letter import Demand, InvoiceFacts, facts_of, locale_of
from services.notifier.render.formats import day, grouped, is_iban, money, percent
from services.notifier.render.layout import as_html, as_text
from services.notifier.render.letter import SUBJECT_MAX, Letter, compose
from services.notifier.render.wording import WORDINGS
from shared.events.masterdata import BankAccount, PaymentTerms
from tests.invoices import ISSUED, SELLER, invoice

FACTS = facts_of(ISSUED)
NBSP = "\N{NO-BREAK SPACE}"


def demand(tone: str, open_amount: str = "1223.08", disputed: str = "0.00") -> Demand:
    return Demand(tone, 7, Decimal(open_amount), Decimal(disputed))


def letter(
    facts: InvoiceFacts = FACTS,
    asked: Demand | None = None,
    name: str = "Marlene Voss",
    locale: str = "de_DE",
) -> Letter:
    return compose(facts, asked, name, locale, "R-2026-000001.pdf")


def figures(of: Letter) -> dict[str, str]:
    return {figure.label: figure.value.replace(NBSP, " ") for figure in of.figures}


# ---------------------------------------------------------------- language and figures


@pytest.mark.parametrize(
    ("wishes", "locale"),
    [
        (("de_AT", "en_GB"), "de_AT"),
        (("de-CH",), "de_CH"),
        (("EN",), "en"),
        ((None, "en_US"), "en_US"),
        (("el_GR", "de_DE"), "de_DE"),
        (("ja_JP", "fr_FR"), "en_GB"),
        ((None, None), "en_GB"),
        ((), "en_GB"),
    ],
)
def test_the_first_wish_that_we_can_write_is_granted(
    wishes: tuple[str | None, ...], locale: str
) -> None:
    assert locale_of(*wishes) == locale


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "shown"),
    [
        ("1223.08", "EUR", "de_DE", f"1.223,08{NBSP}€"),
        ("1223.08", "EUR", "de_AT", f"€{NBSP}1.223,08"),
        ("1223.08", "GBP", "en_GB", "£1,223.08"),
        ("1234567", "JPY", "en_GB", "JP¥1,234,567"),
        ("0.500", "KWD", "en_GB", f"KWD{NBSP}0.500"),
        ("12.50", "AFN", "en_GB", f"AFN{NBSP}12.50"),
        ("1000000000000.00", "EUR", "de_DE", f"1.000.000.000.000,00{NBSP}€"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(
    amount: str, currency: str, locale: str, shown: str
) -> None:
    assert (
        money(Decimal(amount), currency, locale)
        .replace("D0", f"D{NBSP}0")
        .replace("N1", f"N{NBSP}1")
        == shown
    )


@given(
    st.decimals(0, 10**13, places=2), st.sampled_from(["de_DE", "de_AT", "de_CH", "en_GB", "en_US"])
)
def test_no_cent_is_lost_on_the_way_to_the_reader(amount: Decimal, locale: str) -> None:
    shown = money(amount, "EUR", locale)

    assert "".join(sign for sign in shown if sign.isdigit()).lstrip("0") == str(amount).replace(
        ".", ""
    ).lstrip("0")


def test_dates_have_their_month_in_words() -> None:
    assert day(date(2026, 3, 2), "de_DE") == f"2.{NBSP}März{NBSP}2026"
    assert day(date(2026, 3, 2), "en_GB") == f"2{NBSP}March{NBSP}2026"
    assert day(date(2026, 3, 2), "de_DEX") == f"2.{NBSP}März{NBSP}2026"


def test_percentages_have_no_needless_zeros() -> None:
    assert (percent(Decimal("2.000000"), "de_DE"), percent(Decimal("2.5"), "de_DE")) == ("2", "2,5")


def test_references_stand_in_groups_of_four() -> None:
    assert grouped("RF18539007547034") == "RF18 5390 0754 7034"
    assert is_iban("DE89 3704 0044 0532 0130 00")
    assert not is_iban("0000-123-1234567")


# ---------------------------------------------------------------- the invoice mail


def test_the_invoice_mail_in_german() -> None:
    text = as_text(letter())

    assert letter().subject == "Rechnung R-2026-000001 von Druckhaus Spreebogen GmbH"
    assert text.startswith("Guten Tag Marlene Voss,\n\nvielen Dank für Ihren Auftrag.")
    assert "„Programmheft Frühjahr“" in text
    assert figures(letter()) == {
        "Rechnungsnummer": "R-2026-000001",
        "Ihre Bestellung": "PO 4711",
        "Rechnungsdatum": "16. Februar 2026",
        "Fällig am": "2. März 2026",
        "Rechnungsbetrag": "1.223,08 €",
        "Verwendungszweck": "RF18 5390 0754 7034",
        "Überweisung": "IBAN DE89 3704 0044 0532 0130 00\nBIC COBADEFFXXX\nBeispielbank Berlin",
    }
    assert "Online bezahlen: https://zahlen.spreebogen.example/r/8c3c1a52" in text
    assert "Anhang: R-2026-000001.pdf" in text
    assert "USt-IdNr. DE123456788" in text


def test_the_invoice_mail_in_english() -> None:
    mail = letter(locale="en_GB")

    assert mail.subject == "Invoice R-2026-000001 from Druckhaus Spreebogen GmbH"
    assert as_text(mail).startswith("Dear Marlene Voss,\n\nThank you for your order.")
    assert figures(mail)["Invoice total"] == "€1,223.08"
    assert figures(mail)["Due date"] == "2 March 2026"


def test_early_payment_is_offered_where_it_was_agreed() -> None:
    terms = PaymentTerms(net_days=30, discount_percent=Decimal(2), discount_days=10)
    offered = letter(facts_of(invoice(payment_terms=terms)))

    assert figures(offered)["Skonto"] == (
        "1.198,62 € bei Zahlung bis 26. Februar 2026 (abzüglich 2 %)"
    )
    assert "Skonto" not in figures(letter())
    half = PaymentTerms(net_days=30, discount_percent=Decimal(2))
    assert "Skonto" not in figures(letter(facts_of(invoice(payment_terms=half))))


def test_the_day_of_early_payment_is_that_of_the_invoice() -> None:
    """Twelve days end on a Saturday: attachment and mail both say Monday."""
    terms = PaymentTerms(net_days=30, discount_percent=Decimal(2), discount_days=12)
    offered = letter(facts_of(invoice(payment_terms=terms)))

    assert "bis 2. März 2026" in figures(offered)["Skonto"]


def test_what_the_seller_has_not_stated_is_left_out() -> None:
    bare = SELLER.model_copy(
        update={
            "bank_accounts": (BankAccount(account="0000-123-1234567", currency="EUR"),),
            "phone": None,
            "email": None,
            "website": None,
            "registration": None,
            "vat_id": None,
            "accent_colour": None,
        }
    )
    mail = letter(facts_of(invoice(seller=bare, order_ref=None, payment_url=None)), name="")

    assert mail.greeting == "Sehr geehrte Damen und Herren,"
    assert figures(mail)["Überweisung"] == "Konto 0000-123-1234567"
    assert "Ihre Bestellung" not in figures(mail)
    assert mail.pay_url is None
    assert "Online bezahlen" not in as_text(mail) + as_html(mail)
    assert list(filter(None, mail.footer)) == [
        "Druckhaus Spreebogen GmbH · Setzerstraße 12 · 10245 Berlin · Deutschland"
    ]


def test_of_the_bank_accounts_those_in_the_invoices_currency_are_offered_or_else_all() -> None:
    euro = SELLER.bank_accounts[0]
    franc = euro.model_copy(update={"account": "CH9300762011623852957", "currency": "CHF"})
    seller = SELLER.model_copy(update={"bank_accounts": (euro, franc)})

    def offered(currency: str) -> list[str]:
        mail = letter(facts_of(invoice(currency=currency, seller=seller)))
        return [f.value[:9] for f in mail.figures if f.label == "Überweisung"]

    assert offered("CHF") == ["IBAN CH93"]
    assert offered("GBP") == ["IBAN DE89", "IBAN CH93"]


def test_lines_of_a_value_stand_below_each_other_in_both_alternatives() -> None:
    assert "0130 00\n                    BIC COBADEFFXXX\n" in as_text(letter())
    assert "0130 00<br>BIC COBADEFFXXX<br>" in as_html(letter())


def test_the_address_of_the_payment_page_can_be_read_in_both_alternatives() -> None:
    """A reader who does not trust buttons, or whose client drops them, can still see where to."""
    url = ISSUED.payment_url
    assert url is not None
    assert as_text(letter()).count(url) == 1
    assert as_html(letter()).count(f">{url}<") == 1


def test_without_an_attachment_none_is_named() -> None:
    assert "Anhang:" not in as_text(compose(FACTS, None, "Marlene Voss", "de_DE", None))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a.example/ b", "https://a.example/\nb", "mailto:a@b.c"]
)
def test_only_a_web_address_becomes_a_link(url: str) -> None:
    assert letter(facts_of(invoice(payment_url=url))).pay_url is None


# ---------------------------------------------------------------- reminders


@pytest.mark.parametrize("language", WORDINGS)
def test_every_language_has_every_tone(language: str) -> None:
    assert set(WORDINGS[language].reminders) == {"friendly", "firm", "escalation"}


@pytest.mark.parametrize(
    ("tone", "subject"),
    [
        ("friendly", "Zahlungserinnerung: Rechnung R-2026-000001 von Druckhaus Spreebogen GmbH"),
        ("firm", "Mahnung: Rechnung R-2026-000001 von Druckhaus Spreebogen GmbH, 1.223,08 €"),
        (
            "escalation",
            "Letzte Mahnung: Rechnung R-2026-000001 von Druckhaus Spreebogen GmbH, 1.223,08 €",
        ),
    ],
)
def test_reminders_grow_firmer(tone: str, subject: str) -> None:
    mail = letter(asked=demand(tone))

    assert mail.subject == subject
    assert mail.pay_url == ISSUED.payment_url
    assert ("Verzugszinsen" in as_text(mail)) == (tone != "friendly")


def test_a_reminder_asks_for_what_is_open_and_not_disputed() -> None:
    mail = letter(asked=demand("firm", open_amount="223.08", disputed="23.08"), locale="en_GB")

    assert figures(mail)["Already settled"] == "€1,000.00"
    assert figures(mail)["Under discussion, not asked for"] == "€23.08"
    assert figures(mail)["Please pay"] == "€200.00"
    assert [figure.label for figure in mail.figures if figure.is_strong] == ["Please pay"]
    assert "7 days overdue" in as_text(mail).replace("\n", " ")


def test_an_untouched_invoice_shows_neither_payments_nor_disputes() -> None:
    shown = figures(letter(asked=demand("friendly")))

    assert "Bereits beglichen" not in shown
    assert "In Klärung, nicht angefordert" not in shown


def test_terms_in_the_sellers_language_are_not_put_into_another() -> None:
    assert "Verzugszinsen" not in as_text(letter(asked=demand("firm"), locale="en_GB"))


def test_the_last_reminder_says_where_to_ring() -> None:
    silent = SELLER.model_copy(update={"phone": None})
    with_phone = as_text(letter(asked=demand("escalation"))).replace("\n", " ")
    without = as_text(letter(facts_of(invoice(seller=silent)), demand("escalation")))

    assert "persönlich bei uns: +49 30 5550 120." in with_phone
    assert "persönlich bei uns." in without.replace("\n", " ")


# ---------------------------------------------------------------- whatever people typed


OUR_TAGS = set("html head meta title style body table tr td h1 p br a span".split())


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)


typed = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200)


@settings(max_examples=30)
@given(typed, typed, typed)
def test_no_text_becomes_markup_or_breaks_the_subject(one: str, two: str, three: str) -> None:
    seller = SELLER.model_copy(update={"name": two, "phone": three})
    facts = facts_of(invoice(description=one, order_ref=three or None, seller=seller))
    mail = letter(facts, demand("escalation"), name=three)

    page = Tags()
    page.feed(as_html(mail))

    assert set(page.tags) <= OUR_TAGS
    assert len(mail.subject) <= SUBJECT_MAX
    assert mail.subject.splitlines() in ([], [mail.subject])


@pytest.mark.parametrize(
    ("colour", "shown", "on_it"),
    [
        ("#0B5C7A", "#0B5C7A", "#ffffff"),
        ("#FFE680", "#FFE680", "#1f2933"),
        ("red;background:url(x)", "#334155", "#ffffff"),
    ],
)
def test_the_sellers_colour_is_used_when_it_is_one(colour: str, shown: str, on_it: str) -> None:
    seller = SELLER.model_copy(update={"accent_colour": colour})

    assert f"background:{shown};color:{on_it}" in as_html(letter(facts_of(invoice(seller=seller))))
