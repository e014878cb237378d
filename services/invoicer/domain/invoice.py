"""From a billable price to an issued invoice: whose, how taxed, how much, when due."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from services.invoicer.domain.master import check_terms
from services.invoicer.domain.numbering import Series, take_number
from services.invoicer.domain.tax import (
    TaxCase,
    TaxedLine,
    TaxHold,
    rules_in_force,
    subtotals,
    tax_lines,
)
from services.invoicer.domain.terms import payment_reference, payment_url
from shared.calendar import pay_by
from shared.clock import local_date
from shared.errors import Rejected
from shared.events.billing import (
    Buyer,
    InvoiceIssued,
    InvoiceLine,
    JobPriced,
    Reason,
    Seller,
    TaxSubtotal,
)
from shared.events.masterdata import BuyerKind, Customer, LegalEntity, PaymentTerms, TaxRule
from shared.ids import cause_id
from shared.money import ZERO, is_money
from shared.validity import in_force

INVOICE: Final = "380"  # UNCL1001: commercial invoice


@dataclass(frozen=True)
class Known:
    """Every version this service knows of the seller, the buyer and the seller's tax rules."""

    entities: tuple[LegalEntity, ...]
    customers: tuple[Customer, ...]
    rules: tuple[TaxRule, ...]


@dataclass(frozen=True)
class Draft:
    """An invoice with all its figures and no number, date or due date yet."""

    priced: JobPriced
    seller: LegalEntity
    buyer: Customer
    buyer_kind: BuyerKind
    lines: tuple[InvoiceLine, ...]
    taxes: tuple[TaxSubtotal, ...]
    tax_total: Decimal
    terms: PaymentTerms


def invoice_id(legal_entity_id: str, job_id: str) -> str:
    """The id of the one invoice of a job."""
    return str(cause_id("invoice", legal_entity_id, job_id))


def newest(entities: Iterable[LegalEntity]) -> LegalEntity:
    """The version that says the zone and from when on the entity is live: the highest."""
    return max(entities, key=lambda entity: entity.version)


def is_live(priced: JobPriced, entity: LegalEntity) -> bool:
    """Whether the job was completed on or after the first day on which `entity` is live."""
    return entity.live_from is None or priced.completed_on >= entity.live_from


def draft(priced: JobPriced, known: Known, now: datetime) -> Draft | TaxHold:
    """The invoice of a billable price, or what is missing.

    Seller and buyer stand on it as they are on the day of issue; the tax is that of the day of
    completion. Raises `Rejected` when the price contradicts itself.
    """
    check_priced(priced)
    today = local_date(now, newest(known.entities).time_zone)
    seller = in_force(known.entities, today)
    supplied_to = in_force(known.customers, priced.completed_on)
    if seller is None or supplied_to is None:
        return _nobody(priced, seller)
    rules = rules_in_force(known.rules, priced.completed_on)
    case = TaxCase(seller, supplied_to, rules, priced.completed_on)
    taxed = tax_lines(priced.lines, case)
    if isinstance(taxed, TaxHold):
        return taxed
    taxes = subtotals(taxed, priced.currency)
    buyer = in_force(known.customers, today) or supplied_to
    return Draft(
        priced=priced,
        seller=seller,
        buyer=buyer,
        buyer_kind=taxed[0].buyer_kind,
        lines=tuple(map(_invoice_line, taxed)),
        taxes=taxes,
        tax_total=sum((tax.tax for tax in taxes), ZERO),
        terms=priced.payment_terms or buyer.payment_terms,
    )


def issue(
    ready: Draft, known_series: Iterable[Series], now: datetime, link_key: bytes | None
) -> tuple[InvoiceIssued, Series]:
    """The issued invoice and the series advanced by its number; both are written or neither.

    `known_series` are the locked rows of the seller's series; `now` was read while holding them.
    """
    priced, seller = ready.priced, ready.seller
    today = local_date(now, seller.time_zone)
    taken = take_number(
        known_series,
        priced.legal_entity_id,
        seller.invoice_series,
        seller.fiscal_year_start_month,
        today,
    )
    identity = invoice_id(priced.legal_entity_id, priced.job_id)
    calendar = (seller.calendar_country, seller.calendar_subdivision)
    issued = InvoiceIssued(
        legal_entity_id=priced.legal_entity_id,
        invoice_id=identity,
        invoice_number=taken.invoice_number,
        series=taken.series,
        fiscal_year=taken.fiscal_year,
        sequence=taken.last_number,
        document_type=INVOICE,
        issued_at=now,
        issued_on=taken.last_issued_on,
        due_on=pay_by(taken.last_issued_on, ready.terms.net_days, *calendar),
        job_id=priced.job_id,
        revision=priced.revision,
        pricing_no=priced.pricing_no,
        path=priced.path,
        order_ref=priced.order_ref,
        description=priced.description,
        completed_at=priced.completed_at,
        completed_on=priced.completed_on,
        currency=priced.currency,
        buyer_kind=ready.buyer_kind,
        seller=_seller(seller),
        buyer=_buyer(ready.buyer),
        lines=ready.lines,
        taxes=ready.taxes,
        net_total=priced.net_total,
        tax_total=ready.tax_total,
        gross_total=priced.net_total + ready.tax_total,
        payment_terms=ready.terms,
        payment_reference=payment_reference(taken.invoice_number),
        payment_url=_link(seller, identity, link_key),
        variances=priced.variances if priced.show_estimate else (),
        time_zone=seller.time_zone,
        calendar_country=seller.calendar_country,
        calendar_subdivision=seller.calendar_subdivision,
    )
    return issued, taken


def check_priced(priced: JobPriced) -> None:
    """Raise `Rejected` unless the price has lines, in money, that sum to a total not below 0."""
    if not priced.lines:
        raise Rejected("no-lines", "a billable price has at least one line", job_id=priced.job_id)
    for line in priced.lines:
        if not is_money(line.net, priced.currency):
            message = f"net of line {line.line_no} has more decimals than the currency"
            raise Rejected("not-money", message, net=line.net, currency=priced.currency)
    total = sum((line.net for line in priced.lines), ZERO)
    if total != priced.net_total:
        message = "net_total is not the sum of the lines' net"
        raise Rejected("total-mismatch", message, net_total=priced.net_total, sum=total)
    if total < 0:
        message = "an invoice cannot ask for less than nothing: credit notes take back"
        raise Rejected("negative-total", message, net_total=total)
    if priced.payment_terms:
        check_terms(priced.payment_terms)


def _link(seller: LegalEntity, identity: str, key: bytes | None) -> str | None:
    """No link where the entity takes no payment online, or nobody has given a key for it."""
    base = seller.payment_base_url
    return payment_url(base, key, identity) if base and key else None


def _nobody(priced: JobPriced, seller: LegalEntity | None) -> TaxHold:
    if seller is None:
        who = f"legal entity {priced.legal_entity_id}: no version is in force today"
        return TaxHold((Reason(code="seller-not-in-force", text=f"valid_from of {who}"),))
    text = f"valid_from of customer {priced.customer_id}: none is in force on {priced.completed_on}"
    return TaxHold((Reason(code="buyer-not-in-force", text=text),))


def _invoice_line(taxed: TaxedLine) -> InvoiceLine:
    line = taxed.line
    return InvoiceLine(
        line_no=line.line_no,
        kind=line.kind,
        code=line.code,
        description=line.description,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        per=line.per,
        net=line.net,
        tax_category=taxed.rule.category,
        tax_rate=taxed.rule.rate,
        product_class=line.product_class,
        change_order_ref=line.change_order_ref,
    )


def _seller(entity: LegalEntity) -> Seller:
    return Seller(
        legal_entity_id=entity.legal_entity_id,
        version=entity.version,
        name=entity.name,
        address=entity.address,
        vat_id=entity.vat_id,
        tax_number=entity.tax_number,
        registration=entity.registration,
        email=entity.email,
        phone=entity.phone,
        website=entity.website,
        bank_accounts=entity.bank_accounts,
        locale=entity.locale,
        late_payment_text=entity.late_payment_text,
        logo=entity.logo,
        accent_colour=entity.accent_colour,
    )


def _buyer(customer: Customer) -> Buyer:
    return Buyer(
        customer_id=customer.customer_id,
        version=customer.version,
        name=customer.name,
        address=customer.address,
        vat_id=customer.vat_id,
        contact_id=customer.contact_id,
        locale=customer.locale,
    )
