"""A job ticket as read, JDF or XJDF: what was planned, what was done, and whether it is over.

A ticket whose audit pool holds a finished process run becomes a completed job; one with figures
but no finished run becomes a usage report; a plan that nobody has run becomes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from services.ingest.domain.element import Element
from services.ingest.domain.facts import consumable, counters, material
from services.ingest.domain.gang import Source, shares
from services.ingest.domain.merging import merged, substituted
from services.ingest.domain.outcome import Found
from services.ingest.domain.reader import TEXT_MAX, Reader
from services.ingest.domain.statement import Statement
from services.ingest.domain.words import ENDED, NOTHING_SAID, end_of, general
from shared.events.base import Event, Unit
from shared.events.production import (
    Attribution,
    Counter,
    Delivery,
    EndStatus,
    GangShare,
    JobCompleted,
    JobItem,
    Operation,
    Phase,
    PhaseStatus,
    PlannedTime,
    Quality,
    Resource,
    UsageReported,
)
from shared.ids import cause_id

Fact = TypeVar("Fact", Resource, Phase, PlannedTime, Operation)
UNKNOWN_DEVICE: Final = "UNKNOWN"
_DIGITS_MAX: Final = 6
GANG_FACTS_MAX: Final = 100_000
NO_RUN: Final = "its audit pool holds no finished process run"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a job used, as far as one file says."""

    resources: tuple[Resource, ...] = ()
    phases: tuple[Phase, ...] = ()
    planned_times: tuple[PlannedTime, ...] = ()
    operations: tuple[Operation, ...] = ()
    counters: tuple[Counter, ...] = ()
    gang_shares: tuple[GangShare, ...] = ()

    @property
    def actual(self) -> bool:
        """Whether anything in it has happened, rather than being planned."""
        used = any(
            one.actual_good is not None or one.actual_waste is not None for one in self.resources
        )
        done = any(one.actual is not None for one in self.operations)
        return used or done or bool(self.phases or self.counters)


def usage_of(statements: Sequence[Statement]) -> Usage:
    """Materials, readings and counted operations among these statements."""
    return Usage(
        resources=substituted(merged(filter(None, map(material, statements)))),
        operations=tuple(filter(None, map(consumable, statements))),
        counters=tuple(reading for one in statements for reading in counters(one)),
    )


def shared_by(root: Element, usage: Usage, sources: Sequence[Source], default: str) -> Usage:
    """The usage of a gang form with everybody's shares; facts of no section are of `default`.

    Its meters are left out: a reading cannot be shared.
    """
    if not sources:
        return usage
    whole = Usage(
        resources=tuple(_placed(one, default) for one in usage.resources),
        phases=tuple(_placed(one, default) for one in usage.phases),
        planned_times=tuple(_placed(one, default) for one in usage.planned_times),
        operations=tuple(_placed(one, default) for one in usage.operations),
    )
    used: tuple[Resource | Phase | Operation, ...] = (
        *whole.resources,
        *whole.phases,
        *whole.operations,
    )
    if len(used) * len(sources) > GANG_FACTS_MAX:
        raise root.unreadable(f"tells {len(sources)} jobs {len(used)} facts each: split it")
    sections = list(dict.fromkeys(one.section for one in used if one.section))
    return replace(whole, gang_shares=shares(root, sources, sections))


def _of(usage: Usage, job_id: str) -> Usage:
    """What concerns this job: of a gang form the sheets on which it stands, otherwise all."""
    if not usage.gang_shares:
        return usage
    mine = {share.sheet_id for share in usage.gang_shares if share.job_id == job_id}
    return Usage(
        resources=tuple(one for one in usage.resources if one.section in mine),
        phases=tuple(one for one in usage.phases if one.section in mine),
        planned_times=tuple(one for one in usage.planned_times if one.section in mine),
        operations=tuple(one for one in usage.operations if one.section in mine),
        gang_shares=tuple(one for one in usage.gang_shares if one.sheet_id in mine),
    )


def _placed(fact: Fact, default: str) -> Fact:
    return fact if fact.section else fact.model_copy(update={"section": default})


@dataclass(frozen=True, slots=True)
class Run:
    """One process run that ended: its part (None for the whole), from when to when, and how."""

    part: str | None
    start: datetime | None
    end: datetime
    status: EndStatus


def run_of(r: Reader, at: Element, part: str | None) -> Run | None:
    """A `ProcessRun`, unless it neither completed nor was aborted."""
    if at.text("EndStatus") not in ENDED:
        return None
    end = r.needed_instant(at, "End")
    return Run(part, r.instant(at, "Start"), end, end_of(at.text("EndStatus")))


def ended_how(runs: Sequence[Run]) -> EndStatus:
    """How the whole ended: by the last run of each part; one aborted part aborts it."""
    last = {run.part: run.status for run in sorted(runs, key=lambda run: run.end)}
    aborted = EndStatus.ABORTED in last.values()
    return EndStatus.ABORTED if aborted else EndStatus.COMPLETED


@dataclass(frozen=True, slots=True)
class Item:
    """A product as a ticket states it; `delivered` is None where no figure says."""

    item_id: str
    description: str
    product_class: str
    ordered: Decimal
    delivered: Decimal | None = None
    customer_supplied: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """A job ticket. `whole` is false for the ticket of one work step of a larger job.

    `reported` are its audits with the attribute that holds their time, read when it matters.
    """

    root: Element
    job_id: str | None
    part_id: str | None = None
    whole: bool = True
    description: str | None = None
    customer_id: str | None = None
    order_ref: str | None = None
    estimate_ref: str | None = None
    currency: str | None = None
    reports_expected: int | None = None
    sender_id: str = UNKNOWN_DEVICE
    reported: tuple[tuple[Element, str], ...] = ()
    runs: tuple[Run, ...] = ()
    why_open: str = NO_RUN
    items: tuple[Item, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    attribution: Attribution = NOTHING_SAID
    usage: Usage = Usage()

    @property
    def closed(self) -> bool:
        """Whether the work is over."""
        return bool(self.runs) and not self.why_open


def found_in(ticket: Ticket, r: Reader) -> Found:
    """The events of a ticket, or why it has none."""
    if not ticket.closed and not ticket.usage.actual:
        return Found(reasons=(_plan(ticket),))
    if ticket.job_id is None:
        raise ticket.root.unreadable("@JobID is missing: nothing says whose work this is")
    newest = max(
        (at for one, name in ticket.reported if (at := r.instant(one, name))), default=None
    )
    if newest is None:
        raise ticket.root.unreadable("no audit has a time: nothing says when this was reported")
    jobs = sorted({share.job_id for share in ticket.usage.gang_shares})
    ganged = [_report(ticket, job, newest, r) for job in jobs if job != ticket.job_id]
    if jobs and ticket.job_id not in jobs:
        billed = f"gang {ticket.job_id} is billed through the jobs on it: {', '.join(jobs)}"
        return Found(tuple(ganged), (billed,))
    return Found((*ganged, *_own(ticket, ticket.job_id, newest, r)), _open(ticket))


def _own(ticket: Ticket, job_id: str, newest: datetime, r: Reader) -> Iterator[Event]:
    """A work step's figures are reported too: the next step's completion replaces this one."""
    if ticket.usage.actual and not (ticket.closed and ticket.whole):
        yield _report(ticket, job_id, newest, r)
    if ticket.closed:
        yield _completed(ticket, job_id, newest, r)


def _open(ticket: Ticket) -> tuple[str, ...]:
    return () if ticket.closed else (f"not a completed job: {ticket.why_open}",)


def _report(ticket: Ticket, job_id: str, newest: datetime, r: Reader) -> UsageReported:
    usage = _of(ticket.usage, job_id)
    report = report_of(
        r, job_id, usage, sender_id=ticket.sender_id, message_id="-", reported_at=newest
    )
    content = report.model_dump_json(exclude={"message_id"}, exclude_defaults=True)
    derived = cause_id("ingest-ticket", ticket.part_id or "", content)
    return report.model_copy(update={"message_id": str(derived), "section": ticket.part_id})


def report_of(
    r: Reader,
    job_id: str,
    usage: Usage,
    *,
    sender_id: str,
    message_id: str,
    reported_at: datetime,
    section: str | None = None,
) -> UsageReported:
    """The usage as an event."""
    return UsageReported(
        legal_entity_id=r.legal_entity_id,
        sender_id=sender_id,
        message_id=message_id,
        reported_at=reported_at,
        job_id=job_id,
        section=section,
        resources=usage.resources,
        phases=usage.phases,
        planned_times=usage.planned_times,
        operations=usage.operations,
        counters=usage.counters,
        gang_shares=usage.gang_shares,
    )


def _completed(ticket: Ticket, job_id: str, newest: datetime, r: Reader) -> JobCompleted:
    usage, starts = _of(ticket.usage, job_id), [run.start for run in ticket.runs if run.start]
    revision = int(newest.timestamp() * 1000)
    if revision < 1:
        raise ticket.root.unreadable(f"the newest audit is of {newest:%Y}: no revision before 1970")
    drops: dict[str, list[Delivery]] = {}
    for drop in ticket.deliveries:
        drops.setdefault(drop.item_id, []).append(drop)
    items = tuple(
        _job_item(item, drops.get(item.item_id, []), ticket, r)
        for item in ticket.items
        if item.delivered is not None
    )
    for item in ticket.items:
        if item.delivered is None:
            r.note(f"item {item.item_id} is left out: nothing says how many were made or delivered")
    return JobCompleted(
        legal_entity_id=r.legal_entity_id,
        job_id=job_id,
        revision=revision,
        customer_id=ticket.customer_id,
        order_ref=ticket.order_ref,
        estimate_ref=ticket.estimate_ref,
        description=(ticket.description or job_id)[:TEXT_MAX],
        started_at=min(starts, default=None),
        completed_at=max(run.end for run in ticket.runs),
        end_status=ended_how(ticket.runs),
        quality=Quality.UNKNOWN,
        currency=ticket.currency,
        items=items,
        resources=usage.resources,
        phases=usage.phases,
        planned_times=usage.planned_times,
        operations=usage.operations,
        counters=usage.counters,
        deliveries=ticket.deliveries,
        gang_shares=usage.gang_shares,
        reports_expected=ticket.reports_expected or (None if ticket.whole else 1),
    )


def expected_reports(root: Element) -> int | None:
    """How many reports the sender says there are besides, so that the job waits for them."""
    stated = general(root, "ReportsExpected")
    if stated is None:
        return None
    if not stated.isdecimal() or len(stated) > _DIGITS_MAX or int(stated) < 1:
        raise root.unreadable(f'GeneralID ReportsExpected "{stated[:40]}" is no count of reports')
    return int(stated)


def dropped_by_item(drops: Sequence[Delivery]) -> dict[str, Decimal]:
    """What was dropped of each item."""
    found: dict[str, Decimal] = {}
    for drop in drops:
        found[drop.item_id] = found.get(drop.item_id, Decimal(0)) + drop.quantity
    return found


def _job_item(item: Item, drops: Sequence[Delivery], ticket: Ticket, r: Reader) -> JobItem:
    places = {(drop.ship_to_country, drop.ship_to_region) for drop in drops}
    country, region = places.pop() if len(places) == 1 else (None, None)
    delivered = item.delivered or Decimal(0)
    if drops and sum(drop.quantity for drop in drops) != delivered:
        r.note(f"item {item.item_id}: the drops do not add up to {delivered} delivered")
    return JobItem(
        item_id=item.item_id,
        description=item.description[:TEXT_MAX],
        product_class=item.product_class,
        ordered=item.ordered,
        delivered=delivered,
        unit=Unit.PIECE.value,
        ship_to_country=country,
        ship_to_region=region,
        customer_supplied=item.customer_supplied,
        attribution=ticket.attribution,
    )


def _plan(ticket: Ticket) -> str:
    """Why there is nothing, and what is planned, so that a person sees it was understood."""
    job = f"job {ticket.job_id}" if ticket.job_id else "a job without @JobID"
    if ticket.runs:
        return (
            f"{job} is not over ({ticket.why_open}), and its {len(ticket.runs)} finished process"
            " runs state no material used and no machine time"
        )
    planned = [f"{_said(item.ordered)} of {item.item_id} ordered" for item in ticket.items]
    planned += [
        f"drop {drop.delivery_id}: {_said(drop.quantity)} of {drop.item_id}"
        for drop in ticket.deliveries
    ]
    planned += [
        f"{_said(one.planned_good)} {one.unit} of {one.product_id or one.component.value} planned"
        for one in ticket.usage.resources
    ]
    what = f" ({'; '.join(planned)})" if planned else ""
    return f"a plan: {job} states no material used, no machine time, no finished run{what}"


def _said(amount: Decimal | None) -> str:
    return "0" if amount is None else f"{amount:f}"


def planned_times(
    r: Reader, node_info: Element, device_id: str | None, section: str | None
) -> Iterator[PlannedTime]:
    """Planned hours: the total includes make-ready and wash-up, the rest is the run."""
    setup = r.hours(node_info, "SetupDuration")
    cleanup = r.hours(node_info, "CleanupDuration")
    total = r.hours(node_info, "TotalDuration")
    run = None if total is None else total - (setup or 0) - (cleanup or 0)
    if run is not None and run < 0:
        r.note(
            f"line {node_info.line}: make-ready and wash-up exceed @TotalDuration; no run planned"
        )
        run = None
    for status, hours in (
        (PhaseStatus.SETUP, setup),
        (PhaseStatus.RUN, run),
        (PhaseStatus.CLEANUP, cleanup),
    ):
        if hours:
            yield PlannedTime(device_id=device_id, section=section, status=status, hours=hours)
