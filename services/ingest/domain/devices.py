"""What devices did and when: job phases of XJDF audits and of status messages, and counters."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from services.ingest.domain.context import Context
from services.ingest.domain.element import Element
from services.ingest.domain.facts import fact_id
from services.ingest.domain.parts import section_of
from services.ingest.domain.words import ENDED, attribution_of, status_of, unit_of
from shared.events.base import Unit
from shared.events.production import Counter, Phase, PhaseStatus

_OUTPUT = "ProductionCounter"


def job_phase(at: Element, info: Element, context: Context) -> Phase | None:
    """A `JobPhase`; None where it names no start, or a status that takes no time.

    Completed or Aborted, said in a message, ends what began at its start.
    """
    r = context.r
    word = at.text("Status") or info.text("Status") or info.text("DeviceStatus")
    start = r.instant(at, "PhaseStartTime") or r.instant(at, "StartTime")
    end, status = r.instant(at, "EndTime"), status_of(word)
    if word in ENDED and context.read_at is not None:
        end, status = end or context.read_at, PhaseStatus.RUN
    if start is None or status is PhaseStatus.UNKNOWN:
        return None
    good, waste = context.produced
    return phase(
        at,
        device_id=context.device,
        section=section_of(at, context.section),
        status=status,
        start=start,
        end=end,
    ).model_copy(
        update={
            "good": r.amount(at, good),
            "waste": r.amount(at, waste),
            "attribution": attribution_of(at.first("MISDetails"), context.attribution),
        }
    )


def phase(
    at: Element,
    *,
    device_id: str,
    section: str | None,
    status: PhaseStatus,
    start: datetime,
    end: datetime | None,
) -> Phase:
    """A phase whose id is the same in every message about it; raises where it ends too early."""
    if end is not None and end < start:
        raise at.unreadable(f"ends at {end:%FT%TZ}, before it starts at {start:%FT%TZ}")
    began = f"{start.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
    return Phase(
        phase_id=fact_id(device_id, section or "-", status.value, began),
        device_id=device_id,
        section=section,
        status=status,
        start=start,
        end=end,
    )


def ended(phases: Sequence[Phase], over: datetime | None) -> Iterator[Phase]:
    """The phases, each that states no end lasting until the device's next, or until all is over."""
    by_device: dict[str, list[Phase]] = {}
    for one in phases:
        by_device.setdefault(one.device_id, []).append(one)
    for of_device in by_device.values():
        mine = sorted(of_device, key=lambda one: one.start)
        ends = [later.start for _, later in pairwise(mine)] + [over]
        for one, end in zip(mine, ends, strict=True):
            known = one.end or (end if end and end >= one.start else None)
            yield one.model_copy(update={"end": known})


def distinct(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Each phase once, as stated last."""
    return tuple({one.phase_id: one for one in phases}.values())


def counter_of(info: Element, context: Context) -> Counter | None:
    """A device's production counter: the total that is never reset where there is one."""
    names = ("TotalProductionCounter", _OUTPUT)
    name = next((one for one in names if info.text(one)), None)
    reading = context.r.amount(info, name) if name else None
    if name is None or reading is None or context.read_at is None:
        return None
    return Counter(
        counter_id=fact_id(context.device, name),
        device_id=context.device,
        kind=_OUTPUT,
        unit=unit_of(info, info.text("CounterUnit"), Unit.PIECE).value,
        reading=reading,
        read_at=context.read_at,
    )
