"""What a job is planned to need, and what the customer was told that it will cost."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from random import Random
from typing import Final

from services.simulator.catalogue import DEVICES, ITEMS
from services.simulator.parties import HOUSES, House, Party
from services.simulator.products import DIGITAL, WEIGHED, WIDE, Product, Section
from services.simulator.terms import RATES, SMALL
from shared.events.base import Unit
from shared.events.production import Component, PhaseStatus
from shared.events.sales import EstimateAccepted, EstimateComponent, Quote
from shared.money import ZERO, round_money

HUNDREDTH: Final = Decimal("0.01")
_SETUP_HOURS: Final = {"LATEX800": Decimal("0.15"), "HP7900": Decimal("0.20")}
_CLEANUP_HOURS: Final = {"LATEX800": ZERO, "HP7900": ZERO}
CLICK: Final = "CLICK-4C"
_CARTON: Final = Decimal(2500)
UNDER_TOLERANCE: Final = Decimal(5)
OVER_TOLERANCE: Final = Decimal(10)


@dataclass(frozen=True, slots=True)
class Print:
    """The planned printing of one section: material in `unit`, hours by status, ink in grams.

    `clicks` are the impressions that the digital press counts: two sides of every sheet.
    """

    section: Section
    name: str
    stock: str
    unit: str
    good: Decimal
    waste: Decimal
    hours: tuple[tuple[PhaseStatus, Decimal], ...]
    ink_grams: Decimal
    clicks: Decimal


@dataclass(frozen=True, slots=True)
class Work:
    """A planned operation or service; `cost` is what a third party will charge for it."""

    code: str
    quantity: Decimal
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One product of a job, how many of it, and how it is made."""

    product: Product
    quantity: Decimal
    prints: tuple[Print, ...]
    operations: tuple[Work, ...]
    customer_paper: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A job as planned."""

    job_id: str
    party: Party
    order_ref: str
    parts: tuple[Part, ...]
    services: tuple[Work, ...]

    @property
    def house(self) -> House:
        """Who prints it."""
        return HOUSES[self.party.seller]

    @property
    def description(self) -> str:
        """What the job is, in the house's language."""
        return " + ".join(name_of(part.product, self.house) for part in self.parts)


def name_of(product: Product, house: House) -> str:
    """The product in the house's language."""
    return product.german if house.language == "de" else product.english


def plan_part(
    rng: Random, product: Product, *, number: int = 1, customer_paper: bool = False
) -> Part:
    """A product in one of its usual quantities on one of its usual stocks."""
    quantity = Decimal(rng.choice(product.quantities))
    prints = tuple(
        plan_print(rng, section, quantity, f"{section.name}-{number}")
        for section in product.sections
    )
    operations = tuple(
        Work(code, (quantity * per).quantize(Decimal(1), ROUND_CEILING))
        for code, per in product.operations
    )
    if customer_paper:
        sheets = sum((p.good + p.waste for p in prints), ZERO)
        operations = (*operations, Work("CSP-HANDLING", sheets))
    return Part(product, quantity, prints, operations, customer_paper)


def plan_print(rng: Random, section: Section, quantity: Decimal, name: str) -> Print:
    """Sheets or square metres, make-ready and spoilage, hours and ink of one section."""
    device = DEVICES[section.device]
    places = HUNDREDTH if section.device == WIDE else Decimal(1)
    good = (quantity * section.per_piece).quantize(places, ROUND_CEILING)
    spoilage = Decimal(0) if section.device in _SETUP_HOURS else Decimal(90 * section.forms)
    waste = (spoilage + good * Decimal("0.03")).quantize(places, ROUND_CEILING)
    thousandth = Decimal(1) if section.device == WIDE else Decimal("0.001")
    return Print(
        section=section,
        name=name,
        stock=rng.choice(section.stocks),
        unit=(Unit.SQUARE_METRE if section.device == WIDE else Unit.SHEET).value,
        good=good,
        waste=waste,
        hours=(
            (PhaseStatus.SETUP, _SETUP_HOURS.get(section.device, Decimal("0.30")) * section.forms),
            (PhaseStatus.RUN, max(HUNDREDTH, ((good + waste) / device.speed).quantize(HUNDREDTH))),
            (PhaseStatus.CLEANUP, _CLEANUP_HOURS.get(section.device, Decimal("0.25"))),
        ),
        ink_grams=(section.grams * (good + waste) * thousandth).quantize(Decimal(1)),
        clicks=2 * (good + waste) if section.device == DIGITAL else ZERO,
    )


def plan_job(rng: Random, job_id: str, party: Party, parts: tuple[Part, ...]) -> Plan:
    """A job of these parts, with prepress, proofs, packing and freight."""
    house = HOUSES[party.seller]
    forms = sum(p.section.forms * len(p.section.separations) for part in parts for p in part.prints
                if p.section.grams and p.section.device != WIDE)  # fmt: skip
    cartons = sum((part.quantity / _CARTON).quantize(Decimal(1), ROUND_CEILING) for part in parts)
    freight = round_money(Decimal(rng.randrange(28, 190)) * house.factor, house.entity.currency)
    services = [
        Work("PREPRESS", Decimal(rng.randrange(2, 9)) / 4),
        Work("PACK", Decimal(cartons)),
        Work("FREIGHT", Decimal(1), freight),
    ]
    if forms:
        services.insert(1, Work("PLATE", Decimal(forms)))
    if rng.random() < 0.4:  # noqa: PLR2004 - two jobs in five have a contract proof
        services.insert(1, Work("PROOF", Decimal(1)))
    return Plan(job_id, party, f"PO-{rng.randrange(10_000, 99_999)}", parts, tuple(services))


def any_product(rng: Random) -> Product:
    """A product as the shop's customers order them."""
    return rng.choice(WEIGHED)


def planned_prices(plan: Plan) -> dict[Component, Decimal]:
    """What the plan sells for on the house's rate card, by component, in the house's currency."""
    sums = dict.fromkeys(
        (Component.SUBSTRATE, Component.INK, Component.MACHINE, Component.FINISHING,
         Component.SERVICES), ZERO,
    )  # fmt: skip
    for part in plan.parts:
        for work in part.operations:
            sums[ITEMS[work.code].component] += _net(plan.house, work)
        for printed in part.prints:
            _add_print(sums, plan.house, printed, part)
    for work in plan.services:
        sums[Component.SERVICES] += _net(plan.house, work)
    return sums


def _add_print(sums: dict[Component, Decimal], house: House, printed: Print, part: Part) -> None:
    if not part.customer_paper:
        sums[Component.SUBSTRATE] += _price(house, printed.stock, printed.good + printed.waste)
    for _ in printed.section.separations if printed.ink_grams else ():
        sums[Component.INK] += _price(house, printed.section.ink, printed.ink_grams / 1000)
    for status, hours in printed.hours:
        if hours:
            sums[Component.MACHINE] += _price(house, printed.section.device, hours, status)
    sums[Component.MACHINE] += _price(house, CLICK, printed.clicks)


def _net(house: House, work: Work) -> Decimal:
    return work.cost if work.cost is not None else _price(house, work.code, work.quantity)


def _price(
    house: House, code: str, quantity: Decimal, status: PhaseStatus = PhaseStatus.UNKNOWN
) -> Decimal:
    rate = RATES[house.id][code, status.value]
    return round_money(quantity * rate.rate / rate.per, house.entity.currency)


def estimate(plan: Plan, accepted_at: datetime) -> EstimateAccepted:
    """The estimate the customer accepted: the plan on the rate card, and a fixed price with it."""
    currency = plan.house.entity.currency
    prices = planned_prices(plan)
    total = sum(prices.values(), ZERO)
    quantity = sum((part.quantity for part in plan.parts), ZERO)
    return EstimateAccepted(
        legal_entity_id=plan.house.id,
        estimate_id=f"E-{plan.job_id}",
        job_id=plan.job_id,
        customer_id=plan.party.id,
        accepted_at=accepted_at,
        currency=currency,
        description=plan.description,
        components=tuple(
            EstimateComponent(component=component, net=net) for component, net in prices.items()
        ),
        net_total=total,
        quote=Quote(
            price=quoted_price(plan.house, total),
            quantity=quantity,
            run_on_price=round_money(total * Decimal("0.45") * 1000 / quantity, currency),
            run_on_per=Decimal(1000),
            over_tolerance=OVER_TOLERANCE,
            under_tolerance=UNDER_TOLERANCE,
        ),
    )


def quoted_price(house: House, total: Decimal) -> Decimal:
    """A price as it is quoted: up to the next whole unit of money, and no less than the minimum."""
    unit = Decimal(100) if house.entity.currency == "JPY" else Decimal(1)
    whole = (total / unit).quantize(Decimal(1), ROUND_CEILING) * unit
    return max(whole, SMALL[house.entity.currency])
