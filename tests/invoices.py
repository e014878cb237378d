"""An issued invoice and its credit note to start tests from: the worked rate-card case."""

from datetime import UTC, date, datetime
from decimal import Decimal

from shared.events.billing import (
    Buyer,
    CreditNoteIssued,
    InvoiceIssued,
    InvoiceLine,
    LineKind,
    Path,
    Seller,
    TaxSubtotal,
)
from shared.events.masterdata import Address, BankAccount, BuyerKind, PaymentTerms

SELLER = Seller(
    legal_entity_id="DE01",
    version=1,
    name="Druckhaus Spreebogen GmbH",
    address=Address(lines=("Setzerstraße 12",), postal_code="10245", city="Berlin", country="DE"),
    vat_id="DE123456788",
    registration="Amtsgericht Charlottenburg, HRB 123456 B",
    email="rechnung@spreebogen.example",
    phone="+49 30 5550 120",
    website="www.spreebogen.example",
    bank_accounts=(
        BankAccount(
            account="DE89370400440532013000",
            bic="COBADEFFXXX",
            bank_name="Beispielbank Berlin",
            currency="EUR",
        ),
    ),
    locale="de_DE",
    late_payment_text="Nach Ablauf der Zahlungsfrist berechnen wir Verzugszinsen.",
    accent_colour="#0B5C7A",
)
BUYER = Buyer(
    customer_id="C-1001",
    version=1,
    name="Verlag Nordlicht GmbH",
    address=Address(lines=("Hafenallee 3",), postal_code="20457", city="Hamburg", country="DE"),
    vat_id="DE234567894",
    contact_id="P-1001",
    locale="de_DE",
)
LINE = InvoiceLine(
    line_no=1,
    kind=LineKind.PRODUCT,
    code="BROCHURE",
    description="Programmheft, 32 Seiten",
    quantity=Decimal(5000),
    unit="H87",
    unit_price=Decimal("0.20556"),
    net=Decimal("1027.80"),
    tax_category="S",
    tax_rate=Decimal(19),
    product_class="print",
)
ISSUED = InvoiceIssued(
    legal_entity_id="DE01",
    invoice_id="8c3c1a52-3a5e-5d0e-9b3c-000000000001",
    invoice_number="R-2026-000001",
    series="R",
    fiscal_year=2026,
    sequence=1,
    document_type="380",
    issued_at=datetime(2026, 2, 16, 9, 30, tzinfo=UTC),
    issued_on=date(2026, 2, 16),
    due_on=date(2026, 3, 2),
    job_id="J-1",
    revision=1,
    pricing_no=1,
    path=Path.STRAIGHT_THROUGH,
    order_ref="PO 4711",
    description="Programmheft Frühjahr",
    completed_at=datetime(2026, 2, 13, 15, tzinfo=UTC),
    completed_on=date(2026, 2, 13),
    currency="EUR",
    buyer_kind=BuyerKind.DOMESTIC,
    seller=SELLER,
    buyer=BUYER,
    lines=(LINE,),
    taxes=(
        TaxSubtotal(category="S", rate=Decimal(19), net=Decimal("1027.80"), tax=Decimal("195.28")),
    ),
    net_total=Decimal("1027.80"),
    tax_total=Decimal("195.28"),
    gross_total=Decimal("1223.08"),
    payment_terms=PaymentTerms(net_days=14),
    payment_reference="RF18539007547034",
    payment_url="https://zahlen.spreebogen.example/r/8c3c1a52",
    time_zone="Europe/Berlin",
    calendar_country="DE",
    calendar_subdivision="BE",
)


def invoice(**changes: object) -> InvoiceIssued:
    """`ISSUED` with other fields."""
    return ISSUED.model_copy(update=changes)


def numbered(number: int, **changes: object) -> InvoiceIssued:
    """`ISSUED` as invoice `number` of its series, with an id of its own."""
    return invoice(
        invoice_id=f"8c3c1a52-3a5e-5d0e-9b3c-{number:012d}",
        invoice_number=f"R-2026-{number:06d}",
        sequence=number,
        job_id=f"J-{number}",
        **changes,
    )


def credit_note(of: InvoiceIssued = ISSUED, **changes: object) -> CreditNoteIssued:
    """A credit note over all of an invoice."""
    note = CreditNoteIssued(
        legal_entity_id=of.legal_entity_id,
        credit_note_id=f"CN-{of.invoice_id}",
        credit_note_number=f"G-2026-{of.sequence:06d}",
        series="G",
        fiscal_year=2026,
        sequence=of.sequence,
        document_type="381",
        issued_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        issued_on=date(2026, 3, 1),
        invoice_id=of.invoice_id,
        invoice_number=of.invoice_number,
        reason="wrong paper",
        currency=of.currency,
        seller=of.seller,
        buyer=of.buyer,
        lines=of.lines,
        taxes=of.taxes,
        net_total=of.net_total,
        tax_total=of.tax_total,
        gross_total=of.gross_total,
    )
    return note.model_copy(update=changes)
