"""Every event is posted to the right accounts, and every entry balances."""

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings

from services.ledger_writer.domain import entries
from services.ledger_writer.domain.accounts import REVENUE, output_tax
from shared.errors import Invalid, Rejected
from shared.events.accounting import Posting
from shared.events.billing import InvoiceIssued, LineKind, TaxSubtotal
from shared.money import ZERO
from tests.invoices import ISSUED, credit_note
from tests.unit.ledger_writer.cases import REDUCED, ZERO_RATED, invoices, issued, line, payment


def sides(draft: entries.Draft) -> list[tuple[str, str, str]]:
    return [(p.account, f"{p.debit:.2f}", f"{p.credit:.2f}") for p in draft.postings]


def test_the_handbooks_rate_card_invoice_is_posted_by_kind_of_line() -> None:
    # given the rate-card case: 1,081.90 less 5 %, VAT 19 %
    invoice = issued(
        [
            line(1, LineKind.MATERIAL, "442.00"),
            line(2, LineKind.MATERIAL, "96.90"),
            line(3, LineKind.MACHINE, "135.00"),
            line(4, LineKind.MACHINE, "288.00"),
            line(5, LineKind.FINISHING, "120.00"),
            line(6, LineKind.DISCOUNT, "-54.10"),
        ]
    )

    # when it is drafted
    draft = entries.draft_invoice(invoice)

    # then the receivable owes the gross, and revenue and tax stand on their own accounts
    assert sides(draft) == [
        ("Income:Discounts", "54.10", "0.00"),
        ("Assets:Receivable", "1223.08", "0.00"),
        ("Income:Print:Materials", "0.00", "538.90"),
        ("Income:Print:MachineTime", "0.00", "423.00"),
        ("Income:Print:Finishing", "0.00", "120.00"),
        ("Liabilities:OutputTax:S-19", "0.00", "195.28"),
    ]
    assert draft.posted_on == invoice.issued_on
    assert draft.description == "Invoice R-2026-000001, customer C-1001"


def test_two_tax_rates_on_one_invoice_stand_on_two_accounts_and_zero_on_none() -> None:
    # given leaflets at zero, cards at 19 % and a book at a rate with a fraction
    lines = [
        line(1, LineKind.PRODUCT, "100.00"),
        line(2, LineKind.PRODUCT, "50.00", ZERO_RATED),
        line(3, LineKind.PRODUCT, "10.00", REDUCED),
    ]

    # when it is drafted
    draft = entries.draft_invoice(issued(lines))

    # then only tax that is owed is posted, and its account is a valid plain-text account
    taxes = [p.account for p in draft.postings if p.account.startswith("Liabilities")]
    assert taxes == ["Liabilities:OutputTax:S-19", "Liabilities:OutputTax:S-7-5"]


def test_a_rate_is_named_the_same_however_many_zeros_it_has() -> None:
    assert output_tax("S", Decimal("19.000000")) == output_tax("S", Decimal(19))
    assert output_tax("S", Decimal(100)).name == "Output tax S 100 %"


def test_every_kind_of_line_has_an_account_of_its_own() -> None:
    assert set(REVENUE) == set(LineKind)
    assert len(set(REVENUE.values())) == len(LineKind)


def test_an_invoice_over_nothing_is_posted_without_sides() -> None:
    # given an invoice whose only line is free of charge: its number must still stand in the books
    draft = entries.draft_invoice(issued([line(1, LineKind.PRODUCT, "0.00")]))

    assert draft.postings == ()


@settings(max_examples=40)
@given(invoices())
def test_every_invoice_balances_and_owes_its_gross(invoice: InvoiceIssued) -> None:
    # when any invoice that adds up is drafted
    draft = entries.draft_invoice(invoice)

    # then debits equal credits, each posting has one side, no account stands twice
    assert sum((p.debit - p.credit for p in draft.postings), ZERO) == 0
    assert all((p.debit > 0) != (p.credit > 0) for p in draft.postings)
    assert len({p.account for p in draft.postings}) == len(draft.postings)
    # and the customer owes the gross, the state its tax, and the rest is revenue
    assert _moved(draft)["Assets"] == invoice.gross_total
    assert _moved(draft)["Liabilities"] == -invoice.tax_total
    assert _moved(draft)["Income"] == -invoice.net_total


@settings(max_examples=40)
@given(invoices())
def test_a_credit_note_over_all_of_an_invoice_nets_to_zero_on_every_account(
    invoice: InvoiceIssued,
) -> None:
    both = entries.draft_invoice(invoice), entries.draft_credit_note(credit_note(invoice))

    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for posting in (p for draft in both for p in draft.postings):
        sums[posting.account] += posting.debit - posting.credit
    assert set(sums.values()) <= {ZERO}
    assert both[0].entry_id != both[1].entry_id


def _moved(draft: entries.Draft) -> defaultdict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for posting in draft.postings:
        sums[posting.account.partition(":")[0]] += posting.debit - posting.credit
    return sums


def test_a_payment_moves_money_from_the_receivable_to_the_bank() -> None:
    draft = entries.draft_payment(payment("100.00", ISSUED))

    assert sides(draft) == [
        ("Assets:Bank", "100.00", "0.00"),
        ("Assets:Receivable", "0.00", "100.00"),
    ]
    assert (draft.kind, draft.source_id) == ("payment", "PAY-1")


def test_a_reversal_is_an_entry_of_its_own_with_the_sides_exchanged() -> None:
    there = entries.draft_payment(payment("100.00", ISSUED))
    back = entries.draft_payment(payment("-100.00", ISSUED, application_no=2))

    assert sides(back) == [
        ("Assets:Receivable", "100.00", "0.00"),
        ("Assets:Bank", "0.00", "100.00"),
    ]
    assert back.kind == "payment-reversal"
    assert back.entry_id != there.entry_id


def test_the_same_fact_has_the_same_entry_id_and_other_facts_have_others() -> None:
    # a replay must draft the same entry; parts of the key must not run into each other
    one = payment("1.00", ISSUED, payment_id="PAY-1", application_no=11)
    other = payment("1.00", ISSUED, payment_id="PAY-11", application_no=1)

    assert entries.payment_entry_id(one) == entries.payment_entry_id(one.model_copy())
    assert entries.payment_entry_id(one) != entries.payment_entry_id(other)


def test_nothing_applied_is_rejected() -> None:
    with pytest.raises(Rejected) as caught:
        entries.draft_payment(payment("0.00", ISSUED))

    assert caught.value.code == "amount-zero"


@pytest.mark.parametrize("field", ["net_total", "tax_total", "gross_total"])
def test_a_document_whose_totals_do_not_add_up_is_rejected(field: str) -> None:
    # given an invoice that is a cent off in one total
    off = ISSUED.model_copy(update={field: getattr(ISSUED, field) + Decimal("0.01")})

    with pytest.raises(Rejected) as caught:
        entries.draft_invoice(off)

    assert caught.value.code == "totals-differ"
    assert caught.value.facts["field"] in {"net_total", "tax_total", "gross_total"}


def test_tax_stated_on_another_base_than_the_lines_is_rejected() -> None:
    # given lines at 19 % and tax stated at 7 %, the totals being right
    off = TaxSubtotal(category="S", rate=Decimal(7), net=ISSUED.net_total, tax=ISSUED.tax_total)

    with pytest.raises(Rejected) as caught:
        entries.draft_invoice(ISSUED.model_copy(update={"taxes": (off,)}))

    assert caught.value.facts["field"] == "tax net S 7"


def test_a_category_stated_twice_is_rejected() -> None:
    # given one category split into two subtotals that add up
    half = ISSUED.taxes[0].model_copy(update={"net": Decimal("513.90"), "tax": Decimal("97.64")})

    with pytest.raises(Rejected) as caught:
        entries.draft_invoice(ISSUED.model_copy(update={"taxes": (half, half)}))

    assert caught.value.code == "totals-differ"


def test_an_amount_with_more_decimals_than_its_currency_is_rejected() -> None:
    with pytest.raises(Rejected) as caught:
        entries.draft_invoice(issued([line(1, LineKind.PRODUCT, "1.005", ZERO_RATED)]))

    assert caught.value.code == "too-many-decimals"
    assert caught.value.facts["field"] == "line 1 net"


def test_an_unknown_currency_is_invalid() -> None:
    with pytest.raises(Invalid):
        entries.draft_payment(payment("1.00", ISSUED).model_copy(update={"currency": "QQQ"}))


def test_an_invoice_that_gives_money_back_is_rejected() -> None:
    with pytest.raises(Rejected) as caught:
        entries.draft_invoice(issued([line(1, LineKind.DISCOUNT, "-1.00")]))

    assert caught.value.code == "gross-negative"


def test_a_draft_that_does_not_balance_cannot_be_made() -> None:
    # given one side only
    lonely = Posting(account="Assets:Bank", account_name="Bank", debit=Decimal(1))
    draft = entries.draft_payment(payment("1.00", ISSUED))

    with pytest.raises(Rejected) as caught:
        entries.Draft(
            legal_entity_id=draft.legal_entity_id,
            entry_id=draft.entry_id,
            kind=draft.kind,
            source_id=draft.source_id,
            posted_on=draft.posted_on,
            currency=draft.currency,
            description=draft.description,
            postings=(lonely,),
        )

    assert caught.value.code == "unbalanced"
