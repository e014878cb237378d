"""Which tax a line bears, and tax per category on the sum of rounded line nets."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.invoicer.domain.tax import (
    TaxCase,
    TaxedLine,
    TaxHold,
    buyer_kind,
    rules_in_force,
    subtotals,
    tax_lines,
)
from shared.events.billing import PricedLine, Reason
from shared.events.masterdata import BuyerKind, Customer, LegalEntity, TaxRule
from shared.money import minor_unit, round_money
from tests.unit.invoicer.factory import address, customer, entity, line, tax_rule

ON = date(2026, 3, 2)
GREEK_ID = "EL123456783"


def case(
    *rules: TaxRule, seller: LegalEntity | None = None, buyer: Customer | None = None
) -> TaxCase:
    return TaxCase(seller or entity(), buyer or customer(), rules or (tax_rule(),), ON)


def rule(kind: BuyerKind, category: str, rate: str = "0", **changes: object) -> TaxRule:
    name = f"{kind}-{changes.get('product_class', '*')}"
    fields: dict[str, object] = {"tax_rule_id": name, "buyer_kind": kind, "category": category}
    return tax_rule(**fields | {"rate": Decimal(rate)} | changes)


def categories(outcome: tuple[TaxedLine, ...] | TaxHold) -> list[str]:
    assert not isinstance(outcome, TaxHold), outcome
    return [one.rule.category for one in outcome]


def codes(outcome: tuple[TaxedLine, ...] | TaxHold) -> list[str]:
    assert isinstance(outcome, TaxHold)
    return [reason.code for reason in outcome.reasons]


# ---------------------------------------------------------------- who the buyer is


@pytest.mark.parametrize(
    ("home", "place", "changes", "expected"),
    [
        ("DE", "DE", {}, BuyerKind.DOMESTIC),
        ("DE", "DE", {"tax_exemption_ref": "X"}, BuyerKind.EXEMPT),
        ("DE", "DE", {"tax_exemption_ref": "X", "tax_exemption_until": ON}, BuyerKind.EXEMPT),
        (
            "DE",
            "DE",
            {"tax_exemption_ref": "X", "tax_exemption_until": date(2026, 3, 1)},
            BuyerKind.DOMESTIC,
        ),
        ("DE", "AT", {"vat_id": "ATU12345675"}, BuyerKind.EU_BUSINESS),
        ("DE", "GR", {"vat_id": GREEK_ID}, BuyerKind.EU_BUSINESS),
        ("DE", "AT", {"is_business": False, "vat_id": None}, BuyerKind.EU_CONSUMER),
        ("DE", "CH", {"vat_id": None}, BuyerKind.EXPORT),
        ("GB", "IE", {"vat_id": "IE1234567T"}, BuyerKind.EXPORT),
        ("JP", "AU", {"vat_id": None, "tax_exemption_ref": "X"}, BuyerKind.EXPORT),
    ],
)
def test_the_buyer_is_what_place_and_papers_make_it(
    home: str, place: str, changes: dict[str, object], expected: BuyerKind
) -> None:
    found = buyer_kind(place, case(seller=entity(address=address(home)), buyer=customer(**changes)))
    assert found is expected


@pytest.mark.parametrize(
    ("vat_id", "words"),
    [(None, "needs one"), ("ATU00000000", "no valid VAT id"), ("DE234567894", "seller's own")],
)
def test_a_business_abroad_without_a_proper_vat_id_is_held_by_name(
    vat_id: str | None, words: str
) -> None:
    found = buyer_kind("AT", case(buyer=customer(vat_id=vat_id)))
    assert isinstance(found, Reason)
    assert (found.code, words in found.text, "C-1001" in found.text) == (
        "vat-id-missing",
        True,
        True,
    )


def test_a_greek_seller_knows_its_own_prefix() -> None:
    greek = entity(address=address("GR"))
    found = buyer_kind("AT", case(seller=greek, buyer=customer(vat_id=GREEK_ID)))
    assert isinstance(found, Reason)


# ---------------------------------------------------------------- which rule


def test_goods_are_taxed_where_they_go() -> None:
    rules = (tax_rule(), rule(BuyerKind.EU_BUSINESS, "K"), rule(BuyerKind.EXPORT, "G"))
    buyer = customer(vat_id="ATU12345675", address=address("AT"))
    lines = [line(ship_to_country=country) for country in ("AT", "DE", "CH")]
    assert categories(tax_lines(lines, case(*rules, buyer=buyer))) == ["K", "S", "G"]


def test_services_to_a_business_are_taxed_where_it_sits() -> None:
    # given a class whose EU business buyer owes the tax, which makes it a service
    rules = (
        tax_rule(),
        rule(BuyerKind.EU_BUSINESS, "K"),
        rule(BuyerKind.EU_BUSINESS, "AE", product_class="printing-service"),
    )
    service = line(product_class="printing-service", ship_to_country="DE")
    austrian = customer(vat_id="ATU12345675", address=address("AT"))
    assert categories(tax_lines([service], case(*rules, buyer=austrian))) == ["AE"]
    # then a consumer's service is taxed at the seller's
    consumer = customer(vat_id=None, is_business=False, address=address("AT"))
    assert categories(tax_lines([service], case(*rules, buyer=consumer))) == ["S"]


def test_a_line_without_ship_to_follows_the_others_or_the_domestic_buyer() -> None:
    rules = (tax_rule(), rule(BuyerKind.EU_BUSINESS, "K"))
    austrian = customer(vat_id="ATU12345675", address=address("AT"))
    freight = line(line_no=2)
    together = [line(ship_to_country="AT"), freight]
    assert categories(tax_lines(together, case(*rules, buyer=austrian))) == ["K", "K"]
    assert categories(tax_lines([freight], case(*rules))) == ["S"]
    apart = [line(ship_to_country="AT"), line(ship_to_country="DE"), freight]
    assert codes(tax_lines(apart, case(*rules, buyer=austrian))) == ["ship-to-missing"]


def test_everything_that_is_missing_is_named_once() -> None:
    austrian = customer(vat_id=None, address=address("AT"))
    lines = [line(), line(line_no=2, ship_to_country="CH"), line(line_no=3, ship_to_country="CH")]
    lines = [*lines, line(line_no=4, ship_to_country="AT"), line(line_no=5, ship_to_country="FR")]
    outcome = tax_lines(lines, case(buyer=austrian))
    assert codes(outcome) == ["ship-to-missing", "tax-rule-missing", "vat-id-missing"]
    assert isinstance(outcome, TaxHold)
    assert "line 1" in outcome.reasons[0].text
    assert "EXPORT" in outcome.reasons[1].text


def test_the_closest_rule_holds() -> None:
    domestic = BuyerKind.DOMESTIC
    bavarian = entity(address=address(region="BY"))
    anywhere = tax_rule(tax_rule_id="1", rate=Decimal(19))
    regional = tax_rule(tax_rule_id="2", rate=Decimal(18), seller_region="BY")
    book = tax_rule(tax_rule_id="3", rate=Decimal(7), product_class="book")
    regional_book = tax_rule(
        tax_rule_id="4", rate=Decimal(6), product_class="book", seller_region="BY"
    )
    elsewhere = tax_rule(tax_rule_id="5", rate=Decimal(99), seller_region="BE")
    foreign = tax_rule(tax_rule_id="6", rate=Decimal(98), seller_country="AT")
    rules = (anywhere, regional, book, regional_book, elsewhere, foreign)
    lines = [line(), line(product_class="book")]

    def rates(seller: LegalEntity, *given: TaxRule) -> list[Decimal]:
        outcome = tax_lines(lines, case(*given, seller=seller))
        assert not isinstance(outcome, TaxHold)
        assert {one.buyer_kind for one in outcome} == {domestic}
        return [one.rule.rate for one in outcome]

    assert rates(bavarian, *rules) == [Decimal(18), Decimal(6)]
    assert rates(entity(), *rules) == [Decimal(19), Decimal(7)]
    assert rates(bavarian, anywhere, regional, book) == [Decimal(18), Decimal(7)]


def test_rules_that_contradict_each_other_hold_the_job() -> None:
    twice = (tax_rule(tax_rule_id="1"), tax_rule(tax_rule_id="2", rate=Decimal(7)))
    assert codes(tax_lines([line()], case(*twice))) == ["tax-rules-contradict"]
    agreeing = (tax_rule(tax_rule_id="1"), tax_rule(tax_rule_id="2"))
    assert categories(tax_lines([line()], case(*agreeing))) == ["S"]


def test_the_version_of_the_day_holds() -> None:
    raised = tax_rule(version=2, valid_from=date(2026, 3, 2), rate=Decimal(20))
    ended = tax_rule(tax_rule_id="other", version=3, valid_to=date(2026, 3, 1))
    assert rules_in_force([tax_rule(), raised, ended], ON) == (raised,)
    assert rules_in_force([tax_rule(), raised], date(2026, 3, 1)) == (tax_rule(),)


# ---------------------------------------------------------------- how much


def taxed(net: str, rate: str = "19", category: str = "S", **changes: object) -> TaxedLine:
    held = tax_rule(rate=Decimal(rate), category=category, **changes)
    return TaxedLine(line(net), BuyerKind.DOMESTIC, held)


def test_the_worked_figures_of_the_handbook() -> None:
    (tax,) = subtotals([taxed("1081.90"), taxed("-54.10")], "EUR")
    assert (tax.net, tax.tax) == (Decimal("1027.80"), Decimal("195.28"))
    (tax,) = subtotals([taxed("120000.00", "8")], "USD")
    assert tax.net + tax.tax == Decimal("129600.00")
    # tax on the rounded base, half up: 3.25 x 95.38 = 309.985, billed as 309.99
    (tax,) = subtotals([taxed("309.99", "21")], "EUR")
    assert tax.tax == Decimal("65.10")


def test_leaflets_and_cards_stand_on_one_invoice_highest_rate_first() -> None:
    taxes = subtotals([taxed("100.00", "0", "Z"), taxed("50.00", "20"), taxed("1.00", "5")], "GBP")
    assert [(tax.category, tax.tax) for tax in taxes] == [
        ("S", Decimal("10.00")),
        ("S", Decimal("0.05")),
        ("Z", Decimal(0)),
    ]


def test_reasons_of_exemption_are_kept_and_never_mixed_up() -> None:
    one = taxed("1.00", "0", "E", exemption_code="VATEX-EU-132", exemption_text="charity")
    same = taxed("2.00", "0", "E", exemption_code="VATEX-EU-132", exemption_text="charity")
    other = taxed("3.00", "0", "E", exemption_code="VATEX-EU-143", exemption_text="import")
    (tax,) = subtotals([one, same], "EUR")
    assert (tax.exemption_code, tax.exemption_text) == ("VATEX-EU-132", "charity")
    (tax,) = subtotals([one, other], "EUR")
    assert (tax.exemption_code, tax.exemption_text) == (None, "charity; import")
    (tax,) = subtotals([taxed("1.00", "0", "Z")], "EUR")
    assert (tax.exemption_code, tax.exemption_text) == (None, None)


NETS = st.decimals(-10_000, 10**13, places=0, allow_nan=False)
RATES = st.sampled_from([("S", "19"), ("S", "7"), ("S", "8.875"), ("Z", "0"), ("K", "0")])


@settings(max_examples=40)
@given(
    st.lists(st.tuples(NETS, RATES), min_size=1, max_size=12),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_taxes_add_up_whatever_is_sold(
    sold: list[tuple[Decimal, tuple[str, str]]], currency: str
) -> None:
    lines = [
        taxed(str(net.scaleb(-minor_unit(currency))), rate, category)
        for net, (category, rate) in sold
    ]
    taxes = subtotals(lines, currency)
    # every line is taxed exactly once
    assert sum(tax.net for tax in taxes) == sum(one.line.net for one in lines)
    assert len({(tax.category, tax.rate) for tax in taxes}) == len(taxes)
    for tax in taxes:
        exact = tax.net * tax.rate / 100
        assert tax.tax == round_money(tax.tax, currency)
        assert abs(tax.tax - exact) * 2 <= Decimal(1).scaleb(-minor_unit(currency))


def test_lines_keep_their_order() -> None:
    lines: list[PricedLine] = [line("1.00", 3), line("2.00", 1)]
    outcome = tax_lines(lines, case())
    assert not isinstance(outcome, TaxHold)
    assert [one.line for one in outcome] == lines
