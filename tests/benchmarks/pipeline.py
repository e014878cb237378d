"""How fast the whole pipeline is: many jobs at once, then one at a time."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median, quantiles
from threading import Event as Waiter
from urllib.parse import unquote

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
from tests.benchmarks.usage import cpu_by_role, usage

LIMIT_S = 600.0
POSTED = "accounting.invoice-posted.v1"
WAY = (
    "production.metrics-extracted.v1",
    "billing.job-priced.v1",
    "billing.invoice-issued.v1",
    POSTED,
)


@dataclass(frozen=True)
class Throughput:
    """A run of many jobs: seconds from the first event to the last posting and the last mail.

    `peak_mb` by service; `cpu_s` of the run by service, broker, database and the benchmark.
    """

    jobs: int
    posted: int
    seconds: float
    delivered_s: float
    peak_mb: dict[str, float]
    cpu_s: dict[str, float]


@dataclass(frozen=True)
class Latency:
    """One job's way from its completed event to its posting, at light load.

    `hops_ms` are the medians of its parts, each up to the topic that it is named after.
    """

    jobs: int
    p50_ms: float
    p99_ms: float
    hops_ms: dict[str, float]


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
    started, used = system_now(), cpu_by_role()
    publish(settings, events, "bench")
    _settle(settings)
    used = {name: cpu_s - used.get(name, 0.0) for name, cpu_s in cpu_by_role().items()}
    posted = [message.timestamp()[1] for message in read_topic(settings, POSTED)]
    delivered = read_topic(settings, "delivery.document-delivered.v1")
    mailed = [message.timestamp()[1] for message in delivered]
    return Throughput(
        jobs=jobs,
        posted=len(posted),
        seconds=_since(started, max(posted)),
        delivered_s=_since(started, max(mailed)),
        peak_mb={n: usage(each.process.pid)[1] for n, each in system.fleet.children.items()},
        cpu_s=dict(used),
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
    ways = [
        [(at - sent[job].timestamp()) * 1000 for at in way]
        for job, way in _ways(settings).items()
        if job in sent
    ]
    cuts = quantiles([way[-1] for way in ways], n=100)
    hops = zip(*([b - a for a, b in pairwise([0.0, *way])] for way in ways), strict=True)
    hops_ms = {topic: median(parts) for topic, parts in zip(WAY, hops, strict=True)}
    return Latency(len(ways), cuts[49], cuts[98], hops_ms)


def _ways(settings: Settings) -> dict[str, list[float]]:
    """When each job that came to its posting reached each topic of its way, in seconds."""
    with db.transaction(settings, AUDITOR) as connection:
        rows = connection.execute(text("SELECT invoice_id, job_id FROM invoicer.invoice"))
        jobs = {str(row.invoice_id): row.job_id for row in rows}
    ways: defaultdict[str, list[float]] = defaultdict(list)
    for topic in WAY:
        for message in read_topic(settings, topic):
            name = unquote((message.key() or b"").decode().rpartition("/")[2])
            ways[jobs.get(name, name)].append(message.timestamp()[1] / 1000)
    return {job: way for job, way in ways.items() if len(way) == len(WAY)}


def _since(start: datetime, timestamp_ms: int) -> float:
    return timestamp_ms / 1000 - start.timestamp()


def _settle(settings: Settings) -> None:
    status, rest, deadline = tool("auditor").status, Waiter(), monotonic() + LIMIT_S
    while not (now := status(settings)).is_settled:
        if monotonic() > deadline:
            raise TimeoutError(now.explanation)
        rest.wait(1.0)
