"""Meters: cumulative readings become use; a reading is never summed."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

from services.metrics_extractor.domain.sources import Source
from services.metrics_extractor.domain.usage import Kind, Subject, Usage, attributed
from shared.events.production import Attribution, Component

OUTPUT_COUNTERS: Final = frozenset({"production", "productioncounter"})
"""Kinds (in lower case) that count what a device put out: the job's items bill that already."""

Meter = tuple[str, str, str, str]


def used(readings: Sequence[Decimal]) -> Decimal:
    """What a meter counted over its `readings` in order of time, the first being where it stood.

    A reading below the one before is a reset to zero: all it shows has been counted since.
    """
    return sum(
        (now - before if now >= before else now for before, now in pairwise(readings)), Decimal(0)
    )


def counted(sources: Sequence[Source]) -> Iterator[Usage]:
    """Use by kind of meter, in the meter's unit, over all devices.

    One reading alone tells no use. Of two readings at one instant the completed job's holds,
    then the newest report's.
    """
    meters: dict[Meter, dict[datetime, Decimal]] = defaultdict(dict)
    for source in sources:
        for counter in source.facts.counters:
            meter = (counter.device_id, counter.counter_id, counter.kind, counter.unit)
            meters[meter].setdefault(counter.read_at, counter.reading)
    for (_, _, kind, unit), readings in meters.items():
        use = used([readings[at] for at in sorted(readings)])
        subject = Subject(Kind.COUNTER, Component.MACHINE, kind, unit)
        yield Usage(subject, attributed(Attribution()), kind, kind, good=use)
