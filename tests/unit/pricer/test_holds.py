"""Hold: what is known and does not answer, or never came; no lines, no sum, what to do."""

from services.pricer import domain
from services.pricer.domain import Known, Unresolved
from shared.errors import Rejected
from shared.events.billing import JobPriced, Path
from shared.events.masterdata import Basis
from shared.events.production import Component, PhaseStatus
from tests.unit.pricer.builders import (
    FIXED,
    HOURS,
    KG,
    SHEETS,
    WORKED,
    agreement,
    codes,
    customer,
    estimate,
    item,
    job,
    metric,
    outlay,
    quoted,
    rate_card,
    terms,
)


def hold_codes(priced: JobPriced) -> list[str]:
    assert priced.path is Path.HOLD
    assert [*priced.lines, *priced.variances] == []
    assert priced.net_total == 0
    return codes(priced)


def test_a_price_that_breaks_a_rule_is_held_for_that_reason() -> None:
    why = Rejected("figure-out-of-bounds", "what comes of it is too large: net_total")
    held = domain.refused(job(), terms(), 2, why)
    assert hold_codes(held) == ["figure-out-of-bounds"]
    assert (held.pricing_no, held.reasons[0].text) == (2, why.message)
    unresolved = domain.resolve(job(), Known())
    assert domain.refused(job(), unresolved, 2, why) == domain.price(job(), unresolved, 2)


def test_a_code_without_a_price_is_held_never_billed_at_zero() -> None:
    unknown = [
        metric(Component.SUBSTRATE, "PAP-TRIAL", SHEETS, "10"),
        metric(Component.SUBSTRATE, "PAP-TRIAL", SHEETS, "20"),
        metric(Component.MACHINE, "NEW-PRESS", HOURS, "1", status=PhaseStatus.RUN),
    ]

    priced = domain.price(job((*WORKED, *unknown)), terms(FIXED, quoted()), 1)

    assert hold_codes(priced) == ["code-unknown", "code-unknown"]
    assert [reason.text for reason in priced.reasons] == [
        f"{what} has no price on rate card RC-1 version 1: add one in a new version of the card."
        for what in ("Substrate PAP-TRIAL (Pap-trial)", "Machine time NEW-PRESS, run (New-press)")
    ]


def test_a_price_in_another_unit_is_held() -> None:
    grams = metric(Component.INK, "INK", "GRM", "3400")

    priced = domain.price(job([grams]), terms(FIXED, quoted()), 1)

    assert hold_codes(priced) == ["unit-differs"]
    assert "is measured in g, but rate card RC-1 version 1 has its price in kg" in (
        priced.reasons[0].text
    )


def test_an_unknown_basis_is_held() -> None:
    priced = domain.price(job(), terms(agreement(basis=Basis.UNKNOWN), quoted()), 1)

    assert hold_codes(priced) == ["basis-unknown"]


def test_a_job_without_items_is_held() -> None:
    assert hold_codes(domain.price(job(items=()), terms(FIXED, quoted()), 1)) == ["items-missing"]


def test_a_rate_card_in_another_currency_is_held() -> None:
    priced = domain.price(job(), terms(FIXED, quoted(), rate_card(currency="CHF")), 1)

    assert hold_codes(priced) == ["currency-differs"]


def test_an_estimate_in_another_currency_is_held() -> None:
    priced = domain.price(job(), terms(FIXED, quoted(currency="CHF")), 1)

    assert hold_codes(priced) == ["currency-differs"]


def test_an_estimate_of_another_customer_is_held() -> None:
    priced = domain.price(job(), terms(FIXED, quoted(customer_id="C-2")), 1)

    assert hold_codes(priced) == ["customer-differs"]


def test_a_fixed_quote_without_a_quote_is_held() -> None:
    assert hold_codes(domain.price(job(), terms(FIXED, estimate()), 1)) == ["quote-missing"]


def test_items_in_different_units_have_no_sum_to_hold_against_a_quote() -> None:
    items = (item(100), item(5, item_id="2", unit="MTK"))

    priced = domain.price(job(items=items), terms(FIXED, quoted()), 1)

    assert hold_codes(priced) == ["item-units-differ"]
    assert "H87 and MTK" in priced.reasons[0].text


def test_an_outlay_in_another_currency_is_held_and_other_work_is_not() -> None:
    free = agreement(needs_estimate=False)
    abroad = job(currency="CHF", estimate_ref=None)
    with_freight = abroad.model_copy(update={"metrics": (*WORKED, outlay("FREIGHT", "85.00"))})

    held = domain.price(with_freight, terms(free), 1)
    billed = domain.price(abroad, terms(free), 1)

    assert hold_codes(held) == ["currency-differs"]
    assert held.currency == "EUR"
    assert billed.path is Path.STRAIGHT_THROUGH


def test_a_job_without_terms_is_held_in_its_own_currency() -> None:
    nothing = domain.resolve(job(currency="CHF"), Known())

    priced = domain.price(job(currency="CHF"), nothing, 4)

    assert hold_codes(priced) == ["customer-missing", "agreement-missing", "estimate-missing"]
    assert (priced.currency, priced.basis, priced.pricing_no) == ("CHF", Basis.UNKNOWN, 4)
    assert (priced.agreement_id, priced.rate_card_id) == (None, None)


def test_a_job_without_a_rate_card_is_held_under_its_agreement() -> None:
    found = domain.resolve(job(), Known((customer(),), (FIXED,), {"RC-1": ()}, quoted()))

    assert isinstance(found, Unresolved)
    priced = domain.price(job(), found, 1)

    assert hold_codes(priced) == ["rate-card-not-in-force"]
    assert (priced.agreement_id, priced.rate_card_id, priced.rate_card_version) == (
        "A-1",
        "RC-1",
        None,
    )


def test_an_unpriced_thing_beside_kilograms_names_the_component() -> None:
    priced = domain.price(job([metric(Component.INK, "GOLD", KG, "1")]), terms(), 1)

    assert priced.reasons[0].component is Component.INK
