"""Machine time: what phases really took, without counting an instant of a device twice.

All arithmetic is on instants in UTC, in microseconds, so that daylight saving changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from heapq import heappop, heappush
from itertools import pairwise
from typing import Final, NamedTuple

from services.metrics_extractor.domain.sources import Source, Told
from services.metrics_extractor.domain.units import NINE_PLACES
from services.metrics_extractor.domain.usage import Kind, Share, Subject, Usage, attributed
from shared.events.base import Unit
from shared.events.production import (
    Attribution,
    Component,
    Phase,
    PhaseStatus,
)

ANY_DEVICE: Final = "any-device"
"""The code of planned time that names no device and fits no single one."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MICROSECONDS_PER_HOUR: Final = 3_600_000_000
_WORDS: Final = {
    PhaseStatus.UNKNOWN: "other time",
    PhaseStatus.SETUP: "make-ready",
    PhaseStatus.RUN: "run",
    PhaseStatus.CLEANUP: "wash-up",
    PhaseStatus.STOPPED: "stopped",
    PhaseStatus.IDLE: "idle",
}


class Span(NamedTuple):
    """Time that a device spent from `start` to `end`, microseconds since 1970, on `subject`."""

    start: int
    end: int
    subject: "Spent"


class Spent(NamedTuple):
    """On what a device spent time; with a `share`, for a whole gang sheet."""

    device_id: str
    section: str | None
    status: PhaseStatus
    attribution: Attribution
    share: Share | None = None


class Placed(NamedTuple):
    """A phase in its section, with the job's share in it."""

    phase: Phase
    section: str | None
    share: Share | None


class Planned(NamedTuple):
    """What hours are planned for."""

    device_id: str | None
    section: str | None
    status: PhaseStatus
    share: Share | None


def machine_time(sources: Sequence[Source], completed_at: datetime) -> Iterator[Usage]:
    """Hours by device, section, status and attribution; open phases end at `completed_at`."""
    spent = time_spent(_spans(list(_phases(sources)), completed_at))
    for what, microseconds in spent.items():
        yield Usage(
            _subject(what.device_id, what.section, what.status),
            what.attribution,
            what.device_id,
            _described(what.device_id, what.status),
            good=hours(microseconds),
            share=what.share,
        )
    for (device_id, section, status, share), planned in _plan(sources).items():
        device = device_id or _device_for(spent, section, status)
        yield Usage(
            _subject(device, section, status),
            attributed(Attribution()),
            device,
            _described(device, status),
            planned_good=planned,
            share=share,
        )


def hours(microseconds: int) -> Decimal:
    """Microseconds as hours, rounded half up to nine decimals."""
    exact = Decimal(microseconds) / _MICROSECONDS_PER_HOUR
    return exact.quantize(NINE_PLACES, ROUND_HALF_UP)


def time_spent(spans: Iterable[Span]) -> Mapping[Spent, int]:
    """Microseconds by subject; together they are the union of each device's spans.

    Where spans of one device overlap, the instant belongs to the one that began last (a stop
    within a run interrupts it), of those that began together to the one that ends first.
    """
    spent: dict[Spent, int] = defaultdict(int)
    by_device: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        by_device[span.subject.device_id].append(span)
    for of_device in by_device.values():
        of_device.sort(key=lambda span: span.start)
        instants = sorted({at for span in of_device for at in (span.start, span.end)})
        running: list[tuple[int, int, int]] = []
        begun = 0
        for left, right in pairwise(instants):
            while begun < len(of_device) and of_device[begun].start <= left:
                heappush(running, (-of_device[begun].start, of_device[begun].end, begun))
                begun += 1
            while running and running[0][1] <= left:
                heappop(running)
            if running:
                spent[of_device[running[0][2]].subject] += right - left
    return spent


def _phases(sources: Sequence[Source]) -> Iterator[Placed]:
    """The phases to count; of one that is told again, the strongest telling.

    Strongest is the completed job, then the newest report. The same phase has the same device and
    status, and the same id or the same start.
    """
    completed, *reports = sources
    for phase in completed.facts.phases:
        yield Placed(phase, *completed.place(phase.section))
    reporting = [report for report in reports if report.facts.phases]
    if not reporting:
        return
    told = {name for phase in completed.facts.phases for name in _names(phase)}
    for report in reporting:
        for phase in report.facts.phases:
            names = _names(phase)
            if told.isdisjoint(names):
                yield Placed(phase, *report.place(phase.section))
            told |= names


def _names(phase: Phase) -> set[tuple[str, PhaseStatus, str | datetime]]:
    named = (phase.device_id, phase.status)
    return {(*named, phase.phase_id), (*named, phase.start)}


def _spans(phases: Sequence[Placed], completed_at: datetime) -> Iterator[Span]:
    """The phases as spans; an open one ends when its device begins the next, or with the job."""
    starts: dict[str, list[datetime]] = defaultdict(list)
    if any(phase.end is None for phase, _, _ in phases):
        for phase, _, _ in phases:
            starts[phase.device_id].append(phase.start)
    for phase, section, share in phases:
        end = phase.end
        if end is None:
            later = (start for start in starts[phase.device_id] if start > phase.start)
            end = min(later, default=max(phase.start, completed_at))
        attribution = attributed(phase.attribution)
        subject = Spent(phase.device_id, section, phase.status, attribution, share)
        yield Span(_instant(phase.start), _instant(end), subject)


def _instant(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _plan(sources: Sequence[Source]) -> Mapping[Planned, Decimal]:
    """Planned hours; of several plans the completed job's holds, then the newest report's."""
    plan: dict[Planned, Decimal] = {}
    told = Told()
    for number, source in enumerate(sources):
        for time in source.facts.planned_times:
            section, share = source.place(time.section)
            if told.holds((time.device_id, section, time.status), number):
                key = Planned(time.device_id, section, time.status, share)
                plan[key] = plan.get(key, Decimal(0)) + time.hours
    return plan


def _device_for(spent: Mapping[Spent, int], section: str | None, status: PhaseStatus) -> str:
    """The one device that worked in this section and status, else `ANY_DEVICE`."""
    devices = {s.device_id for s in spent if s.section == section and s.status is status}
    return devices.pop() if len(devices) == 1 else ANY_DEVICE


def _subject(device_id: str, section: str | None, status: PhaseStatus) -> Subject:
    return Subject(Kind.TIME, Component.MACHINE, device_id, Unit.HOUR.value, section, status=status)


def _described(device_id: str, status: PhaseStatus) -> str:
    return f"{device_id}, {_WORDS[status]}"
