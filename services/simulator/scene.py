"""Where a job's story is told: its dice, its customer, its last day, and the events so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from services.simulator.floor import completed, usual_day
from services.simulator.parties import HOUSES, NO_VAT_ID, PARTIES, Party
from services.simulator.planning import Plan, any_product, estimate, plan_job, plan_part
from services.simulator.products import LARGE
from services.simulator.terms import LAPSED, ON_ACTUALS, WITHOUT_ESTIMATE
from shared.events.base import Event
from shared.events.production import JobCompleted, Quality, QualityDecided

LEAD: Final = timedelta(days=14)
"""No event of a job is older than this before its completion."""


USUAL: Final = tuple(party for party in PARTIES.values() if party.id not in {LAPSED, NO_VAT_ID})
"""Customers with whom all is in order."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event and when it reaches the topics."""

    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to one job, and on which billing path it must end.

    `outcome` is a billing path in lower case with hyphens; or `not-billable`; or `tax-hold`, priced
    on a billable path and held back by the invoicer.
    """

    name: str
    job_id: str
    outcome: str
    arrivals: tuple[Arrival, ...]


@dataclass(slots=True)
class Scene:
    """Where a story is being told: its dice, its job and the day on which the job ends."""

    rng: Random
    job_id: str
    ended_on: date
    outcome: str = "straight-through"
    arrivals: list[Arrival] = field(default_factory=list)

    def tell(self, at: datetime, event: Event) -> None:
        """Add an event."""
        self.arrivals.append(Arrival(at, event))

    def customer(self, choice: Callable[[Party], bool]) -> Party:
        """A customer for whom `choice` holds."""
        return self.rng.choice([p for p in USUAL if choice(p)])

    def ended_at(self, party: Party) -> datetime:
        """When the job ends: some second of the working day in the house's zone."""
        zone = ZoneInfo(HOUSES[party.seller].entity.time_zone)
        clock = time(self.rng.randrange(7, 22), self.rng.randrange(60), self.rng.randrange(60))
        return datetime.combine(self.ended_on, clock, zone).astimezone(UTC)

    def accept(self, plan: Plan, job: JobCompleted) -> None:
        """The customer accepts the estimate, days before the job is done."""
        at = job.completed_at - timedelta(days=self.rng.randrange(4, 10), seconds=3600)
        self.tell(at, estimate(plan, at))

    def finish(self, job: JobCompleted) -> None:
        """The job is done; the event arrives within minutes."""
        self.tell(job.completed_at + timedelta(seconds=self.rng.randrange(5, 300)), job)


def anyone(party: Party) -> bool:
    """Whoever has an estimate for every job."""
    return party.id not in WITHOUT_ESTIMATE


def quoted(party: Party) -> bool:
    """Who pays a fixed price."""
    return party.id not in ON_ACTUALS


def on_actuals(party: Party) -> bool:
    """Who pays for actual quantities, against an estimate."""
    return party.id in ON_ACTUALS and party.id not in WITHOUT_ESTIMATE


def usual(scene: Scene, party: Party) -> tuple[Plan, JobCompleted]:
    """One product of the shop's usual range, made on a usual day."""
    rng = scene.rng
    plan = plan_job(rng, scene.job_id, party, (plan_part(rng, any_product(rng)),))
    return plan, completed(plan, usual_day(rng), scene.ended_at(party))


def large(scene: Scene, party: Party) -> tuple[Plan, JobCompleted]:
    """A catalogue or a book, made on a usual day."""
    rng = scene.rng
    plan = plan_job(rng, scene.job_id, party, (plan_part(rng, rng.choice(LARGE)),))
    return plan, completed(plan, usual_day(rng), scene.ended_at(party))


def decision(job: JobCompleted, at: datetime, quality: Quality) -> QualityDecided:
    """Quality control's word on the job."""
    return QualityDecided(
        legal_entity_id=job.legal_entity_id,
        sender_id="quality-control",
        message_id=f"{job.job_id}-Q{job.revision}",
        decided_at=at,
        job_id=job.job_id,
        quality=quality,
    )
