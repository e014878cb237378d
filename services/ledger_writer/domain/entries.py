"""Which accounts an event moves, and that debits equal credits.

A draft is an entry without a place in the books; `chain.post` gives it one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from services.ledger_writer.domain.accounts import BANK, RECEIVABLE, REVENUE, Account, output_tax
from shared.errors import Rejected
from shared.events.accounting import Posting
from shared.events.billing import CreditNoteIssued, InvoiceIssued, TaxSubtotal
from shared.events.payments import PaymentApplied
from shared.ids import cause_id
from shared.money import ZERO, is_money

INVOICE: Final = "invoice"
CREDIT_NOTE: Final = "credit-note"
PAYMENT: Final = "payment"
REVERSAL: Final = "payment-reversal"


@dataclass(frozen=True, slots=True)
class Draft:
    """A balanced entry without a place in the books yet.

    `entry_id` derives from the business key of what caused it, so a replay drafts the same entry.
    """

    legal_entity_id: str
    entry_id: str
    kind: str
    source_id: str
    posted_on: date
    currency: str
    description: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        debit = sum((posting.debit for posting in self.postings), ZERO)
        credit = sum((posting.credit for posting in self.postings), ZERO)
        if debit != credit:
            raise Rejected(
                "unbalanced",
                "debits and credits differ; the document's own totals must be mended",
                source_id=self.source_id,
                debit=debit,
                credit=credit,
            )


def draft_invoice(event: InvoiceIssued) -> Draft:
    """Debit the receivable with the gross; credit revenue by kind of line, tax by category.

    Raises `Rejected` where the document's figures do not add up.
    """
    _check_totals(event)
    sums = _amounts(event)
    sums[RECEIVABLE] -= event.gross_total
    return Draft(
        legal_entity_id=event.legal_entity_id,
        entry_id=invoice_entry_id(event),
        kind=INVOICE,
        source_id=event.invoice_id,
        posted_on=event.issued_on,
        currency=event.currency,
        description=f"Invoice {event.invoice_number}, customer {event.buyer.customer_id}",
        postings=tuple(_postings(sums, event.invoice_number)),
    )


def draft_credit_note(event: CreditNoteIssued) -> Draft:
    """The sides of an invoice exchanged: the receivable falls, revenue and tax are taken back."""
    _check_totals(event)
    sums = _amounts(event)
    sums[RECEIVABLE] -= event.gross_total
    return Draft(
        legal_entity_id=event.legal_entity_id,
        entry_id=credit_note_entry_id(event),
        kind=CREDIT_NOTE,
        source_id=event.credit_note_id,
        posted_on=event.issued_on,
        currency=event.currency,
        description=f"Credit note {event.credit_note_number} to invoice {event.invoice_number}",
        postings=tuple(
            _postings({account: -net for account, net in sums.items()}, event.credit_note_number)
        ),
    )


def draft_payment(event: PaymentApplied) -> Draft:
    """Debit the bank, credit the receivable; a reversal (a negative amount) does the opposite."""
    _check_amounts(event.currency, {"amount": event.amount})
    if not event.amount:
        raise Rejected("amount-zero", "nothing was applied", payment_id=event.payment_id)
    kind, words = (PAYMENT, "Payment") if event.amount > 0 else (REVERSAL, "Reversal of payment")
    return Draft(
        legal_entity_id=event.legal_entity_id,
        entry_id=payment_entry_id(event),
        kind=kind,
        source_id=event.payment_id,
        posted_on=event.applied_on,
        currency=event.currency,
        description=f"{words} {event.payment_id}",
        postings=tuple(
            _postings({BANK: -event.amount, RECEIVABLE: event.amount}, event.invoice_id)
        ),
    )


def invoice_entry_id(event: InvoiceIssued) -> str:
    """The id of the entry that an invoice causes."""
    return str(cause_id("entry", INVOICE, event.legal_entity_id, event.invoice_id))


def credit_note_entry_id(event: CreditNoteIssued) -> str:
    """The id of the entry that a credit note causes."""
    return str(cause_id("entry", CREDIT_NOTE, event.legal_entity_id, event.credit_note_id))


def payment_entry_id(event: PaymentApplied) -> str:
    """The id of the entry that one application of a payment causes."""
    key = (event.legal_entity_id, event.payment_id, event.invoice_id, event.application_no)
    return str(cause_id("entry", PAYMENT, *key))


def _amounts(document: InvoiceIssued | CreditNoteIssued) -> defaultdict[Account, Decimal]:
    """Credit (negative: debit) by account, in the order in which the document names them."""
    sums: defaultdict[Account, Decimal] = defaultdict(Decimal)
    for line in document.lines:
        sums[REVENUE[line.kind]] += line.net
    for tax in document.taxes:
        sums[output_tax(tax.category, tax.rate)] += tax.tax
    return sums


def _postings(sums: Mapping[Account, Decimal], text: str) -> Iterator[Posting]:
    """One posting for each account that moves, debits first."""
    for account, net in sorted(sums.items(), key=lambda pair: pair[1] > 0):
        if net:
            yield Posting(
                account=account.code,
                account_name=account.name,
                debit=max(-net, ZERO),
                credit=max(net, ZERO),
                text=text,
            )


def _check_totals(document: InvoiceIssued | CreditNoteIssued) -> None:
    if document.gross_total < 0:
        raise Rejected(
            "gross-negative",
            "a document that gives money back is a credit note with positive figures",
            gross_total=document.gross_total,
        )
    amounts = {f"line {line.line_no} net": line.net for line in document.lines}
    _check_amounts(document.currency, {**amounts, "gross_total": document.gross_total})
    stated = {_group(tax): tax.net for tax in document.taxes}
    _agree("net_total", document.net_total, sum((line.net for line in document.lines), ZERO))
    _agree("tax_total", document.tax_total, sum((tax.tax for tax in document.taxes), ZERO))
    _agree("gross_total", document.gross_total, document.net_total + document.tax_total)
    summed: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
    for line in document.lines:
        summed[line.tax_category, line.tax_rate] += line.net
    for group in {**stated, **summed}:
        _agree(f"tax net {group[0]} {group[1]}", stated.get(group, ZERO), summed[group])


def _group(tax: TaxSubtotal) -> tuple[str, Decimal]:
    return tax.category, tax.rate


def _check_amounts(currency: str, amounts: Mapping[str, Decimal]) -> None:
    for name, amount in amounts.items():
        if not is_money(amount, currency):
            raise Rejected(
                "too-many-decimals",
                "an amount has more decimals than its currency",
                field=name,
                amount=amount,
                currency=currency,
            )


def _agree(field: str, stated: Decimal, summed: Decimal) -> None:
    if stated != summed:
        raise Rejected(
            "totals-differ",
            "the document's figures do not add up; it must be issued anew by its producer",
            field=field,
            stated=stated,
            summed=summed,
        )
