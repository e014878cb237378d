"""How fast the whole pipeline is: many jobs at once, then one at a time."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from threading import Event as Waiter

from sqlalchemy import text

from shared import db
from shared.clock import monotonic, system_now
from shared.db import AUDITOR
from shared.documents import DocumentStore
from shared.events.production import JobCompleted
from shared.local.system import LocalSystem
from shared.producer import Publisher, publish
from shared.settings import Settings
from shared.testing import read_topic
from shared.tools import tool

LIMIT_S = 600.0
POSTED = "accounting.invoice-posted.v1"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Throughput:
    """A run of many jobs: seconds from the first event to the last posting and the last mail."""

    jobs: int
    posted: int
    seconds: float
    delivered_s: float
    peak_mb: dict[str, float]
    cpu_s: dict[str, float]


@dataclass(frozen=True)
class Latency:
    """One job's way from its completed event to its posting, at light load."""

    jobs: int
    p50_ms: float
    p99_ms: float


def throughput(system: LocalSystem, jobs: int) -> Throughput:
    """Publish the master data, wait, then publish everything else at once."""
    settings, simulator = system.settings, tool("simulator")
    for logo in simulator.logos():
        DocumentStore(settings.documents_dir).put(logo.content)
    publish(settings, simulator.master_data(), "bench")
    _settle(settings)
    known = len(simulator.master_data())
    starting = simulator.starting_for(jobs, system_now().date())
    events = list(simulator.simulate(jobs, 1, starting=starting))[known:]
    started = system_now()
    publish(settings, events, "bench")
    _settle(settings)
    posted = [message.timestamp()[1] for message in read_topic(settings, POSTED)]
    delivered = read_topic(settings, "delivery.document-delivered.v1")
    mailed = [message.timestamp()[1] for message in delivered]
    return Throughput(
        jobs=jobs,
        posted=len(posted),
        seconds=_since(started, max(posted)),
        delivered_s=_since(started, max(mailed)),
        peak_mb=dict(_peaks(system)),
        cpu_s=dict(_cpu(system)),
    )


def light_load(system: LocalSystem, jobs: int) -> Latency:
    """One job every 200 ms, so that no two are on their way together."""
    settings, simulator = system.settings, tool("simulator")
    starting = simulator.starting_for(jobs, system_now().date())
    stories = [
        story
        for story in simulator.stories_of(jobs * 2, 99, starting=starting)
        if story.outcome == "straight-through"
        and isinstance(story.arrivals[-1].event, JobCompleted)
    ][:jobs]
    publish(settings, (a.event for s in stories for a in s.arrivals[:-1]), "bench")
    _settle(settings)
    sent: dict[str, datetime] = {}
    rest, press = Waiter(), Publisher(settings, "bench")
    press.publish([stories[0].arrivals[-1].event])  # opens the connection; not counted
    for story in stories[1:]:
        rest.wait(0.2)
        sent[story.job_id] = system_now()
        press.publish([story.arrivals[-1].event])
    _settle(settings)
    ways = sorted(_ways(settings, sent))
    cuts = quantiles(ways, n=100)
    return Latency(len(ways), cuts[49], cuts[98])


def _ways(settings: Settings, sent: dict[str, datetime]) -> Iterator[float]:
    """Milliseconds from each job's event to its posting on the topic."""
    with db.transaction(settings, AUDITOR) as connection:
        rows = connection.execute(text("SELECT invoice_id, job_id FROM invoicer.invoice"))
        jobs = {str(row.invoice_id): row.job_id for row in rows}
    for message in read_topic(settings, POSTED):
        invoice = (message.key() or b"").decode().rpartition("/")[2]
        if at := sent.get(jobs.get(invoice, "")):
            yield _since(at, message.timestamp()[1]) * 1000


def _since(start: datetime, timestamp_ms: int) -> float:
    return timestamp_ms / 1000 - start.timestamp()


def _settle(settings: Settings) -> None:
    status, rest, deadline = tool("auditor").status, Waiter(), monotonic() + LIMIT_S
    while not (now := status(settings)).is_settled:
        if monotonic() > deadline:
            raise TimeoutError(now.explanation)
        rest.wait(1.0)


def _peaks(system: LocalSystem) -> Iterator[tuple[str, float]]:
    for name, child in system.fleet.children.items():
        for line in Path(f"/proc/{child.process.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM"):
                yield name, int(line.split()[1]) / 1024


def _cpu(system: LocalSystem) -> Iterator[tuple[str, float]]:
    for name, child in system.fleet.children.items():
        fields = Path(f"/proc/{child.process.pid}/stat").read_text("ascii").split()
        yield name, (int(fields[13]) + int(fields[14])) / _TICKS
