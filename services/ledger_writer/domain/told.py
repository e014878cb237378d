"""What the accounting department is told of a posted document."""

from shared.events.accounting import EntryPosted, InvoicePosted, PostedTax
from shared.events.billing import CreditNoteIssued, InvoiceIssued, TaxSubtotal


def invoice_posted(event: InvoiceIssued, entry: EntryPosted) -> InvoicePosted:
    """The posted invoice, as the accounting department's systems take it up."""
    return InvoicePosted(
        legal_entity_id=event.legal_entity_id,
        invoice_id=event.invoice_id,
        document_type=event.document_type,
        document_id=event.invoice_id,
        document_number=event.invoice_number,
        entry_id=entry.entry_id,
        posted_at=entry.posted_at,
        posted_on=entry.posted_on,
        issued_on=event.issued_on,
        due_on=event.due_on,
        customer_id=event.buyer.customer_id,
        customer_name=event.buyer.name,
        customer_vat_id=event.buyer.vat_id,
        job_id=event.job_id,
        completed_at=event.completed_at,
        currency=event.currency,
        net_total=event.net_total,
        tax_total=event.tax_total,
        gross_total=event.gross_total,
        taxes=tuple(map(_posted_tax, event.taxes)),
        payment_reference=event.payment_reference,
    )


def credit_note_posted(event: CreditNoteIssued, entry: EntryPosted) -> InvoicePosted:
    """The posted credit note; figures positive, `document_type` says which way they count."""
    return InvoicePosted(
        legal_entity_id=event.legal_entity_id,
        invoice_id=event.invoice_id,
        document_type=event.document_type,
        document_id=event.credit_note_id,
        document_number=event.credit_note_number,
        entry_id=entry.entry_id,
        posted_at=entry.posted_at,
        posted_on=entry.posted_on,
        issued_on=event.issued_on,
        customer_id=event.buyer.customer_id,
        customer_name=event.buyer.name,
        customer_vat_id=event.buyer.vat_id,
        currency=event.currency,
        net_total=event.net_total,
        tax_total=event.tax_total,
        gross_total=event.gross_total,
        taxes=tuple(map(_posted_tax, event.taxes)),
    )


def _posted_tax(tax: TaxSubtotal) -> PostedTax:
    return PostedTax(category=tax.category, rate=tax.rate, net=tax.net, tax=tax.tax)
