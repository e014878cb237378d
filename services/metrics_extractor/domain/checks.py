"""What a report, a decision and a completed job must hold before they are taken in.

`Invalid` names a field and its value, `Rejected` a rule and the figures that break it. What is
refused leaves no trace in the books, so the sender can send it again, mended.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from services.metrics_extractor.domain.facts import check_facts, known_unit, not_negative
from shared.errors import Invalid, Rejected
from shared.events.production import (
    Delivery,
    GangShare,
    JobCompleted,
    JobItem,
    Operation,
    Phase,
    PlannedTime,
    Quality,
    QualityDecided,
    Resource,
    UsageReported,
)
from shared.money import ZERO

REPORTS_MAX: Final = 10_000
"""Reports of one job; more means that a sender repeats itself under new message ids."""


def check_report(event: UsageReported, already: int) -> None:
    """A partial fact is sound in itself; `already` reports of its job are known."""
    if already >= REPORTS_MAX:
        raise Rejected(
            "too-many-reports",
            "the job has more reports than any real one: find the sender that repeats itself",
            job_id=event.job_id,
            reports_max=REPORTS_MAX,
        )
    check_facts(event)
    if event.gang_shares:
        _check_gang(event.job_id, event.gang_shares)
        _check_sheets(event)


def check_decision(event: QualityDecided) -> None:
    """A decision decides."""
    if event.quality is Quality.UNKNOWN:
        raise Invalid(
            "quality-undecided",
            "a quality decision says PASSED or FAILED: send it again, decided",
            field="quality",
            value=event.quality,
        )


def check_completed(event: JobCompleted) -> None:
    """A completed job names its customer and items, and its figures agree with each other."""
    if event.customer_id is None:
        raise Rejected(
            "customer-missing",
            "the completed job names no customer: send it again with customer_id",
            field="customer_id",
            job_id=event.job_id,
        )
    if event.started_at is not None and event.started_at > event.completed_at:
        raise Invalid(
            "times-disagree",
            "the job ended before it began: send it again with both times right",
            field="started_at",
            value=event.started_at,
            completed_at=event.completed_at,
        )
    _check_items(event.job_id, event.items)
    check_facts(event)
    _check_deliveries(event.items, event.deliveries)
    if event.gang_shares:
        _check_gang(event.job_id, event.gang_shares)


def _check_items(job_id: str, items: Sequence[JobItem]) -> None:
    if not items:
        raise Rejected(
            "items-missing",
            "nothing is said of what was ordered and delivered: send it again with items",
            field="items",
            job_id=job_id,
        )
    for number, item in enumerate(items):
        known_unit(item.unit, "items", number)
        not_negative(item, ("ordered", "delivered"), "items", number)
    item_id, times = Counter(item.item_id for item in items).most_common(1)[0]
    if times > 1:
        raise Invalid(
            "item-repeated",
            "two items have the same id: send it again with ids that differ",
            field="items.item_id",
            value=item_id,
        )


def _check_deliveries(items: Sequence[JobItem], deliveries: Sequence[Delivery]) -> None:
    """Drops of an item sum to what was delivered of it; an item without drops was not split."""
    dropped: dict[str, Decimal] = {}
    for number, delivery in enumerate(deliveries):
        not_negative(delivery, ("quantity",), "deliveries", number)
        dropped[delivery.item_id] = dropped.get(delivery.item_id, ZERO) + delivery.quantity
    for item in items:
        drops = dropped.pop(item.item_id, item.delivered)
        if drops != item.delivered:
            raise Rejected(
                "deliveries-disagree",
                "the deliveries of an item do not sum to what was delivered of it: "
                "send it again with figures that agree",
                item_id=item.item_id,
                delivered=item.delivered,
                deliveries=drops,
            )
    if dropped:
        raise Rejected(
            "item-unknown",
            "a delivery names an item that the job does not have: send it again with the item",
            item_id=min(dropped),
        )


def _check_sheets(event: UsageReported) -> None:
    """A report's shares are of the sheets that the report is about."""
    facts: Sequence[Resource | Phase | PlannedTime | Operation] = (
        *event.resources,
        *event.phases,
        *event.planned_times,
        *event.operations,
    )
    about = {fact.section or event.section for fact in facts}
    if strange := {share.sheet_id for share in event.gang_shares} - about:
        raise Rejected(
            "gang-sheet-unused",
            "no material, time or work has this gang sheet as its section: "
            "send it again with ids that agree",
            sheet_id=min(strange),
        )


def _check_gang(job_id: str, gang: Sequence[GangShare]) -> None:
    """Every gang sheet has a share for this job, and every share a size."""
    for number, share in enumerate(gang):
        for name, value in (("copies", share.copies), ("area", share.area)):
            if value <= 0:
                raise Invalid(
                    "not-positive",
                    "a gang share has copies and an area: send it again with both",
                    field=f"gang_shares[{number}].{name}",
                    value=value,
                )
    sheets = {share.sheet_id for share in gang}
    if missing := sheets - {share.sheet_id for share in gang if share.job_id == job_id}:
        raise Rejected(
            "gang-share-missing",
            "a gang sheet has no share for the job itself: send it again with all its shares",
            sheet_id=min(missing),
            job_id=job_id,
        )
