"""Tax by rule table: which rule each line falls under, and tax per category and rate.

What cannot be decided from the data is named, field by field; nothing is ever taxed by guess.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from stdnum.eu import vat

from shared.events.billing import PricedLine, Reason, TaxSubtotal
from shared.events.masterdata import BuyerKind, Customer, LegalEntity, TaxRule
from shared.money import ZERO, round_money
from shared.validity import in_force

EU: Final = frozenset(
    """AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK""".split()
)
ANY_CLASS: Final = "*"
_REVERSE_CHARGE: Final = "AE"
_HUNDRED: Final = Decimal(100)


@dataclass(frozen=True)
class TaxCase:
    """What decides the tax of a job's lines: who sells, who buys, and the rules of that day."""

    seller: LegalEntity
    buyer: Customer
    rules: tuple[TaxRule, ...]
    on: date


@dataclass(frozen=True)
class TaxedLine:
    """A line, the kind of buyer it was sold to, and the rule it falls under."""

    line: PricedLine
    buyer_kind: BuyerKind
    rule: TaxRule


@dataclass(frozen=True)
class TaxHold:
    """What is missing before the job can be invoiced, each reason naming a field."""

    reasons: tuple[Reason, ...]


def rules_in_force(versions: Iterable[TaxRule], on: date) -> tuple[TaxRule, ...]:
    """The version of every rule that holds on `on`, by rule id."""
    by_id: dict[str, list[TaxRule]] = {}
    for version in versions:
        by_id.setdefault(version.tax_rule_id, []).append(version)
    found = (in_force(by_id[rule_id], on) for rule_id in sorted(by_id))
    return tuple(rule for rule in found if rule)


def tax_lines(lines: Sequence[PricedLine], case: TaxCase) -> tuple[TaxedLine, ...] | TaxHold:
    """The rule of every line, or everything that is missing to find them."""
    common = {line.ship_to_country for line in lines if line.ship_to_country}
    outcomes = [_tax_line(line, common, case) for line in lines]
    missing = {reason: None for reason in outcomes if isinstance(reason, Reason)}
    if missing:
        return TaxHold(tuple(missing))
    return tuple(taxed for taxed in outcomes if isinstance(taxed, TaxedLine))


def subtotals(taxed: Sequence[TaxedLine], currency: str) -> tuple[TaxSubtotal, ...]:
    """Tax per category and rate on the sum of the rounded line nets, half up; highest rate first.

    Source: EN 16931 BR-CO-17 (tax per category on the category's taxable amount).
    """
    groups: dict[tuple[str, Decimal], list[TaxedLine]] = {}
    for one in taxed:
        groups.setdefault((one.rule.category, one.rule.rate), []).append(one)
    order = sorted(groups, key=lambda group: (-group[1], group[0]))
    return tuple(_subtotal(*group, groups[group], currency) for group in order)


def buyer_kind(place: str, case: TaxCase) -> BuyerKind | Reason:
    """What the buyer is, for a supply that takes place in the country `place`.

    Inside the EU a business counts as one by its valid VAT id from another member state than the
    seller's (2006/112/EC art. 138). An exemption certificate holds at home and until its date.
    """
    home = case.seller.address.country
    if place == home:
        return BuyerKind.EXEMPT if _exempt(case.buyer, case.on) else BuyerKind.DOMESTIC
    if home not in EU or place not in EU:
        return BuyerKind.EXPORT
    if not case.buyer.is_business:
        return BuyerKind.EU_CONSUMER
    return _missing_vat_id(case.buyer, home) or BuyerKind.EU_BUSINESS


def _tax_line(line: PricedLine, common: set[str], case: TaxCase) -> TaxedLine | Reason:
    place = _place(line, common, case)
    if isinstance(place, Reason):
        return place
    kind = buyer_kind(place, case)
    if isinstance(kind, Reason):
        return kind
    rules = _rules_for(line.product_class, kind, case)
    if not rules:
        return _no_rule(line.product_class, kind, case)
    if len({(rule.category, rule.rate) for rule in rules}) > 1:
        return _contradiction(rules)
    return TaxedLine(line, kind, rules[0])


def _place(line: PricedLine, common: set[str], case: TaxCase) -> str | Reason:
    """Where the supply takes place: goods where they go, services to a business where it sits.

    The rules say what a service is: a class whose EU business buyer owes the tax (AE).
    """
    home, theirs = case.seller.address.country, case.buyer.address.country
    abroad = _rules_for(line.product_class, BuyerKind.EU_BUSINESS, case)
    if any(rule.category == _REVERSE_CHARGE for rule in abroad):
        return theirs if case.buyer.is_business else home
    if line.ship_to_country:
        return line.ship_to_country
    if len(common) == 1:
        return next(iter(common))
    if theirs == home:
        return home
    return Reason(
        code="ship-to-missing",
        text=f"ship_to_country of line {line.line_no}: the buyer is in {theirs}, and only where"
        f" the goods went says how they are taxed; send a new revision of the job that says it",
    )


def _rules_for(product_class: str, kind: BuyerKind, case: TaxCase) -> list[TaxRule]:
    """The rules of the closest match: the class before "*", then the region before none."""
    address = case.seller.address
    matching: dict[tuple[bool, bool], list[TaxRule]] = {}
    for rule in case.rules:
        if (
            rule.seller_country == address.country
            and rule.buyer_kind is kind
            and rule.product_class in {product_class, ANY_CLASS}
            and rule.seller_region in {None, address.region}
        ):
            closeness = (rule.product_class == product_class, rule.seller_region is not None)
            matching.setdefault(closeness, []).append(rule)
    return matching[max(matching)] if matching else []


def _subtotal(
    category: str, rate: Decimal, lines: Sequence[TaxedLine], currency: str
) -> TaxSubtotal:
    net = sum((one.line.net for one in lines), ZERO)
    codes = sorted({one.rule.exemption_code for one in lines if one.rule.exemption_code})
    texts = {one.rule.exemption_text: None for one in lines if one.rule.exemption_text}
    return TaxSubtotal(
        category=category,
        rate=rate,
        net=net,
        tax=round_money(net * rate / _HUNDRED, currency),
        exemption_code=codes[0] if len(codes) == 1 else None,
        exemption_text="; ".join(texts) or None,
    )


def _exempt(buyer: Customer, on: date) -> bool:
    until = buyer.tax_exemption_until
    return buyer.tax_exemption_ref is not None and (until is None or on <= until)


def _missing_vat_id(buyer: Customer, home: str) -> Reason | None:
    """Why `buyer` cannot pass as a business of another member state, or None when it can."""
    if buyer.vat_id is None:
        text = "a business in another member state needs one; or say that it is no business"
    elif not vat.is_valid(buyer.vat_id):
        text = f"{buyer.vat_id} is no valid VAT id of a member state"
    elif _vat_country(buyer.vat_id) == home:
        text = f"{buyer.vat_id} is of the seller's own country; another member state's is needed"
    else:
        return None
    return Reason(code="vat-id-missing", text=f"vat_id of customer {buyer.customer_id}: {text}")


def _vat_country(vat_id: str) -> str:
    prefix = vat.compact(vat_id)[:2].upper()
    return "GR" if prefix == "EL" else prefix


def _no_rule(product_class: str, kind: BuyerKind, case: TaxCase) -> Reason:
    country = case.seller.address.country
    return Reason(
        code="tax-rule-missing",
        text=f"tax rule: none in force on {case.on} for product class {product_class} sold from"
        f" {country} to {kind}; publish one",
    )


def _contradiction(rules: Sequence[TaxRule]) -> Reason:
    names = ", ".join(f"{rule.tax_rule_id} v{rule.version}" for rule in rules)
    return Reason(
        code="tax-rules-contradict",
        text=f"tax rule: {names} hold for the same case and say different things; end one of them",
    )
