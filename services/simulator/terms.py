"""On which terms the simulated houses trade: rate cards, costs, agreements, taxes, approvals."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final

from services.simulator.catalogue import cost_lines, rate_lines
from services.simulator.parties import FOUNDED, HOUSES, PARTIES, RECORDED, House, Party
from shared.events.masterdata import (
    Agreement,
    ApprovalPolicy,
    Basis,
    BuyerKind,
    CostRate,
    PaymentTerms,
    RateCard,
    RateLine,
    TaxRule,
    Threshold,
)
from shared.events.production import Component
from shared.money import round_money

FIXED, ACTUALS = Basis.FIXED_QUOTE, Basis.RATE_CARD
ON_ACTUALS: Final = frozenset(
    {"C-1003", "C-1004", "C-1007", "C-1014", "C-2004", "C-2008", "C-3001", "C-3002"}
)
"""Customers billed by rate card on actual quantities; all others by fixed quote."""
WITHOUT_ESTIMATE: Final = frozenset({"C-1014", "C-2008"})
"""Those of them whose jobs need no estimate."""
DISCOUNTED: Final = {"C-1003": Decimal(5), "C-2004": Decimal("7.5"), "C-3002": Decimal(3)}
LAPSED: Final = "C-2009"
"""The customer whose agreement ended: its jobs are held until somebody renews it."""
LAPSED_ON: Final = date(2025, 1, 31)
CAP_PERCENT: Final = Decimal(25)

SMALL: Final = {"EUR": Decimal(180), "GBP": Decimal(150), "JPY": Decimal(28000)}
"""The minimum charge for a job, by currency."""
_COMPONENTS: Final = (
    Component.SUBSTRATE,
    Component.INK,
    Component.MACHINE,
    Component.FINISHING,
    Component.SERVICES,
)


def rate_card(house: House) -> RateCard:
    """What the house sells at."""
    return RateCard(
        legal_entity_id=house.id,
        rate_card_id=f"RC-{house.id}",
        version=1,
        valid_from=FOUNDED,
        recorded_at=RECORDED,
        currency=house.entity.currency,
        lines=rate_lines(house.factor, house.language),
    )


def cost_rate(house: House) -> CostRate:
    """What things cost the house."""
    return CostRate(
        legal_entity_id=house.id,
        cost_rate_id=f"CR-{house.id}",
        version=1,
        valid_from=FOUNDED,
        recorded_at=RECORDED,
        currency=house.entity.currency,
        lines=cost_lines(house.factor),
    )


RATE_CARDS: Final = {house.id: rate_card(house) for house in HOUSES.values()}
RATES: Final[dict[str, dict[tuple[str, str], RateLine]]] = {
    house: {(line.code, line.status.value): line for line in card.lines}
    for house, card in RATE_CARDS.items()
}
"""The selling rates of a house by code and phase status."""


def agreement(party: Party) -> Agreement:
    """The terms between the customer and the house it buys from."""
    house = HOUSES[party.seller]
    currency = house.entity.currency
    basis = ACTUALS if party.id in ON_ACTUALS else FIXED
    return Agreement(
        legal_entity_id=house.id,
        agreement_id=f"A-{party.id[2:]}",
        version=1,
        customer_id=party.id,
        valid_from=FOUNDED,
        valid_to=LAPSED_ON if party.id == LAPSED else None,
        recorded_at=RECORDED,
        currency=currency,
        basis=basis,
        rate_card_id=f"RC-{house.id}",
        discount_percent=DISCOUNTED.get(party.id, Decimal(0)),
        minimum_charge=SMALL[currency],
        thresholds=_thresholds(house),
        actuals_cap_percent=CAP_PERCENT,
        needs_estimate=party.id not in WITHOUT_ESTIMATE,
        payment_terms=_early(party) if party.id in DISCOUNTED else None,
    )


def _early(party: Party) -> PaymentTerms:
    terms = party.customer.payment_terms
    return PaymentTerms(net_days=terms.net_days, discount_percent=Decimal(2), discount_days=10)


def _thresholds(house: House) -> tuple[Threshold, ...]:
    currency = house.entity.currency
    small = round_money(Decimal(100) * house.factor, currency)
    parts = tuple(
        Threshold(component=component, absolute=small, percent=Decimal(12))
        for component in _COMPONENTS
    )
    total = round_money(Decimal(150) * house.factor, currency)
    return (*parts, Threshold(absolute=total, percent=Decimal(6)))


# seller | product class | buyer | category | rate | exemption code | words on the document
_TAX: Final = """
DE | *                | DOMESTIC    | S  | 19  |              |
DE | book             | DOMESTIC    | S  | 7   |              |
DE | *                | EU_CONSUMER | S  | 19  |              |
DE | book             | EU_CONSUMER | S  | 7   |              |
DE | *                | EU_BUSINESS | K  | 0   | VATEX-EU-IC  | Steuerfreie innergemeinschaftliche Lieferung / intra-Community supply
DE | printing-service | EU_BUSINESS | AE | 0   | VATEX-EU-AE  | Steuerschuldnerschaft des Leistungsempfängers / reverse charge
DE | printing-service | EXPORT      | O  | 0   | VATEX-EU-O   | Nicht im Inland steuerbare Leistung / outside the scope of German VAT
DE | *                | EXPORT      | G  | 0   | VATEX-EU-G   | Steuerfreie Ausfuhrlieferung / export outside the EU
DE | *                | EXEMPT      | E  | 0   | VATEX-EU-132 | Steuerfrei gegenüber begünstigten Einrichtungen
GB | *                | DOMESTIC    | S  | 20  |              |
GB | leaflet          | DOMESTIC    | Z  | 0   |              |
GB | brochure         | DOMESTIC    | Z  | 0   |              |
GB | book             | DOMESTIC    | Z  | 0   |              |
GB | *                | EXPORT      | G  | 0   |              | Zero-rated export of goods
GB | *                | EXEMPT      | E  | 0   |              | Exempt supply to a qualifying body
JP | *                | DOMESTIC    | S  | 10  |              |
JP | *                | EXPORT      | G  | 0   |              | Export exempt from consumption tax
JP | *                | EXEMPT      | E  | 0   |              | Exempt supply
"""  # noqa: E501 - a row is a line


def tax_rules() -> Iterator[TaxRule]:
    """Value added tax of the three countries, as far as print work needs it."""
    for row in _TAX.strip().splitlines():
        seller, product, buyer, category, rate, code, words = (
            part.strip() for part in row.split("|")
        )
        yield TaxRule(
            tax_rule_id=f"{seller}-{buyer}-{'any' if product == '*' else product}",
            version=1,
            valid_from=FOUNDED,
            recorded_at=RECORDED,
            seller_country=seller,
            product_class=product,
            buyer_kind=BuyerKind(buyer),
            category=category,
            rate=Decimal(rate),
            exemption_code=code or None,
            exemption_text=words or None,
        )


def approval_policies() -> Iterator[ApprovalPolicy]:
    """Who must approve a price above 10,000, and any correction or credit note."""
    for house in HOUSES.values():
        above = round_money(Decimal(10000) * house.factor, house.entity.currency)
        for kind, limit in (
            ("price", above),
            ("correction", Decimal(0)),
            ("credit-note", Decimal(0)),
        ):
            yield ApprovalPolicy(
                legal_entity_id=house.id,
                policy_id=f"AP-{kind}",
                version=1,
                valid_from=FOUNDED,
                recorded_at=RECORDED,
                subject_kind=kind,
                base="net",
                currency=house.entity.currency,
                above=limit,
                role="billing-manager",
                deadline_hours=48,
            )


AGREEMENTS: Final = {party.id: agreement(party) for party in PARTIES.values()}
