"""What stands in the books stands there once, and accounting is told the document's own figures."""

from decimal import Decimal

import pytest

from services.ledger_writer.domain import chain, documents, entries, told
from shared.errors import Rejected
from tests.invoices import ISSUED, credit_note
from tests.unit.ledger_writer.cases import NOW, payment


def test_what_was_never_posted_does_not_stand() -> None:
    assert not documents.stands(None, documents.of_invoice(ISSUED))


def test_the_same_document_again_stands() -> None:
    # given figures as the database gives them back, with four decimals
    stored = documents.of_invoice(ISSUED.model_copy(update={"net_total": Decimal("1027.8000")}))

    assert documents.stands(stored, documents.of_invoice(ISSUED))


@pytest.mark.parametrize(
    ("posted", "received"),
    [
        (
            documents.of_invoice(ISSUED),
            documents.of_invoice(ISSUED.model_copy(update={"invoice_number": "R-2026-000002"})),
        ),
        (
            documents.of_credit_note(credit_note()),
            documents.of_credit_note(credit_note(net_total=Decimal(1))),
        ),
        (
            documents.application(payment("1.00", ISSUED)),
            documents.application(payment("2.00", ISSUED)),
        ),
    ],
    ids=["invoice", "credit note", "application"],
)
def test_the_same_fact_with_other_content_is_rejected(
    posted: documents.Document | documents.Application,
    received: documents.Document | documents.Application,
) -> None:
    with pytest.raises(Rejected) as caught:
        documents.stands(posted, received)

    assert caught.value.code == "posted-otherwise"


def test_a_number_belongs_to_one_document() -> None:
    document = documents.of_invoice(ISSUED)

    documents.check_number(document.document_id, document)
    with pytest.raises(Rejected) as caught:
        documents.check_number("another", document)

    assert caught.value.code == "number-posted-before"


def test_accounting_is_told_the_invoice_as_issued() -> None:
    entry = chain.post(entries.draft_invoice(ISSUED), chain.first_head("DE01"), NOW)

    posted = told.invoice_posted(ISSUED, entry)

    assert (posted.document_type, posted.document_number) == ("380", "R-2026-000001")
    assert (posted.net_total, posted.tax_total, posted.gross_total) == (
        Decimal("1027.80"),
        Decimal("195.28"),
        Decimal("1223.08"),
    )
    assert [(t.category, t.rate, t.net, t.tax) for t in posted.taxes] == [
        ("S", Decimal(19), Decimal("1027.80"), Decimal("195.28"))
    ]
    assert (posted.entry_id, posted.posted_at) == (entry.entry_id, NOW)
    assert (posted.customer_vat_id, posted.job_id, posted.due_on) == (
        "DE234567894",
        "J-1",
        ISSUED.due_on,
    )


def test_accounting_is_told_of_a_credit_note_with_positive_figures() -> None:
    note = credit_note()
    entry = chain.post(entries.draft_credit_note(note), chain.first_head("DE01"), NOW)

    posted = told.credit_note_posted(note, entry)

    assert (posted.document_type, posted.document_id) == ("381", note.credit_note_id)
    assert posted.invoice_id == ISSUED.invoice_id
    assert posted.gross_total == Decimal("1223.08")
    assert posted.due_on is None
