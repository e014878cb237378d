"""What becomes of a job's price at the invoicer, and what it asks people about."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from shared.errors import Rejected
from shared.events.billing import BILLABLE_PATHS, JobPriced, Path, Reason, ReviewRequested

SERVICE_NAME: Final = "invoicer"
INVOICED: Final = "invoiced"
CORRECTION_OPEN: Final = "correction_open"
TAX_HOLD: Final = "tax_hold"
NOT_LIVE: Final = "not_live"
UNBILLABLE: Final = {Path.REVIEW: "review", Path.HOLD: "hold", Path.REJECTED: "rejected"}
STATES: Final = (*UNBILLABLE.values(), TAX_HOLD, NOT_LIVE, INVOICED, CORRECTION_OPEN)


class Issued(Protocol):
    """What a correction needs to know of the invoice: a row of it will do."""

    @property
    def invoice_number(self) -> str: ...  # noqa: D102 -- a field
    @property
    def revision(self) -> int: ...  # noqa: D102 -- a field
    @property
    def currency(self) -> str: ...  # noqa: D102 -- a field
    @property
    def net_total(self) -> Decimal: ...  # noqa: D102 -- a field


_DRAFT: Final = "draft"
_CORRECTION: Final = "correction"
_PRICED: Final = BILLABLE_PATHS | {Path.REVIEW}


def is_newer(priced: JobPriced, revision: int, pricing_no: int) -> bool:
    """Whether `priced` replaces the price with that revision and number: no older one ever does."""
    return (priced.revision, priced.pricing_no) > (revision, pricing_no)


def needs_correction(priced: JobPriced, invoiced_revision: int) -> bool:
    """Whether a price that came after the invoice must go before a person.

    A later price of the revision that was invoiced changes nothing; a newer revision does, once
    it has a price at all.
    """
    return priced.revision > invoiced_revision and priced.path in _PRICED


def check_path(priced: JobPriced) -> None:
    """Raise `Rejected` on a path that this version does not know."""
    if priced.path not in BILLABLE_PATHS and priced.path not in UNBILLABLE:
        message = "a billing path that this version does not know: upgrade the invoicer first"
        raise Rejected("path-unknown", message, path=priced.path)


def draft_review(priced: JobPriced, reasons: tuple[Reason, ...], now: datetime) -> ReviewRequested:
    """The request to mend what keeps a billable price from becoming an invoice."""
    return ReviewRequested(
        legal_entity_id=priced.legal_entity_id,
        subject_kind=_DRAFT,
        subject_id=priced.job_id,
        subject_version=priced.pricing_no,
        requested_at=now,
        requested_by=SERVICE_NAME,
        reasons=reasons,
        currency=priced.currency,
        net_total=priced.net_total,
    )


def correction_review(priced: JobPriced, issued: Issued, now: datetime) -> ReviewRequested:
    """The request to decide whether an issued invoice is to be corrected, with both totals."""
    text = (
        f"revision {priced.revision} of the job arrived after invoice {issued.invoice_number} of"
        f" revision {issued.revision}: {issued.net_total} {issued.currency} net became"
        f" {priced.net_total} {priced.currency}"
    )
    same_currency = issued.currency == priced.currency
    return ReviewRequested(
        legal_entity_id=priced.legal_entity_id,
        subject_kind=_CORRECTION,
        subject_id=priced.job_id,
        subject_version=priced.pricing_no,
        requested_at=now,
        requested_by=SERVICE_NAME,
        reasons=(Reason(code="revision-after-issue", text=text), *priced.reasons),
        currency=priced.currency,
        net_total=priced.net_total,
        previous_net_total=issued.net_total if same_currency else None,
    )
