"""What becomes of a price, and what people are asked."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from services.invoicer.domain.job import (
    check_path,
    correction_review,
    draft_review,
    is_newer,
    needs_correction,
)
from shared.errors import Rejected
from shared.events.billing import Path, Reason
from tests.unit.invoicer.factory import NOW, line, priced


@dataclass(frozen=True)
class Invoiced:
    """What the invoice of revision 1 was."""

    invoice_number: str = "R-2026-000001"
    revision: int = 1
    currency: str = "EUR"
    net_total: Decimal = Decimal("1027.80")


def test_the_highest_pricing_of_the_highest_revision_holds() -> None:
    price = priced(revision=2, pricing_no=3)
    assert is_newer(price, 2, 2)
    assert is_newer(price, 1, 9)
    assert not is_newer(price, 2, 3)
    assert not is_newer(price, 3, 1)


@pytest.mark.parametrize(
    ("revision", "path", "needed"),
    [
        (2, Path.STRAIGHT_THROUGH, True),
        (2, Path.REVIEW, True),
        (2, Path.HOLD, False),
        (2, Path.REJECTED, False),
        (1, Path.APPROVED, False),
    ],
)
def test_only_a_newer_revision_with_a_price_needs_a_correction(
    revision: int, path: Path, *, needed: bool
) -> None:
    assert needs_correction(priced(revision=revision, path=path), 1) is needed


def test_an_unknown_path_is_refused() -> None:
    with pytest.raises(Rejected, match="upgrade"):
        check_path(priced(path=Path.UNKNOWN))
    check_path(priced(path=Path.HOLD))


def test_a_correction_shows_both_figures() -> None:
    price = priced(line("1100.00"), revision=2, pricing_no=5, reasons=(Reason(code="x", text="y"),))
    review = correction_review(price, Invoiced(), NOW)
    assert (review.subject_kind, review.subject_id, review.subject_version) == (
        "correction",
        "J-1",
        5,
    )
    assert (review.previous_net_total, review.net_total) == (
        Decimal("1027.80"),
        Decimal("1100.00"),
    )
    assert [one.code for one in review.reasons] == ["revision-after-issue", "x"]
    assert "1027.80 EUR net became 1100.00 EUR" in review.reasons[0].text


def test_figures_of_two_currencies_are_never_set_side_by_side() -> None:
    review = correction_review(priced(revision=2), Invoiced(currency="GBP"), NOW)
    assert review.previous_net_total is None


def test_a_draft_review_names_what_is_missing() -> None:
    missing = (Reason(code="vat-id-missing", text="vat_id"),)
    review = draft_review(priced(pricing_no=4), missing, NOW)
    assert (review.subject_kind, review.subject_version, review.reasons) == ("draft", 4, missing)
    assert (review.requested_by, review.requested_at) == ("invoicer", NOW)
