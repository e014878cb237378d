"""Short ways to say what a job, an agreement, a rate card and an estimate are, for these tests."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from services.pricer import domain
from services.pricer.domain import Known, Terms
from shared.events.base import Unit
from shared.events.billing import JobPriced, PricedLine
from shared.events.masterdata import (
    Address,
    Agreement,
    Basis,
    Channel,
    Customer,
    PaymentTerms,
    RateCard,
    RateLine,
    Threshold,
)
from shared.events.production import (
    Attribution,
    Cause,
    Component,
    CostType,
    Delivery,
    JobItem,
    Metric,
    MetricsExtracted,
    PhaseStatus,
    WorkType,
)
from shared.events.sales import EstimateAccepted, EstimateComponent, Quote

D = Decimal
ON = date(2026, 3, 2)
RECORDED = datetime(2026, 1, 1, tzinfo=UTC)
COMPLETED = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
SHEETS, KG, HOURS, PIECES = Unit.SHEET, Unit.KILOGRAM, Unit.HOUR, Unit.PIECE
ALTERED = Attribution(
    cost_type=CostType.CHARGEABLE,
    work_type=WorkType.ALTERATION,
    cause=Cause.CUSTOMER,
    change_order_ref="CO-7",
)
BY_CUSTOMER = Attribution(cause=Cause.CUSTOMER)
REWORK = Attribution(cost_type=CostType.NON_CHARGEABLE, work_type=WorkType.REWORK)


def customer(**changes: object) -> Customer:
    values: dict[str, object] = {
        "customer_id": "C-1",
        "version": 1,
        "valid_from": date(2024, 1, 1),
        "recorded_at": RECORDED,
        "name": "Verlag Nord GmbH",
        "address": Address(lines=("Am Kai 1",), postal_code="20457", city="Hamburg", country="DE"),
        "locale": "en-GB",
        "preferred_channel": Channel.EMAIL,
        "contact_id": "P-1",
        "payment_terms": PaymentTerms(net_days=14),
    }
    return Customer.model_validate(values | changes)


def agreement(**changes: object) -> Agreement:
    values: dict[str, object] = {
        "legal_entity_id": "LE-1",
        "agreement_id": "A-1",
        "version": 1,
        "customer_id": "C-1",
        "valid_from": date(2024, 1, 1),
        "recorded_at": RECORDED,
        "currency": "EUR",
        "basis": Basis.RATE_CARD,
        "rate_card_id": "RC-1",
    }
    return Agreement.model_validate(values | changes)


def rate(
    component: Component,
    code: str,
    unit: str,
    price: str,
    per: int = 1,
    status: PhaseStatus = PhaseStatus.UNKNOWN,
) -> RateLine:
    return RateLine(
        component=component,
        code=code,
        description=code.capitalize(),
        status=status,
        unit=unit,
        rate=D(price),
        per=D(per),
    )


RATES = (
    rate(Component.SUBSTRATE, "PAPER", SHEETS, "0.085"),
    rate(Component.INK, "INK", KG, "28.50"),
    rate(Component.MACHINE, "PRESS", HOURS, "180.00"),
    rate(Component.FINISHING, "FOLD", PIECES, "12.00", per=1000),
    rate(Component.SERVICES, "AA-PAGE", PIECES, "15.00"),
    rate(Component.SERVICES, "PREPRESS", HOURS, "72.00"),
)


def rate_card(lines: Iterable[RateLine] = RATES, **changes: object) -> RateCard:
    values: dict[str, object] = {
        "legal_entity_id": "LE-1",
        "rate_card_id": "RC-1",
        "version": 1,
        "valid_from": date(2024, 1, 1),
        "recorded_at": RECORDED,
        "currency": "EUR",
        "lines": tuple(lines),
    }
    return RateCard.model_validate(values | changes)


def metric(component: Component, code: str, unit: str, billable: str, **changes: object) -> Metric:
    values: dict[str, object] = {
        "metric_id": f"{component}-{code}-{changes.get('status', '')}-{billable}",
        "component": component,
        "code": code,
        "description": code.capitalize(),
        "unit": unit,
        "actual_good": D(billable),
        "billable": D(billable),
    }
    return Metric.model_validate(values | changes)


def outlay(code: str, cost: str, **changes: object) -> Metric:
    return metric(Component.SERVICES, code, Unit.LUMP_SUM, "1", outlay=D(cost), **changes)


WORKED = (
    metric(Component.SUBSTRATE, "PAPER", SHEETS, "5200", planned=D(5200)),
    metric(Component.INK, "INK", KG, "3.4", planned=D("3.4")),
    metric(Component.MACHINE, "PRESS", HOURS, "0.75", status=PhaseStatus.SETUP, planned=D("0.75")),
    metric(Component.MACHINE, "PRESS", HOURS, "1.6", status=PhaseStatus.RUN, planned=D("1.6")),
    metric(Component.FINISHING, "FOLD", PIECES, "10000", planned=D(10000)),
)
"""The job of the handbook's rate-card figure: 442.00 + 96.90 + 135.00 + 288.00 + 120.00."""


def item(ordered: int = 10_000, delivered: int | None = None, **changes: object) -> JobItem:
    values: dict[str, object] = {
        "item_id": "1",
        "description": "Leaflet",
        "product_class": "leaflet",
        "ordered": D(ordered),
        "delivered": D(ordered if delivered is None else delivered),
        "unit": PIECES,
        "ship_to_country": "DE",
    }
    return JobItem.model_validate(values | changes)


def delivery(item_id: str, quantity: int, **changes: object) -> Delivery:
    values: dict[str, object] = {
        "delivery_id": f"{item_id}-{quantity}-{changes}",
        "item_id": item_id,
        "quantity": D(quantity),
    }
    return Delivery.model_validate(values | changes)


def job(metrics: Iterable[Metric] = WORKED, **changes: object) -> MetricsExtracted:
    values: dict[str, object] = {
        "legal_entity_id": "LE-1",
        "job_id": "J-1",
        "revision": 1,
        "customer_id": "C-1",
        "estimate_ref": "E-1",
        "description": "Leaflet A5",
        "completed_at": COMPLETED,
        "completed_on": ON,
        "currency": "EUR",
        "items": (item(),),
        "metrics": tuple(metrics),
    }
    return MetricsExtracted.model_validate(values | changes)


ESTIMATED: Mapping[Component, str] = {
    Component.SUBSTRATE: "442.00",
    Component.INK: "96.90",
    Component.MACHINE: "423.00",
    Component.FINISHING: "120.00",
}


def estimate(
    by_component: Mapping[Component, str] | None = None, **changes: object
) -> EstimateAccepted:
    parts = ESTIMATED if by_component is None else by_component
    values: dict[str, object] = {
        "legal_entity_id": "LE-1",
        "estimate_id": "E-1",
        "job_id": "J-1",
        "customer_id": "C-1",
        "accepted_at": RECORDED,
        "currency": "EUR",
        "description": "Leaflet A5",
        "components": tuple(
            EstimateComponent(component=component, net=D(net)) for component, net in parts.items()
        ),
        "net_total": sum(map(D, parts.values()), D(0)),
    }
    return EstimateAccepted.model_validate(values | changes)


def quote(**changes: object) -> Quote:
    values: dict[str, object] = {
        "price": D("1850.00"),
        "quantity": D(10_000),
        "run_on_price": D("120.00"),
        "run_on_per": D(1000),
        "over_tolerance": D(5),
        "under_tolerance": D(5),
    }
    return Quote.model_validate(values | changes)


def quoted(quoted_price: Quote | None = None, **changes: object) -> EstimateAccepted:
    """An estimate with a fixed quote whose components are those of the worked job."""
    return estimate(None, quote=quoted_price or quote(), **changes)


def threshold(component: Component | None, absolute: str, percent: str) -> Threshold:
    return Threshold(component=component, absolute=D(absolute), percent=D(percent))


FIXED = agreement(basis=Basis.FIXED_QUOTE)


def known(
    deal: Agreement | None = None,
    card: RateCard | None = None,
    accepted: EstimateAccepted | None = None,
    buyer: Customer | None = None,
) -> Known:
    deal, card = deal or agreement(), card or rate_card()
    return Known(
        customers=(buyer or customer(),),
        agreements=(deal,),
        price_lists={card.rate_card_id: (domain.price_list(card),)},
        estimate=accepted,
    )


def terms(
    deal: Agreement | None = None,
    accepted: EstimateAccepted | None = None,
    card: RateCard | None = None,
    buyer: Customer | None = None,
) -> Terms:
    return Terms(
        buyer or customer(), deal or agreement(), domain.price_list(card or rate_card()), accepted
    )


def nets(priced: JobPriced) -> list[str]:
    """The lines' nets, as written."""
    return [f"{line.net:.2f}" for line in priced.lines]


def codes(priced: JobPriced) -> list[str]:
    """The reasons' codes."""
    return [reason.code for reason in priced.reasons]


def line(priced: JobPriced, code: str) -> PricedLine:
    """The one line of this code."""
    (found,) = [each for each in priced.lines if each.code == code]
    return found
