"""The simulated houses and customers are such that real checks accept them."""

from collections import Counter
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from PIL import Image
from stdnum import iban
from stdnum.eu import vat
from stdnum.gb import vat as gb_vat

from services.simulator.catalogue import DEVICES, ITEMS
from services.simulator.logo import HEIGHT, WIDTH
from services.simulator.main import logos, master_data
from services.simulator.parties import HOUSES, NO_VAT_ID, PARTIES, House
from services.simulator.products import WEIGHED
from services.simulator.terms import AGREEMENTS, LAPSED, RATE_CARDS, RATES
from shared.events.masterdata import BuyerKind, Channel, Contact, Customer, TaxRule
from shared.money import is_money


@pytest.mark.parametrize("house", HOUSES.values(), ids=lambda house: str(house.id))
def test_a_house_has_a_place_a_language_and_an_account(house: House) -> None:
    entity = house.entity

    assert ZoneInfo(entity.time_zone).key == entity.time_zone
    assert str(Locale.parse(entity.locale)) == entity.locale
    assert entity.bank_accounts[0].currency == entity.currency
    assert all(iban.is_valid(a.account) for a in entity.bank_accounts if a.account[0].isalpha())


def test_vat_ids_have_the_right_check_digits() -> None:
    ids = [party.customer.vat_id for party in PARTIES.values() if party.customer.vat_id]
    ids += [house.entity.vat_id for house in HOUSES.values() if house.entity.vat_id]

    wrong = [v for v in ids if not (gb_vat.is_valid(v) if v[:2] == "GB" else vat.is_valid(v))]
    assert wrong == []
    assert len(ids) == len(set(ids)) > 10


def test_customers_are_of_every_kind() -> None:
    customers = [party.customer for party in PARTIES.values()]

    assert {c.address.country for c in customers} >= {
        "DE",
        "AT",
        "FR",
        "GR",
        "BG",
        "CH",
        "GB",
        "JP",
    }
    assert sum(not c.is_business for c in customers) >= 3
    assert sum(c.tax_exemption_ref is not None for c in customers) == 1
    assert {c.preferred_channel for c in customers} == {Channel.EMAIL, Channel.FILE_DROP}
    assert sum(not c.name.isascii() for c in customers) > 5
    assert PARTIES[NO_VAT_ID].customer.vat_id is None
    assert all(str(Locale.parse(c.locale)) == c.locale for c in customers)


def test_every_customer_has_a_contact_and_an_agreement_with_its_seller() -> None:
    contacts = {e.contact_id: e for e in master_data() if isinstance(e, Contact)}
    customers = [e for e in master_data() if isinstance(e, Customer)]

    for customer in customers:
        contact = contacts[customer.contact_id]
        assert contact.customer_id == customer.customer_id
        assert contact.email is not None
        assert contact.email.endswith(".example")
        agreement = AGREEMENTS[customer.customer_id]
        card = RATE_CARDS[PARTIES[customer.customer_id].seller]
        assert agreement.rate_card_id == card.rate_card_id
        assert agreement.currency == card.currency
    assert [c for c, a in AGREEMENTS.items() if a.valid_to] == [LAPSED]


def test_amounts_of_the_agreements_are_money() -> None:
    for agreement in AGREEMENTS.values():
        amounts = [t.absolute for t in agreement.thresholds]
        amounts += [agreement.minimum_charge] if agreement.minimum_charge else []
        assert all(is_money(amount, agreement.currency) for amount in amounts)


def test_whatever_is_printed_has_a_price() -> None:
    for house in HOUSES:
        known = {code for code, _ in RATES[house]}
        for product in WEIGHED:
            stocks = {stock for section in product.sections for stock in section.stocks}
            devices = {section.device for section in product.sections}
            operations = {code for code, _ in product.operations}
            assert stocks | devices | operations <= known
        assert all(line.rate > 0 for line in RATES[house].values())


def test_nothing_is_sold_below_cost() -> None:
    assert all(item.price >= item.cost for item in ITEMS.values())
    assert all(device.price > device.cost for device in DEVICES.values())


def test_tax_rules_say_one_thing_for_each_case() -> None:
    rules = [event for event in master_data() if isinstance(event, TaxRule)]
    cases = Counter((r.seller_country, r.product_class, r.buyer_kind) for r in rules)

    assert set(cases.values()) == {1}
    assert all((rule.rate > 0) == (rule.category == "S") for rule in rules)
    for country, kinds in {
        "DE": {"DOMESTIC", "EU_CONSUMER", "EU_BUSINESS", "EXPORT", "EXEMPT"},
        "GB": {"DOMESTIC", "EXPORT", "EXEMPT"},
        "JP": {"DOMESTIC", "EXPORT", "EXEMPT"},
    }.items():
        anything = {
            r.buyer_kind for r in rules if r.seller_country == country and r.product_class == "*"
        }
        assert anything == {BuyerKind(kind) for kind in kinds}


def test_logos_are_images_whose_bytes_never_change() -> None:
    found = logos()

    for logo in found:
        with Image.open(BytesIO(logo.content)) as image:
            image.verify()
        with Image.open(BytesIO(logo.content)) as image:
            assert image.size == (WIDTH, HEIGHT)
            assert len(image.convert("RGB").getcolors() or ()) == 5
    assert {logo.sha256 for logo in found} == {house.entity.logo for house in HOUSES.values()}
    assert found[0].sha256 == "74f9e60a8a849b32ce4aeab2e9532f08281b6610d5cb7bc7b5e49b909c857437"
