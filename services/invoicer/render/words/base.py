"""What a language must be able to say on a document."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.events.billing import LineKind
from shared.events.production import Component


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of one language; those with braces are filled in with `str.format`."""

    language: str
    invoice: str
    invoice_number: str
    invoice_date: str
    supplied_on: str
    due_on: str
    order: str
    job: str
    customer: str
    buyer_vat_id: str
    page: str
    number: str
    description: str
    quantity: str
    unit_price: str
    per: str
    amount: str
    change_order: str
    subtotal: str
    carried_forward: str
    brought_forward: str
    net_total: str
    tax_line: str
    tax_free_line: str
    total: str
    tax: str
    taxes_by_country: Mapping[str, str]
    exemptions: Mapping[str, str]
    sections: Mapping[LineKind, str]
    estimate_heading: str
    component: str
    estimated: str
    actual: str
    difference: str
    agreed_limits: str
    within: str
    outside: str
    components: Mapping[Component, str]
    estimate_total: str
    payment_heading: str
    pay_by: str
    nothing_to_pay: str
    discount: str
    late_payment: str
    account_holder: str
    iban: str
    account: str
    bic: str
    bank: str
    reference: str
    online: str
    scan_transfer: str
    scan_link: str
    phone: str
    seller_vat_id: str
    tax_number: str
    units: Mapping[str, str]

    def tax_name(self, country: str) -> str:
        """What the tax is called in `country`."""
        return self.taxes_by_country.get(country, self.tax)

    def unit(self, code: str) -> str:
        """The unit of a UN/ECE Recommendation 20 `code`, or the code itself."""
        return self.units.get(code, code)
