"""The handbook's worked figures that the two bases cover, to the cent."""

from decimal import Decimal

import pytest

from services.pricer import domain
from shared.events.billing import LineKind, Path
from shared.events.masterdata import Basis
from shared.events.production import Component, PhaseStatus
from tests.unit.pricer.builders import (
    ALTERED,
    FIXED,
    PIECES,
    SHEETS,
    WORKED,
    D,
    agreement,
    codes,
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


@pytest.mark.parametrize(
    ("delivered", "lines", "total", "reason"),
    [
        (10_000, ["1850.00"], "1850.00", None),
        (10_300, ["1850.00", "36.00"], "1886.00", "overs-billed"),
        (10_800, ["1850.00", "60.00"], "1910.00", "overs-not-billed"),
        (9_700, ["1850.00", "-36.00"], "1814.00", "unders-credited"),
    ],
)
def test_overs_and_unders_are_billed_at_the_run_on_price(
    delivered: int, lines: list[str], total: str, reason: str | None
) -> None:
    priced = domain.price(job(items=(item(10_000, delivered),)), terms(FIXED, quoted()), 1)

    assert nets(priced) == lines
    assert priced.net_total == D(total)
    assert priced.path is Path.STRAIGHT_THROUGH
    assert reason is None or reason in codes(priced)


def test_delivered_below_tolerance_is_reviewed_with_the_shortage_credited() -> None:
    priced = domain.price(job(items=(item(10_000, 9_400),)), terms(FIXED, quoted()), 1)

    assert priced.path is Path.REVIEW
    assert codes(priced)[0] == "delivered-below-tolerance"
    assert priced.reasons[0].text == (
        "Delivered 9,400 of 10,000 quoted: 600 short, more than the tolerance of 5 % (500). The "
        "price proposed credits the shortage at the run-on price of EUR 120.00 per 1,000: "
        "EUR 72.00."
    )
    assert nets(priced) == ["1850.00", "-72.00"]


def test_any_shortage_of_a_guaranteed_quantity_is_reviewed() -> None:
    guaranteed = quoted(quote(under_tolerance=None))

    priced = domain.price(job(items=(item(10_000, 9_999),)), terms(FIXED, guaranteed), 1)

    assert priced.path is Path.REVIEW
    assert codes(priced)[0] == "quantity-guaranteed"
    assert nets(priced) == ["1850.00", "-0.12"]


def test_a_published_invoice_adds_freight_alterations_and_overs_to_the_quote() -> None:
    base = quote(
        price=D("13201.00"),
        quantity=D(5_000),
        run_on_price=D("7.7418"),
        run_on_per=D(1),
    )
    altered = metric(Component.SERVICES, "AA-PAGE", PIECES, "69", attribution=ALTERED)
    done = job(
        (*WORKED, altered, outlay("FREIGHT", "901.65")),
        items=(item(5_000, 5_242),),
    )

    priced = domain.price(done, terms(FIXED, quoted(base)), 1)

    assert [(each.kind, each.net) for each in priced.lines] == [
        (LineKind.PRODUCT, D("13201.00")),
        (LineKind.PRODUCT, D("1873.52")),
        (LineKind.SERVICE, D("901.65")),
        (LineKind.ALTERATION, D("1035.00")),
    ]
    assert line(priced, "AA-PAGE").change_order_ref == "CO-7"
    assert priced.net_total == D("17011.17")
    assert priced.path is Path.STRAIGHT_THROUGH


@pytest.mark.parametrize("by_status", [False, True])
def test_a_rate_card_prices_actual_quantities_and_takes_the_discount_once(
    *, by_status: bool
) -> None:
    """Also where the card has a price of its own for make-ready and for the run."""
    statuses = (PhaseStatus.SETUP, PhaseStatus.RUN) if by_status else (PhaseStatus.UNKNOWN,)
    card = rate_card(
        [
            rate(Component.SUBSTRATE, "PAPER", SHEETS, "0.085"),
            rate(Component.INK, "INK", "KGM", "28.50"),
            *(rate(Component.MACHINE, "PRESS", "HUR", "180.00", status=s) for s in statuses),
            rate(Component.FINISHING, "FOLD", PIECES, "12.00", per=1000),
        ]
    )
    deal = agreement(discount_percent=D(5))

    priced = domain.price(job(), terms(deal, estimate(), card), 1)

    assert nets(priced) == ["442.00", "96.90", "135.00", "288.00", "120.00", "-54.10"]
    assert priced.net_total == D("1027.80")
    assert (priced.path, priced.basis) == (Path.STRAIGHT_THROUGH, Basis.RATE_CARD)
    discount = line(priced, "DISCOUNT")
    assert (discount.quantity, discount.unit_price) == (Decimal(-1), D("54.10"))
    assert discount.description == "Discount of 5 % on EUR 1,081.90"


def test_a_minimum_charge_lifts_the_total_once() -> None:
    card = rate_card([rate(Component.SERVICES, "PROOF", PIECES, "38.20")])
    deal = agreement(minimum_charge=D("75.00"), needs_estimate=False)
    proof = metric(Component.SERVICES, "PROOF", PIECES, "1")

    priced = domain.price(job([proof], estimate_ref=None), terms(deal, None, card), 1)

    assert nets(priced) == ["38.20", "36.80"]
    assert line(priced, "MINIMUM-CHARGE").kind is LineKind.MINIMUM_CHARGE
    assert priced.net_total == D("75.00")
    assert priced.reasons[-1].text == (
        "The work comes to EUR 38.20, below the agreed minimum charge of EUR 75.00: a line of "
        "EUR 36.80 lifts it."
    )
