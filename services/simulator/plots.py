"""Jobs that go straight through, each with something that must not make a difference.

A plot tells a job's story on a scene; its name is the story's name.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from services.simulator import changes
from services.simulator.floor import Day, completed, usual_day
from services.simulator.parties import PARTIES, PROMPT
from services.simulator.planning import any_product, estimate, plan_job, plan_part
from services.simulator.products import BOOK, CARDS, CATALOGUE, FLYER, FOLDER, LETTERHEAD
from services.simulator.scene import Scene, anyone, decision, quoted, usual
from services.simulator.terms import WITHOUT_ESTIMATE
from shared.events.production import Component, JobCompleted, Quality, UsageReported

_OTHER_STOCK: Final = {
    "PAP-SILK-135": "PAP-GLOSS-135",
    "PAP-GLOSS-135": "PAP-SILK-135",
    "PAP-SILK-170": "PAP-SILK-135",
    "PAP-OFFSET-90": "PAP-RECYCLED-100",
    "PAP-RECYCLED-100": "PAP-OFFSET-90",
    "PAP-OFFSET-120": "PAP-OFFSET-90",
    "PAP-DIGI-120": "PAP-DIGI-170",
    "PAP-DIGI-170": "PAP-DIGI-120",
}


def plain(scene: Scene) -> None:
    """A job as planned."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job)


def reported(scene: Scene) -> None:
    """The press reports ink and make-ready by itself; the completed job repeats only the rest.

    Topics keep no order among each other: the second report may come after the job.
    """
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    ink = tuple(r for r in job.resources if r.component is Component.INK)
    first = job.phases[0]
    at = (first.end or first.start) + timedelta(minutes=1)
    scene.tell(at, _report(job, 1, at, phases=(first,)))
    late = timedelta(minutes=scene.rng.choice((-90, -60, -30, 20)))
    scene.tell(job.completed_at + late, _report(job, 2, job.completed_at + late, resources=ink))
    rest = tuple(r for r in job.resources if r not in ink)
    told = {"resources": rest, "phases": job.phases[1:], "reports_expected": 2}
    scene.finish(job.model_copy(update=told))


def _report(job: JobCompleted, number: int, at: datetime, **facts: object) -> UsageReported:
    return UsageReported.model_validate(
        {
            "legal_entity_id": job.legal_entity_id,
            "sender_id": "press-room",
            "message_id": f"{job.job_id}-U{number}",
            "reported_at": at,
            "job_id": job.job_id,
            **facts,
        }
    )


def actuals(scene: Scene) -> None:
    """A job on actual quantities without an estimate, as its agreement has it."""
    _, job = usual(scene, scene.customer(lambda party: party.id in WITHOUT_ESTIMATE))
    scene.finish(job.model_copy(update={"estimate_ref": None}))


def overs(scene: Scene) -> None:
    """More, or a little fewer, than ordered, within tolerance."""
    rng, party = scene.rng, scene.customer(quoted)
    plan = plan_job(rng, scene.job_id, party, (plan_part(rng, any_product(rng)),))
    usual = usual_day(rng)
    factor = Decimal(rng.choice((97, 98, 101, 102, 103, 104))) / 100
    day = Day(usual.waste, usual.ink, usual.setup, usual.run, factor)
    job = completed(plan, day, scene.ended_at(party))
    scene.accept(plan, job)
    scene.finish(job)


def altered(scene: Scene) -> None:
    """The author changed pages after the proof, on a change order."""
    plan, job = usual(scene, scene.customer(quoted))
    scene.accept(plan, job)
    scene.finish(changes.altered(job, scene.rng, f"CO-{job.job_id}"))


def reworked(scene: Scene) -> None:
    """The shop spoiled a form and printed it again at its own cost."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(changes.reworked(job, scene.rng))


def substituted(scene: Scene) -> None:
    """Another stock of the same kind was used."""
    plan, job = usual(scene, scene.customer(quoted))
    scene.accept(plan, job)
    stock = plan.parts[0].prints[0].stock
    other = _OTHER_STOCK.get(stock)
    scene.finish(changes.substituted(job, other) if other else job)


def customer_paper(scene: Scene) -> None:
    """The customer brought the paper."""
    rng, party = scene.rng, scene.customer(quoted)
    part = plan_part(rng, rng.choice((FLYER, FOLDER)), customer_paper=True)
    plan = plan_job(rng, scene.job_id, party, (part,))
    job = completed(plan, usual_day(rng), scene.ended_at(party))
    scene.accept(plan, job)
    scene.finish(job)


def ganged(scene: Scene) -> None:
    """Printed on one sheet with other customers' jobs."""
    rng, party = scene.rng, scene.customer(anyone)
    part = plan_part(rng, rng.choice((FLYER, FOLDER, LETTERHEAD)))
    plan = plan_job(rng, scene.job_id, party, (part,))
    job = completed(plan, usual_day(rng), scene.ended_at(party))
    scene.accept(plan, job)
    scene.finish(changes.on_gang_sheet(job, rng))


def two_countries(scene: Scene) -> None:
    """A part of an export is delivered at home, where it is taxed."""
    plan, job = usual(scene, PARTIES[scene.rng.choice(("C-1011", "C-2006", "C-3003"))])
    scene.accept(plan, job)
    home = plan.house.entity.address.country
    scene.finish(changes.sent_to(job, home, scene.rng.choice((20, 25, 40))))


def small(scene: Scene) -> None:
    """So small that the minimum charge holds."""
    rng, party = scene.rng, scene.customer(lambda party: party.id in WITHOUT_ESTIMATE)
    part = plan_part(rng, CARDS)
    plan = plan_job(rng, scene.job_id, party, (part,))
    cheap = replace(plan, services=tuple(work for work in plan.services if work.cost is None))
    job = completed(cheap, usual_day(rng), scene.ended_at(party))
    scene.finish(job.model_copy(update={"estimate_ref": None}))


def long_invoice(scene: Scene) -> None:
    """Three products on actual quantities: an invoice of several pages."""
    rng, party = scene.rng, PARTIES["C-1003"]
    products = (BOOK, CATALOGUE, CARDS)
    parts = tuple(plan_part(rng, product, number=n) for n, product in enumerate(products, 1))
    plan = plan_job(rng, scene.job_id, party, parts)
    job = completed(plan, usual_day(rng), scene.ended_at(party))
    scene.accept(plan, job)
    scene.finish(job)


def non_latin(scene: Scene) -> None:
    """For a customer who writes in Greek, Bulgarian or Japanese."""
    plan, job = usual(scene, PARTIES[scene.rng.choice(("C-1009", "C-1010", "C-3001"))])
    scene.accept(plan, job)
    scene.finish(job)


def delivered_in_drops(scene: Scene) -> None:
    """Delivered in several drops."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(changes.split_deliveries(job, scene.rng.randrange(2, 5)))


def mixed_vat(scene: Scene) -> None:
    """Leaflets and business cards in one job: zero and standard rate on one invoice."""
    rng, party = scene.rng, PARTIES["C-2001"]
    parts = (plan_part(rng, FOLDER), plan_part(rng, CARDS, number=2))
    plan = plan_job(rng, scene.job_id, party, parts)
    job = completed(plan, usual_day(rng), scene.ended_at(party))
    scene.accept(plan, job)
    scene.finish(job)


def released_later(scene: Scene) -> None:
    """Quality control decides after the job is reported complete."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job.model_copy(update={"quality": Quality.UNKNOWN}))
    at = job.completed_at + timedelta(hours=scene.rng.randrange(2, 20))
    scene.tell(at, decision(job, at, Quality.PASSED))


def corrected(scene: Scene) -> None:
    """A second revision while quality control still thinks about the first."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job.model_copy(update={"quality": Quality.UNKNOWN}))
    at = job.completed_at + timedelta(hours=2)
    scene.tell(at, job.model_copy(update={"revision": 2, "description": f"{job.description} (2)"}))


def late_estimate(scene: Scene) -> None:
    """The estimate reaches the topics after the job: the price waits for it."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.finish(job)
    late = job.completed_at + timedelta(hours=1)
    scene.tell(late, estimate(plan, job.completed_at - timedelta(days=5)))


def prompt(scene: Scene) -> None:
    """A plain job of the customer with the shortest terms."""
    plan, job = usual(scene, PARTIES[PROMPT])
    scene.accept(plan, job)
    scene.finish(job)
