"""Gang runs: several jobs on one sheet share its material, time and work by area times copies.

Every job of the sheet is told the same shares and works out its own part; cumulative rounding in
one order (by job id) makes the parts of all jobs sum exactly to the whole.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from services.metrics_extractor.domain.units import COUNTED, NINE_PLACES
from services.metrics_extractor.domain.usage import Share, Usage
from shared.errors import Rejected
from shared.money import cent


def shared_out(usages: Iterable[Usage], sheets: Iterable[str], currency: str) -> list[Usage]:
    """`usages` with those of gang sheets cut down to this job's part; raises `Rejected`.

    One of the completed job's `sheets` on which nothing was used is a slip in its id, which would
    bill one job for all.
    """
    unused = set(sheets)
    parts = []
    for usage in usages:
        if usage.share is None:
            parts.append(usage)
        else:
            parts.append(_cut(usage, usage.share, currency))
            unused.discard(usage.subject.section or "")
    if unused:
        raise Rejected(
            "gang-sheet-unused",
            "no material, time or work has this gang sheet as its section: "
            "send it again with ids that agree",
            sheet_id=min(unused),
        )
    return parts


def part_of(total: Decimal, share: Share, step: Decimal) -> Decimal:
    """This job's part of `total` (a multiple of `step`), a multiple of `step` itself.

    Each part ends where the running total, rounded half up, ends: parts of all jobs sum to
    `total`, none is negative, and none is off by more than one step.
    """

    def upto(weight: Decimal) -> Decimal:
        return (total / step * weight / share.whole).quantize(Decimal(1), ROUND_HALF_UP)

    return (upto(share.before + share.own) - upto(share.before)) * step


def _cut(usage: Usage, share: Share, currency: str) -> Usage:
    """Sheets and pieces stay whole where they are; what is measured is cut at nine decimals."""

    def part(total: Decimal | None) -> Decimal | None:
        if total is None:
            return None
        whole = usage.subject.unit in COUNTED and total == total.to_integral_value()
        return part_of(total, share, Decimal(1) if whole else NINE_PLACES)

    return usage._replace(
        planned_good=part(usage.planned_good),
        planned_waste=part(usage.planned_waste),
        good=part(usage.good),
        waste=part(usage.waste),
        outlay=None if usage.outlay is None else part_of(usage.outlay, share, cent(currency)),
        share=None,
    )
