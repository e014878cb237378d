"""Who trades: three printing companies, their customers and the people there.

Everything is invented; mail goes to the reserved domain `.example`, and tax numbers only have
the right form. The same parties stand in every simulation, whatever its seed, so that two
simulations on one installation agree about them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from services.simulator.logo import logo
from shared.events.masterdata import (
    Address,
    BankAccount,
    Channel,
    Contact,
    Customer,
    LegalEntity,
    PaymentTerms,
)

FOUNDED: Final = date(2025, 1, 1)
RECORDED: Final = datetime(2024, 12, 2, 9, 0, tzinfo=UTC)

BERLIN, LONDON, OSAKA = "DE01", "GB01", "JP01"


@dataclass(frozen=True, slots=True)
class House:
    """A legal entity with what the simulation needs of it: `factor` turns euro into its money."""

    entity: LegalEntity
    factor: Decimal
    language: str

    @property
    def id(self) -> str:
        """The legal entity's id."""
        return self.entity.legal_entity_id


def _berlin() -> LegalEntity:
    return LegalEntity(
        legal_entity_id=BERLIN,
        version=1,
        valid_from=FOUNDED,
        recorded_at=RECORDED,
        name="Druckhaus Spreebogen GmbH",
        address=Address(
            lines=("Setzerstraße 12",), postal_code="10245", city="Berlin", country="DE"
        ),
        vat_id="DE123456788",
        tax_number="37/123/45678",
        registration="Amtsgericht Charlottenburg, HRB 123456 B · Geschäftsführung: Ada Lindner",
        email="rechnung@spreebogen.example",
        phone="+49 30 5550 120",
        website="www.spreebogen.example",
        currency="EUR",
        time_zone="Europe/Berlin",
        calendar_country="DE",
        calendar_subdivision="BE",
        locale="de_DE",
        invoice_series="R",
        bank_accounts=(
            BankAccount(
                account="DE89370400440532013000",
                bic="COBADEFFXXX",
                bank_name="Beispielbank Berlin",
                currency="EUR",
            ),
        ),
        payment_base_url="https://zahlen.spreebogen.example/r",
        late_payment_text=(
            "Nach Ablauf der Zahlungsfrist berechnen wir Verzugszinsen von neun Prozentpunkten über"
            " dem Basiszinssatz (bei Verbrauchern fünf) und bei Unternehmen pauschal 40 EUR"
            " (§ 288 BGB)."
        ),
        logo=logo(BERLIN).sha256,
        accent_colour="#0B5C7A",
    )


def _london() -> LegalEntity:
    return LegalEntity(
        legal_entity_id=LONDON,
        version=1,
        valid_from=FOUNDED,
        recorded_at=RECORDED,
        name="Clerkenwell Press Ltd",
        address=Address(
            lines=("4 Compositor Yard",), postal_code="EC1V 9ZZ", city="London", country="GB"
        ),
        vat_id="GB123456727",
        registration="Registered in England and Wales no. 01234567",
        email="accounts@clerkenwellpress.example",
        phone="+44 20 7946 0120",
        website="www.clerkenwellpress.example",
        currency="GBP",
        time_zone="Europe/London",
        calendar_country="GB",
        calendar_subdivision="ENG",
        locale="en_GB",
        invoice_series="INV",
        fiscal_year_start_month=4,
        bank_accounts=(
            BankAccount(
                account="GB29NWBK60161331926819",
                bic="NWBKGB2L",
                bank_name="Example Bank plc",
                currency="GBP",
            ),
        ),
        payment_base_url="https://pay.clerkenwellpress.example/i",
        late_payment_text=(
            "On late payment between businesses we charge statutory interest of 8 % a year over"
            " the Bank of England base rate, and fixed compensation."
        ),
        logo=logo(LONDON).sha256,
        accent_colour="#7A1F2B",
    )


def _osaka() -> LegalEntity:
    return LegalEntity(
        legal_entity_id=OSAKA,
        version=1,
        valid_from=FOUNDED,
        recorded_at=RECORDED,
        name="Naniwa Printing K.K.",
        address=Address(
            lines=("2-4-8 Katsuji, Chuo-ku",), postal_code="540-0000", city="Osaka", country="JP"
        ),
        tax_number="T1234567890123",
        registration="Corporate number 1234567890123",
        email="billing@naniwa-printing.example",
        phone="+81 6 5550 0120",
        website="www.naniwa-printing.example",
        currency="JPY",
        time_zone="Asia/Tokyo",
        calendar_country="JP",
        locale="en_GB",
        invoice_series="NP",
        fiscal_year_start_month=4,
        bank_accounts=(
            BankAccount(
                account="0000-123-1234567",
                bic="EXAMJPJT",
                bank_name="Example Bank, Osaka branch",
                currency="JPY",
            ),
        ),
        payment_base_url="https://pay.naniwa-printing.example/i",
        late_payment_text="Late payment bears 3 % interest a year (Civil Code, article 404).",
        logo=logo(OSAKA).sha256,
        accent_colour="#2F5D3A",
    )


HOUSES: Final = {
    house.id: house
    for house in (
        House(_berlin(), Decimal(1), "de"),
        House(_london(), Decimal("0.86"), "en"),
        House(_osaka(), Decimal(160), "en"),
    )
}

# id | seller | name | street | postal code | city | country | locale | VAT id | net days | kind |
# contact. Kinds: business, consumer, charity; a trailing "+drop" takes documents as files
_CUSTOMERS: Final = """
C-1001 | DE01 | Verlag Nordlicht GmbH | Hafenallee 3 | 20457 | Hamburg | DE | de_DE | DE234567894 | 30 | business | Marlene Voss
C-1002 | DE01 | Café Morgenrot e. K. | Kastanienweg 88 | 10435 | Berlin | DE | de_DE |  | 14 | business | Jonas Eberle
C-1003 | DE01 | Stadtwerke Havelland AG | Am Wasserwerk 1 | 14467 | Potsdam | DE | de_DE | DE345678906 | 30 | business+drop | Rechnungseingang
C-1004 | DE01 | Möbelhaus Grünwald & Söhne KG | Tischlergasse 5 | 01067 | Dresden | DE | de_DE | DE456789019 | 21 | business | Birgit Grünwald
C-1005 | DE01 | Theater am Ufer gGmbH | Uferpromenade 20 | 10997 | Berlin | DE | de_DE |  | 30 | business | Lena Petrović
C-1006 | DE01 | Jakob Sommer | Lindenstraße 14 | 10969 | Berlin | DE | de_DE |  | 14 | consumer | Jakob Sommer
C-1007 | DE01 | Alpenblick Tourismus GmbH | Seeweg 2 | 5020 | Salzburg | AT | de_AT | ATU12345675 | 30 | business | Katharina Huber
C-1008 | DE01 | Éditions du Canal SARL | 18 quai de Jemmapes | 75010 | Paris | FR | fr_FR | FR11123456782 | 30 | business | Camille Perrin
C-1009 | DE01 | Εκδόσεις Αιγαίο Α.Ε. | Οδός Ερμού 27 | 105 63 | Αθήνα | GR | el_GR | EL123456783 | 30 | business | Ελένη Παπαδοπούλου
C-1010 | DE01 | Печатница Изгрев ООД | бул. Витоша 41 | 1000 | София | BG | bg_BG | BG123456786 | 30 | business | Мария Димитрова
C-1011 | DE01 | Matterhorn Uhren AG | Bahnhofstrasse 77 | 8001 | Zürich | CH | de_CH |  | 30 | business | Reto Amstutz
C-1012 | DE01 | Anna Leitner | Mariahilfer Zeile 9 | 1070 | Wien | AT | de_AT |  | 14 | consumer | Anna Leitner
C-1013 | DE01 | Autohaus Prenzlau GmbH | Ringstraße 100 | 17291 | Prenzlau | DE | de_DE | DE567890129 | 7 | business | Torsten Mai
C-1014 | DE01 | Hanse Logistik SE | Speicherkai 40 | 28195 | Bremen | DE | de_DE | DE678901231 | 45 | business+drop | Kreditoren
C-1015 | DE01 | Småland Design AB | Storgatan 14 | 352 30 | Växjö | SE | sv_SE |  | 30 | business | Elin Lindqvist
C-2001 | GB01 | Marlowe & Finch Ltd | 22 Theobald Row | WC1X 8PN | London | GB | en_GB | GB234567805 | 30 | business | Priya Nair
C-2002 | GB01 | Thames Valley Museums Trust | 1 Riverside | RG1 8DB | Reading | GB | en_GB |  | 30 | charity | Owen Price
C-2003 | GB01 | Harbour Lane Bakery | 7 Harbour Lane | BN1 1AA | Brighton | GB | en_GB |  | 14 | business | Grace Okafor
C-2004 | GB01 | Northgate Estates plc | 300 Northgate | LS1 4AP | Leeds | GB | en_GB | GB345678912 | 30 | business+drop | Purchase Ledger
C-2005 | GB01 | Samuel Whitlock | 16 Orchard Close | BA1 2QT | Bath | GB | en_GB |  | 14 | consumer | Samuel Whitlock
C-2006 | GB01 | Liffey Brewing DAC | 9 Cooperage Street | D08 XY00 | Dublin | IE | en_IE | IE1234567T | 30 | business | Aoife Brennan
C-2007 | GB01 | Fjordline Cruises AS | Strandgaten 12 | 5013 | Bergen | NO | en_GB |  | 30 | business | Ingrid Solberg
C-2008 | GB01 | Peak Outdoor Ltd | Unit 6, Mill Park | S1 2HE | Sheffield | GB | en_GB | GB456789039 | 30 | business | Tom Ashworth
C-2009 | GB01 | Brightwater Academy | School Lane | M1 3BB | Manchester | GB | en_GB |  | 30 | business | Finance Office
C-3001 | JP01 | 株式会社さくら書房 | 本町1-2-3 | 541-0053 | 大阪市 | JP | ja_JP |  | 30 | business | 佐藤 恵
C-3002 | JP01 | Kitahama Coffee K.K. | 3-1 Kitahama | 541-0041 | Osaka | JP | en_GB |  | 30 | business | Kenji Mori
C-3003 | JP01 | Harbour City Gallery Pty Ltd | 5 Wharf Street | 2000 | Sydney | AU | en_AU |  | 30 | business | Chloe Tran
"""  # noqa: E501, RUF001 - a row is a line; the names are Greek


@dataclass(frozen=True, slots=True)
class Party:
    """A customer, the person who gets its documents, and the house it buys from."""

    customer: Customer
    contact: Contact
    seller: str

    @property
    def id(self) -> str:
        """The customer's id."""
        return self.customer.customer_id


def _parties() -> Iterator[Party]:
    for row in _CUSTOMERS.strip().splitlines():
        yield _party([part.strip() for part in row.split("|")])


def _party(fields: list[str]) -> Party:
    id_, seller, name, street, code, city, country, locale, vat_id, days, kind, person = fields
    kind, _, channel = kind.partition("+")
    customer = Customer(
        customer_id=id_,
        version=1,
        valid_from=FOUNDED,
        recorded_at=RECORDED,
        name=name,
        address=Address(lines=(street,), postal_code=code, city=city, country=country),
        is_business=kind != "consumer",
        vat_id=vat_id or None,
        tax_exemption_ref=f"{id_}-EXEMPT" if kind == "charity" else None,
        tax_exemption_until=date(2035, 12, 31) if kind == "charity" else None,
        category=kind,
        locale=locale,
        preferred_channel=Channel.FILE_DROP if channel else Channel.EMAIL,
        contact_id=f"P-{id_[2:]}",
        payment_terms=PaymentTerms(net_days=int(days)),
    )
    contact = Contact(
        contact_id=customer.contact_id,
        revision=1,
        customer_id=id_,
        recorded_at=RECORDED,
        name=person,
        email=f"invoices@{id_.lower()}.example",
        locale=locale,
    )
    return Party(customer, contact, seller)


PARTIES: Final = {party.id: party for party in _parties()}
NO_VAT_ID: Final = "C-1015"
"""A business in another member state that has not told its VAT id: its invoices wait for it."""
PROMPT: Final = "C-1013"
"""The customer with the shortest terms, whose invoices are the first to be overdue."""
