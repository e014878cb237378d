"""Sellers, buyers, tax rules and prices for the invoicer's tests, each with sensible defaults."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from services.invoicer.domain.invoice import Known, draft, issue
from services.invoicer.domain.tax import TaxHold
from shared.events.billing import InvoiceIssued, JobPriced, LineKind, Path, PricedLine, Variance
from shared.events.masterdata import (
    Address,
    BankAccount,
    Basis,
    BuyerKind,
    Channel,
    Customer,
    LegalEntity,
    PaymentTerms,
    TaxRule,
)
from shared.events.production import Component

NOW = datetime(2026, 3, 3, 10, 30, tzinfo=UTC)
FOUNDED = date(2020, 1, 1)
KEY = b"a key for tests, 32 bytes long..."
EUR_ACCOUNT = BankAccount(
    account="DE89370400440532013000",
    bic="COBADEFFXXX",
    bank_name="Beispielbank Berlin",
    currency="EUR",
)


def _with(fields: dict[str, Any], changes: dict[str, object]) -> dict[str, Any]:
    return fields | changes


def address(country: str = "DE", **changes: object) -> Address:
    fields: dict[str, Any] = {
        "lines": ("Setzerstraße 12",),
        "postal_code": "10245",
        "city": "Berlin",
        "country": country,
    }
    return Address(**_with(fields, changes))


def entity(**changes: object) -> LegalEntity:
    fields: dict[str, Any] = {
        "legal_entity_id": "DE01",
        "version": 1,
        "valid_from": FOUNDED,
        "recorded_at": NOW,
        "name": "Druckhaus Spreebogen GmbH",
        "address": address(),
        "vat_id": "DE123456788",
        "tax_number": "37/123/45678",
        "registration": "Amtsgericht Charlottenburg, HRB 123456 B",
        "email": "rechnung@spreebogen.example",
        "phone": "+49 30 5550 120",
        "website": "https://spreebogen.example",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "calendar_country": "DE",
        "calendar_subdivision": "BE",
        "locale": "de_DE",
        "invoice_series": "R",
        "bank_accounts": (EUR_ACCOUNT,),
        "payment_base_url": "https://zahlen.spreebogen.example/r",
        "accent_colour": "#0B5C7A",
    }
    return LegalEntity(**_with(fields, changes))


def customer(**changes: object) -> Customer:
    fields: dict[str, Any] = {
        "customer_id": "C-1001",
        "version": 1,
        "valid_from": FOUNDED,
        "recorded_at": NOW,
        "name": "Verlag Nordlicht GmbH",
        "address": address(lines=("Hafenallee 3",), postal_code="20457", city="Hamburg"),
        "vat_id": "DE234567894",
        "locale": "de_DE",
        "preferred_channel": Channel.EMAIL,
        "contact_id": "P-1001",
        "payment_terms": PaymentTerms(net_days=30),
    }
    return Customer(**_with(fields, changes))


def tax_rule(**changes: object) -> TaxRule:
    fields: dict[str, Any] = {
        "tax_rule_id": "DE-DOMESTIC-any",
        "version": 1,
        "valid_from": FOUNDED,
        "recorded_at": NOW,
        "seller_country": "DE",
        "product_class": "*",
        "buyer_kind": BuyerKind.DOMESTIC,
        "category": "S",
        "rate": Decimal(19),
    }
    return TaxRule(**_with(fields, changes))


def line(net: str = "1081.90", line_no: int = 1, **changes: object) -> PricedLine:
    fields: dict[str, Any] = {
        "line_no": line_no,
        "kind": LineKind.PRODUCT,
        "code": "product",
        "description": "Broschüre A4, 32 Seiten",
        "quantity": Decimal(1),
        "unit": "LS",
        "unit_price": Decimal(net),
        "net": Decimal(net),
        "product_class": "brochure",
    }
    return PricedLine(**_with(fields, changes))


def priced(*lines: PricedLine, **changes: object) -> JobPriced:
    given = lines or (line(),)
    fields: dict[str, Any] = {
        "legal_entity_id": "DE01",
        "job_id": "J-1",
        "revision": 1,
        "pricing_no": 1,
        "customer_id": "C-1001",
        "order_ref": "PO 4711",
        "description": "Broschüre „Nordlicht 2026“, A4, 32 Seiten, Rückendrahtheftung",
        "completed_at": datetime(2026, 3, 2, 15, 0, tzinfo=UTC),
        "completed_on": date(2026, 3, 2),
        "path": Path.STRAIGHT_THROUGH,
        "rule_version": "1",
        "currency": "EUR",
        "basis": Basis.RATE_CARD,
        "lines": given,
        "net_total": sum((one.net for one in given), Decimal(0)),
    }
    return JobPriced(**_with(fields, changes))


_RATE_CARD = """
MATERIAL  | Bilderdruck matt 170 g/m², 70 × 100 cm | 5200  | ST  | 0.085  | 1    | 442.00
MATERIAL  | Druckfarbe, Skala CMYK                 | 3.4   | KGM | 28.50  | 1    | 96.90
MACHINE   | Einrichten, Bogenoffset 5-farbig       | 0.75  | HUR | 180    | 1    | 135.00
MACHINE   | Fortdruck, Bogenoffset 5-farbig        | 1.6   | HUR | 180    | 1    | 288.00
FINISHING | Falzen, 2-Bruch-Kreuzfalz              | 10000 | H87 | 12     | 1000 | 120.00
DISCOUNT  | Nachlass 5 %                           | 1     | LS  | -54.10 | 1    | -54.10
"""


def rate_card_lines() -> tuple[PricedLine, ...]:
    """The worked rate-card figures: 1,081.90 less 5 % = 1,027.80 net."""
    return tuple(_rate_card_lines())


def _rate_card_lines() -> Iterator[PricedLine]:
    for number, row in enumerate(_RATE_CARD.strip().splitlines(), 1):
        kind, text, quantity, unit, price, per, net = (part.strip() for part in row.split("|"))
        yield line(
            net,
            number,
            kind=LineKind(kind),
            description=text,
            quantity=Decimal(quantity),
            unit=unit,
            unit_price=Decimal(price),
            per=Decimal(per),
            code=f"code-{number}",
        )


def variances() -> tuple[Variance, ...]:
    rows = (
        (Component.SUBSTRATE, "430.00", "442.00", "2.790698", True),
        (Component.INK, "90.00", "96.90", "7.666667", True),
        (Component.MACHINE, "400.00", "423.00", "5.75", True),
        (Component.FINISHING, "120.00", "120.00", "0", True),
        (None, "1040.00", "1081.90", "4.028846", True),
    )
    return tuple(
        Variance(
            component=component,
            estimated=Decimal(estimated),
            actual=Decimal(actual),
            difference=Decimal(actual) - Decimal(estimated),
            percent=Decimal(percent),
            within=within,
        )
        for component, estimated, actual, percent, within in rows
    )


def known(
    seller: LegalEntity | None = None, buyer: Customer | None = None, *rules: TaxRule
) -> Known:
    return Known((seller or entity(),), (buyer or customer(),), rules or (tax_rule(),))


def invoice(
    price: JobPriced | None = None,
    seller: LegalEntity | None = None,
    buyer: Customer | None = None,
    *rules: TaxRule,
    now: datetime = NOW,
) -> InvoiceIssued:
    """An issued invoice, made by the rules themselves."""
    ready = draft(price or priced(), known(seller, buyer, *rules), now)
    assert not isinstance(ready, TaxHold), ready
    return issue(ready, (), now, KEY)[0]
