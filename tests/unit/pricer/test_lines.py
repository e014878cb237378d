"""Which lines a job has: merged, divided by what tax must see apart, discounted, lifted."""

from decimal import Decimal

import pytest

from services.pricer import domain
from shared.events.billing import JobPriced, LineKind, Path
from shared.events.masterdata import Agreement, Basis
from shared.events.production import Attribution, Cause, Component, Metric, PhaseStatus
from tests.unit.pricer.builders import (
    ALTERED,
    FIXED,
    HOURS,
    KG,
    PIECES,
    RATES,
    REWORK,
    SHEETS,
    WORKED,
    D,
    agreement,
    codes,
    customer,
    delivery,
    estimate,
    item,
    job,
    line,
    metric,
    nets,
    outlay,
    quote,
    quoted,
    rate,
    rate_card,
    terms,
)

FREE = agreement(needs_estimate=False)
MIXED = (
    item(6_000, item_id="1"),
    item(4_000, item_id="2", product_class="business-card", description="Card"),
)


def priced_on_actuals(*metrics: Metric, deal: Agreement = FREE, **changes: object) -> JobPriced:
    done = job(metrics, estimate_ref=None, **changes)
    return domain.price(done, terms(deal), 1)


def test_separations_of_one_ink_are_one_line() -> None:
    separations = [metric(Component.INK, "INK", KG, each) for each in ("0.8", "0.9", "1.0", "0.7")]

    priced = priced_on_actuals(*separations)

    assert nets(priced) == ["96.90"]
    assert priced.lines[0].quantity == D("3.4")


def test_work_on_a_change_order_stands_apart_from_the_rest() -> None:
    approved = Attribution(change_order_ref="CO-9")
    fold = [
        metric(Component.FINISHING, "FOLD", PIECES, "1000"),
        metric(Component.FINISHING, "FOLD", PIECES, "500", attribution=approved),
        metric(Component.FINISHING, "FOLD", PIECES, "250", attribution=ALTERED),
    ]

    priced = priced_on_actuals(*fold)

    assert [(each.kind, each.quantity, each.change_order_ref) for each in priced.lines] == [
        (LineKind.FINISHING, D(1000), None),
        (LineKind.FINISHING, D(500), "CO-9"),
        (LineKind.ALTERATION, D(250), "CO-7"),
    ]


def test_lines_stand_in_the_order_of_the_document() -> None:
    priced = priced_on_actuals(
        outlay("FREIGHT", "85.00"),
        metric(Component.SERVICES, "AA-PAGE", PIECES, "1", attribution=ALTERED),
        metric(Component.SERVICES, "PREPRESS", HOURS, "1"),
        *reversed(WORKED),
        deal=agreement(needs_estimate=False, discount_percent=D(1), minimum_charge=D(9999)),
    )

    assert [each.kind for each in priced.lines] == [
        LineKind.MATERIAL,
        LineKind.MATERIAL,
        LineKind.MACHINE,
        LineKind.MACHINE,
        LineKind.FINISHING,
        LineKind.SERVICE,
        LineKind.SERVICE,
        LineKind.ALTERATION,
        LineKind.DISCOUNT,
        LineKind.MINIMUM_CHARGE,
    ]
    assert [each.line_no for each in priced.lines] == list(range(1, 11))


def test_what_is_not_billable_has_no_line_and_needs_no_price() -> None:
    rework = metric(Component.SUBSTRATE, "NO-SUCH-PAPER", SHEETS, "0", attribution=REWORK)

    priced = priced_on_actuals(*WORKED, rework)

    assert priced.path is Path.STRAIGHT_THROUGH
    assert "NO-SUCH-PAPER" not in [each.code for each in priced.lines]


def test_an_outlay_is_passed_on_at_cost_and_not_discounted() -> None:
    deal = agreement(needs_estimate=False, discount_percent=D(10))

    priced = priced_on_actuals(
        metric(Component.SERVICES, "PREPRESS", HOURS, "1"), outlay("FREIGHT", "901.65"), deal=deal
    )

    assert nets(priced) == ["72.00", "901.65", "-7.20"]
    freight = line(priced, "FREIGHT")
    assert (freight.quantity, freight.unit, freight.unit_price) == (D(1), "LS", D("901.65"))


def test_an_outlay_of_an_unknown_component_is_a_service() -> None:
    carrier = outlay("CARRIER", "10.00").model_copy(update={"component": Component.UNKNOWN})

    priced = priced_on_actuals(carrier)

    assert priced.lines[0].kind is LineKind.SERVICE


def test_a_free_outlay_has_no_line() -> None:
    priced = priced_on_actuals(*WORKED, outlay("FREIGHT", "0.00"))

    assert "FREIGHT" not in [each.code for each in priced.lines]


def test_a_planned_outlay_is_inside_the_quote_and_an_unplanned_one_is_not() -> None:
    inside = outlay("FREIGHT", "85.00", planned=D(1))
    done = job((*WORKED, inside, outlay("COURIER", "40.00")))
    accepted = quoted(
        components=(*estimate().components,),
    )

    priced = domain.price(done, terms(FIXED, accepted), 1)

    assert [each.code for each in priced.lines] == ["QUOTE", "COURIER"]
    services = [v for v in priced.variances if v.component is Component.SERVICES]
    assert [v.actual for v in services] == [D("85.00")]


def test_an_alteration_that_names_no_change_order_is_reviewed() -> None:
    verbal = ALTERED.model_copy(update={"change_order_ref": None})
    pages = metric(Component.SERVICES, "AA-PAGE", PIECES, "3", attribution=verbal)

    priced = domain.price(job((*WORKED, pages)), terms(FIXED, quoted()), 1)

    assert priced.path is Path.REVIEW
    assert codes(priced)[0] == "change-order-missing"
    assert line(priced, "AA-PAGE").net == D("45.00")


def test_a_quote_line_shows_the_price_of_the_whole_quantity() -> None:
    priced = domain.price(job(), terms(FIXED, quoted()), 1)

    (quote_line,) = priced.lines
    assert (quote_line.quantity, quote_line.per, quote_line.unit_price) == (
        D(10_000),
        D(10_000),
        D("1850.00"),
    )
    assert quote_line.description == "Leaflet A5"
    assert quote_line.product_class == "leaflet"
    assert quote_line.ship_to_country == "DE"


def test_a_discount_on_a_quote_is_taken_off_quote_and_overs_only() -> None:
    deal = agreement(basis=Basis.FIXED_QUOTE, discount_percent=D(10))
    pages = metric(Component.SERVICES, "AA-PAGE", PIECES, "1", attribution=ALTERED)

    priced = domain.price(
        job((*WORKED, pages), items=(item(10_000, 10_300),)), terms(deal, quoted()), 1
    )

    assert nets(priced) == ["1850.00", "36.00", "15.00", "-188.60"]


def test_items_of_two_tax_classes_divide_the_quote_by_pieces() -> None:
    priced = domain.price(job(items=MIXED), terms(FIXED, quoted()), 1)

    assert [(each.product_class, each.quantity, each.net) for each in priced.lines] == [
        ("leaflet", D(6_000), D("1110.00")),
        ("business-card", D(4_000), D("740.00")),
    ]
    assert [each.description for each in priced.lines] == ["Leaflet", "Card"]
    assert priced.net_total == D("1850.00")


def test_a_divided_line_says_of_which_product_or_for_which_country() -> None:
    ink = metric(Component.INK, "INK", KG, "3.4")
    by_product = priced_on_actuals(ink, items=MIXED)
    named = by_product.lines[0].description.removesuffix(" (Leaflet)")
    assert [each.description for each in by_product.lines] == [
        f"{named} (Leaflet)",
        f"{named} (Card)",
    ]

    abroad = tuple(
        item(5_000, item_id=country).model_copy(update={"ship_to_country": country})
        for country in ("DE", "FR")
    )
    by_country = priced_on_actuals(ink, items=abroad)
    assert [each.description for each in by_country.lines] == [f"{named} (DE)", f"{named} (FR)"]


def test_items_of_two_tax_classes_divide_every_line_discount_and_lift() -> None:
    deal = agreement(needs_estimate=False, discount_percent=D(5), minimum_charge=D(2000))

    priced = priced_on_actuals(*WORKED, outlay("FREIGHT", "10.01"), deal=deal, items=MIXED)

    paper = [each for each in priced.lines if each.code == "PAPER"]
    assert [(each.quantity, each.net) for each in paper] == [
        (D(3120), D("265.20")),
        (D(2080), D("176.80")),
    ]
    press = [each.quantity for each in priced.lines if each.code == "PRESS"]
    assert press == [D("0.450"), D("0.300"), D("0.960"), D("0.640")]
    freight = [each.net for each in priced.lines if each.code == "FREIGHT"]
    assert freight == [D("6.01"), D("4.00")]
    off = [each.net for each in priced.lines if each.code == "DISCOUNT"]
    assert sum(off) == D("-54.10")
    assert priced.net_total == D("2000.00")
    assert sum(each.net for each in priced.lines) == D("2000.00")


def test_a_class_too_small_for_a_whole_piece_keeps_its_cents() -> None:
    tiny = quote(quantity=D(3), price=D("100.00"), under_tolerance=None)
    items = (
        item(3, 3, item_id="1"),
        item(0, 0, item_id="2", product_class="sample").model_copy(update={"delivered": D("0.04")}),
        item(0, 0, item_id="3", product_class="proof").model_copy(
            update={"delivered": D("0.000001")}
        ),
    )

    priced = domain.price(job(items=items), terms(FIXED, quoted(tiny)), 1)

    quote_lines = [each for each in priced.lines if each.code == "QUOTE"]
    assert [(each.product_class, each.quantity, each.net) for each in quote_lines] == [
        ("leaflet", D(3), D("98.68")),
        ("sample", D(1), D("1.32")),
    ]


def test_drops_to_two_countries_carry_their_own_place() -> None:
    drops = (
        delivery("1", 7_500, ship_to_country="AT", ship_to_region="AT-9"),
        delivery("1", 2_500),
    )

    priced = domain.price(job(deliveries=drops), terms(FIXED, quoted()), 1)

    assert [(each.ship_to_country, each.ship_to_region, each.net) for each in priced.lines] == [
        ("AT", "AT-9", D("1387.50")),
        ("DE", None, D("462.50")),
    ]


def test_drops_to_one_place_are_one_line() -> None:
    drops = (delivery("1", 7_500), delivery("1", 2_500, delivery_id="2"))

    priced = domain.price(job(deliveries=drops), terms(FIXED, quoted()), 1)

    assert nets(priced) == ["1850.00"]


def test_items_printed_again_by_the_shop_weigh_and_count_nothing() -> None:
    items = (item(10_000), item(500, item_id="2", product_class="sample", attribution=REWORK))

    priced = domain.price(job(items=items), terms(FIXED, quoted()), 1)

    assert nets(priced) == ["1850.00"]
    assert priced.lines[0].product_class == "leaflet"


def test_a_job_of_rework_alone_bills_nothing_and_asks() -> None:
    deal = agreement(basis=Basis.FIXED_QUOTE, minimum_charge=D(75))
    again = job([], items=(item(500, attribution=REWORK),))

    priced = domain.price(again, terms(deal, quoted(components=(), net_total=D(0))), 1)

    assert (priced.path, priced.lines, priced.net_total) == (Path.REVIEW, (), D(0))
    assert codes(priced)[0] == "nothing-to-bill"


def test_a_job_with_nothing_delivered_still_has_a_class() -> None:
    priced = priced_on_actuals(*WORKED, items=(item(100, 0), item(100, 0, item_id="2")))

    assert {each.product_class for each in priced.lines} == {"leaflet"}
    assert priced.net_total == D("1081.90")


@pytest.mark.parametrize(
    ("locale", "described"),
    [
        ("en-GB", ["Press, make-ready", "Discount of 5 % on EUR 135.00"]),
        ("de_DE", ["Press, Einrichten", "Rabatt 5 % auf EUR 135,00"]),
        ("fr-FR", ["Press, make-ready", "Discount of 5 % on EUR 135.00"]),
    ],
)
def test_the_pricer_s_own_words_are_the_customer_s_language(
    locale: str, described: list[str]
) -> None:
    deal = agreement(needs_estimate=False, discount_percent=D(5))
    setup = metric(Component.MACHINE, "PRESS", HOURS, "0.75", status=PhaseStatus.SETUP)
    buyer = customer(locale=locale)

    priced = domain.price(job([setup], estimate_ref=None), terms(deal, buyer=buyer), 1)

    assert [each.description for each in priced.lines] == described


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ["Overs at the run-on price", "Lift to the minimum charge of EUR 5,000.00"]),
        (
            "de",
            [
                "Mehrmenge zum Fortdruckpreis",
                "Aufschlag auf den Mindestauftragswert von EUR 5.000,00",
            ],
        ),
    ],
)
def test_run_on_and_lift_are_the_customer_s_language(locale: str, words: list[str]) -> None:
    deal = agreement(basis=Basis.FIXED_QUOTE, minimum_charge=D(5000))
    done = job(items=(item(10_000, 10_300),))

    priced = domain.price(done, terms(deal, quoted(), buyer=customer(locale=locale)), 1)

    assert [each.description for each in priced.lines][1:] == words


def test_unders_are_named_so() -> None:
    done = job(items=(item(10_000, 9_700),))

    priced = domain.price(done, terms(FIXED, quoted(), buyer=customer(locale="de")), 1)

    assert line(priced, "RUN-ON").description == "Mindermenge zum Fortdruckpreis"
    assert line(priced, "RUN-ON").quantity == -300


@pytest.mark.parametrize(("unit", "billed"), [(PIECES, D(16)), ("MTK", D("16.65"))])
def test_the_tolerance_is_of_whole_pieces(unit: str, billed: Decimal) -> None:
    small = quote(quantity=D(333), price=D("100.00"))
    done = job(items=(item(333, 400, unit=unit),))

    priced = domain.price(done, terms(FIXED, quoted(small)), 1)

    assert line(priced, "RUN-ON").quantity == billed


def test_no_tolerance_bills_no_overs() -> None:
    done = job(items=(item(10_000, 10_300),))

    priced = domain.price(done, terms(FIXED, quoted(quote(over_tolerance=D(0)))), 1)

    assert nets(priced) == ["1850.00"]
    assert "overs-billed" not in codes(priced)
    assert "overs-not-billed" in codes(priced)


def test_a_currency_without_decimals_is_rounded_to_whole_units() -> None:
    yen = rate_card([rate(Component.SUBSTRATE, "PAPER", SHEETS, "0.5"), *RATES[1:]], currency="JPY")
    deal = agreement(currency="JPY", needs_estimate=False)
    paper = metric(Component.SUBSTRATE, "PAPER", SHEETS, "2000001")
    done = job([paper], estimate_ref=None, currency="JPY")

    priced = domain.price(done, terms(deal, card=yen), 1)

    assert priced.net_total == D(1_000_001)


def test_a_customer_s_own_cause_without_a_change_order_is_one_line_with_the_rest() -> None:
    ours = metric(Component.MACHINE, "PRESS", HOURS, "1")
    theirs = metric(
        Component.MACHINE, "PRESS", HOURS, "0.5", attribution=Attribution(cause=Cause.CUSTOMER)
    )

    priced = priced_on_actuals(ours, theirs)

    assert [(each.quantity, each.net) for each in priced.lines] == [(D("1.5"), D("270.00"))]
