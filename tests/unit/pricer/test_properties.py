"""What holds for every job: lines sum to the total, divisions to the whole, nothing by chance."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.pricer import domain
from services.pricer.domain.shares import Share, divide
from shared.events.billing import BILLABLE_PATHS, JobPriced, LineKind, Path
from shared.events.masterdata import Agreement, Basis
from shared.events.production import Attribution, Cause, Component, Metric, MetricsExtracted
from shared.events.sales import EstimateAccepted
from tests.unit.pricer.builders import (
    ALTERED,
    BY_CUSTOMER,
    HOURS,
    KG,
    PIECES,
    REWORK,
    SHEETS,
    D,
    agreement,
    estimate,
    item,
    job,
    metric,
    outlay,
    quote,
    terms,
    threshold,
)

CENT = D("0.01")
THINGS = (
    (Component.SUBSTRATE, "PAPER", SHEETS, 0),
    (Component.INK, "INK", KG, 3),
    (Component.MACHINE, "PRESS", HOURS, 4),
    (Component.FINISHING, "FOLD", PIECES, 0),
    (Component.SERVICES, "PREPRESS", HOURS, 2),
)


def amounts(high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(0, high * 100).map(lambda cents: D(cents) / 100)


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    component, code, unit, places = draw(st.sampled_from(THINGS))
    quantity = D(draw(st.integers(0, 60_000))).scaleb(-places)
    planned = draw(st.one_of(st.none(), st.integers(0, 60_000)))
    who = draw(st.sampled_from((Attribution(), BY_CUSTOMER, ALTERED, REWORK)))
    if draw(st.integers(0, 9)) == 0:
        return outlay(code, str(draw(amounts(500))), attribution=who)
    return metric(
        component,
        code,
        unit,
        str(quantity),
        planned=None if planned is None else D(planned).scaleb(-places),
        attribution=who,
    )


@st.composite
def jobs(draw: st.DrawFn) -> MetricsExtracted:
    items = [
        item(
            draw(st.integers(0, 20_000)),
            draw(st.integers(0, 20_000)),
            item_id=str(number),
            product_class=draw(st.sampled_from(("leaflet", "book", "card"))),
            ship_to_country=draw(st.sampled_from(("DE", "AT"))),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    found = draw(st.lists(metrics(), max_size=12))
    reference = draw(st.sampled_from((None, "E-1")))
    return job(found, items=tuple(items), estimate_ref=reference)


@st.composite
def deals(draw: st.DrawFn) -> Agreement:
    return agreement(
        basis=draw(st.sampled_from((Basis.FIXED_QUOTE, Basis.RATE_CARD))),
        discount_percent=draw(amounts(100)),
        minimum_charge=draw(st.one_of(st.none(), amounts(3000))),
        thresholds=draw(
            st.sampled_from(((), (threshold(None, "50", "10"),), (threshold(None, "9999", "99"),)))
        ),
        actuals_cap_percent=draw(st.one_of(st.none(), amounts(300))),
        needs_estimate=draw(st.booleans()),
    )


@st.composite
def estimates(draw: st.DrawFn) -> EstimateAccepted:
    parts = {component: str(draw(amounts(2000))) for component, *_ in THINGS}
    return estimate(
        parts,
        quote=quote(
            price=draw(amounts(5000)),
            quantity=D(draw(st.integers(1, 40_000))),
            run_on_price=draw(amounts(200)),
            over_tolerance=draw(amounts(20)),
            under_tolerance=draw(st.one_of(st.none(), amounts(20))),
        ),
    )


@dataclass(frozen=True)
class Case:
    """A price and what it was computed from."""

    done: MetricsExtracted
    deal: Agreement
    accepted: EstimateAccepted
    result: JobPriced

    def nets(self, *kinds: LineKind) -> Decimal:
        """The sum of the lines of some kinds."""
        return sum((line.net for line in self.result.lines if line.kind in kinds), D(0))


@settings(max_examples=60)
@given(jobs(), deals(), estimates())
def test_every_price_of_every_job_holds(
    done: MetricsExtracted, deal: Agreement, accepted: EstimateAccepted
) -> None:
    agreed = terms(deal, accepted if done.estimate_ref else None)
    case = Case(done, deal, accepted, domain.price(done, agreed, 1))

    lines_can_be_recomputed_and_sum_to_the_total(case)
    only_a_price_above_zero_is_billable_and_never_below_the_minimum(case)
    discount_is_its_percentage_of_the_basis_rounded_once(case)
    variances_add_up_to_the_total(case)
    within_the_cap_is_never_above_it(case)
    again = MetricsExtracted.model_validate_json(done.model_dump_json())
    assert domain.price(again, agreed, 1) == case.result


def lines_can_be_recomputed_and_sum_to_the_total(case: Case) -> None:
    lines = case.result.lines
    for line in lines:
        exact = line.quantity / line.per * line.unit_price
        assert line.net == exact.quantize(CENT, ROUND_HALF_UP)
    assert sum((line.net for line in lines), D(0)) == case.result.net_total
    assert [line.line_no for line in lines] == list(range(1, len(lines) + 1))


def only_a_price_above_zero_is_billable_and_never_below_the_minimum(case: Case) -> None:
    assert case.result.reasons
    if case.result.path in BILLABLE_PATHS:
        assert case.result.net_total > 0
        assert case.result.net_total >= (case.deal.minimum_charge or 0)
    if case.nets(LineKind.MINIMUM_CHARGE):
        assert case.result.net_total == case.deal.minimum_charge


def discount_is_its_percentage_of_the_basis_rounded_once(case: Case) -> None:
    off = case.nets(LineKind.DISCOUNT)
    if case.result.basis is Basis.FIXED_QUOTE:
        basis = case.nets(LineKind.PRODUCT)
    else:
        at_rates = [line for line in case.result.lines if line.unit != "LS"]
        basis = sum((x.net for x in at_rates if x.kind is not LineKind.ALTERATION), D(0))
    exact = max(basis, D(0)) * case.deal.discount_percent / 100
    assert -off == exact.quantize(CENT, ROUND_HALF_UP)


def variances_add_up_to_the_total(case: Case) -> None:
    if case.result.variances:
        *parts, total = case.result.variances
        for name in ("estimated", "actual", "difference"):
            assert sum(getattr(part, name) for part in parts) == getattr(total, name)
        assert total.difference == total.actual - total.estimated


def within_the_cap_is_never_above_it(case: Case) -> None:
    if case.result.path is not Path.ACTUAL_WITHIN_CAP:
        return
    fixed = case.result.basis is Basis.FIXED_QUOTE
    extras = {LineKind.ALTERATION, LineKind.MINIMUM_CHARGE} | (
        {LineKind.SERVICE} if fixed else set()
    )
    billed = sum(line.net for line in case.result.lines if line.kind not in extras)
    limit = case.accepted.net_total * (100 + (case.deal.actuals_cap_percent or 0)) / 100
    assert billed <= limit.quantize(CENT, ROUND_HALF_UP)
    assert any(m.attribution.cause is Cause.CUSTOMER for m in case.done.metrics)


@given(
    st.decimals("0.001", "1000000", places=3),
    st.lists(st.integers(1, 50_000), min_size=1, max_size=6),
)
def test_a_divided_quantity_sums_to_the_whole(quantity: Decimal, weights: list[int]) -> None:
    shares = [Share(str(number), None, None, "", D(w)) for number, w in enumerate(weights)]

    parts = divide(quantity, shares)

    assert sum(parts) == quantity
    assert all(part >= 0 for part in parts)
    if quantity == int(quantity):
        assert all(part == int(part) for part in parts)
