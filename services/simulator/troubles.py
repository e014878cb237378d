"""Jobs that do not go straight through, and records that arrive twice, late or changed.

A plot tells a job's story on a scene; its name is the story's name.
"""

from datetime import timedelta
from decimal import Decimal

from services.simulator import changes
from services.simulator.catalogue import DEVICES
from services.simulator.floor import Day, completed
from services.simulator.parties import NO_VAT_ID, PARTIES
from services.simulator.planning import estimate, plan_job, plan_part
from services.simulator.products import LARGE
from services.simulator.scene import Scene, anyone, large, on_actuals, quoted, usual
from services.simulator.terms import LAPSED
from shared.events.production import EndStatus, Quality


def within_cap(scene: Scene) -> None:
    """The customer's press check kept the press waiting: dearer than estimated, by agreement."""
    plan, job = large(scene, scene.customer(anyone))
    scene.accept(plan, job)
    total = estimate(plan, job.completed_at).net_total
    hourly = DEVICES[job.phases[-1].device_id].price * plan.house.factor
    share = Decimal(scene.rng.randrange(14, 20)) / 100
    scene.finish(changes.waited(job, (total * share / hourly).quantize(Decimal("0.01"))))
    scene.outcome = "actual-within-cap"


def slow_press(scene: Scene) -> None:
    """The press ran far slower than planned; nobody knows why: somebody must look."""
    rng, party = scene.rng, scene.customer(anyone)
    plan = plan_job(rng, scene.job_id, party, (plan_part(rng, rng.choice(LARGE)),))
    day = Day(Decimal(1), Decimal(1), Decimal("1.5"), Decimal("2.2"))
    job = completed(plan, day, scene.ended_at(party))
    scene.accept(plan, job)
    scene.finish(job)
    scene.outcome = "review"


def under_delivered(scene: Scene) -> None:
    """Too few pieces: below the tolerance."""
    rng, party = scene.rng, scene.customer(quoted)
    plan = plan_job(rng, scene.job_id, party, (plan_part(rng, rng.choice(LARGE)),))
    day = Day(Decimal(1), Decimal(1), Decimal(1), Decimal(1), Decimal("0.88"))
    job = completed(plan, day, scene.ended_at(party))
    scene.accept(plan, job)
    scene.finish(job)
    scene.outcome = "review"


def without_estimate(scene: Scene) -> None:
    """No estimate where the agreement wants one."""
    _, job = usual(scene, scene.customer(quoted))
    scene.finish(job.model_copy(update={"estimate_ref": None}))
    scene.outcome = "review"


def unordered_alteration(scene: Scene) -> None:
    """The author changed pages and nobody wrote down who ordered it."""
    plan, job = usual(scene, scene.customer(quoted))
    scene.accept(plan, job)
    scene.finish(changes.altered(job, scene.rng, None))
    scene.outcome = "review"


def unknown_stock(scene: Scene) -> None:
    """A stock that nobody has a price for."""
    plan, job = usual(scene, scene.customer(on_actuals))
    scene.accept(plan, job)
    scene.finish(changes.unknown_stock(job))
    scene.outcome = "hold"


def unknown_operation(scene: Scene) -> None:
    """A finishing process that nobody has a price for."""
    plan, job = usual(scene, scene.customer(on_actuals))
    scene.accept(plan, job)
    scene.finish(changes.unknown_operation(job))
    scene.outcome = "hold"


def lapsed_agreement(scene: Scene) -> None:
    """The agreement has ended and nobody has renewed it."""
    plan, job = usual(scene, PARTIES[LAPSED])
    scene.accept(plan, job)
    scene.finish(job)
    scene.outcome = "hold"


def without_vat_id(scene: Scene) -> None:
    """A business in another member state whose VAT id nobody has: priced, but not yet invoiced."""
    plan, job = usual(scene, PARTIES[NO_VAT_ID])
    scene.accept(plan, job)
    scene.finish(job)
    scene.outcome = "tax-hold"


def failed(scene: Scene) -> None:
    """Quality control turned the job down."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job.model_copy(update={"quality": Quality.FAILED}))
    scene.outcome = "not-billable"


def aborted(scene: Scene) -> None:
    """The run was broken off."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job.model_copy(update={"end_status": EndStatus.ABORTED}))
    scene.outcome = "not-billable"


def undecided(scene: Scene) -> None:
    """Quality control has not decided yet."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job.model_copy(update={"quality": Quality.UNKNOWN}))
    scene.outcome = "not-billable"


def duplicate(scene: Scene) -> None:
    """The completed job arrives twice, unchanged."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job)
    scene.tell(job.completed_at + timedelta(minutes=9), job)


def conflict(scene: Scene) -> None:
    """The same revision arrives again with other content: a dead letter, and no second invoice."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job)
    other = job.model_copy(update={"description": f"{job.description}, changed"})
    scene.tell(job.completed_at + timedelta(minutes=9), other)


def outrun_revision(scene: Scene) -> None:
    """The second revision arrives before the first, which then has no effect."""
    plan, job = usual(scene, scene.customer(anyone))
    scene.accept(plan, job)
    scene.finish(job.model_copy(update={"revision": 2}))
    scene.tell(job.completed_at + timedelta(hours=1), job)


def revised_after_issue(scene: Scene) -> None:
    """A second revision long after the invoice: somebody must decide about a correction."""
    plan, job = large(scene, scene.customer(quoted))
    scene.accept(plan, job)
    scene.finish(job)
    again = changes.altered(job.model_copy(update={"revision": 2}), scene.rng, f"CO-{job.job_id}")
    scene.tell(job.completed_at + timedelta(days=2), again)
