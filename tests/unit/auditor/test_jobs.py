"""What becomes of a job, fact by fact; a job of which nothing is told is lost."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.auditor.domain.facts import Completed, Extracted, JobKey, document, price
from services.auditor.domain.held import Applied, Held, held_records
from services.auditor.domain.jobs import (
    Claim,
    Extraction,
    Jobs,
    Outcome,
    Story,
    Tables,
    every_job_has_one_outcome,
    reviews_are_requested,
)
from shared.events.billing import JobPriced, Path
from shared.events.production import JobCompleted, MetricsExtracted
from shared.topology import BY_EVENT
from tests.unit.auditor.world import issued, priced, records

JOB = JobKey("DE01", "J-1")
COMPLETED_ID, EXTRACTED_ID, PRICED_ID = (UUID(int=n) for n in (1, 2, 3))
EXTRACTED = Extraction(1, "extracted", None)
STRAIGHT_THROUGH = Claim(Outcome.INVOICED, "straight-through")


def story(path: Path | None = None, *, revision: int = 1, invoiced: bool = False) -> Story:
    """A completed job, priced on a path where one is given."""
    place = (BY_EVENT[JobCompleted].name, 0, 7)
    told = Story(completed={revision: Completed(revision, "PASSED", 10, COMPLETED_ID, place)})
    told.extracted[revision] = Extracted(revision, 20, EXTRACTED_ID)
    if path:
        (seen,) = records([priced(issued(), path=path, revision=revision)])
        why = ("slow-press", "new-work")
        known = replace(price(seen), message_id=PRICED_ID, at_ms=30, reasons=why)
        told.prices[known.order] = known
    if invoiced:
        told.invoices.append(document(records([issued()])[0], is_invoice=True))
    return told


def held(kind: type[JobCompleted | MetricsExtracted | JobPriced], state: str, why: str) -> Held:
    service, identity = {
        JobCompleted: ("metrics_extractor", COMPLETED_ID),
        MetricsExtracted: ("pricer", EXTRACTED_ID),
        JobPriced: ("invoicer", PRICED_ID),
    }[kind]
    return Held(service, BY_EVENT[kind].name, 0, 7, state, why, identity, None, 1.0)


def claims(
    told: Story,
    known: Extraction | None = EXTRACTED,
    *held: Held,
    accepted: tuple[int, ...] = (1, 2),
    state: str = "",
) -> set[Claim]:
    jobs = Jobs()
    jobs.stories[JOB] = told
    jobs.stories[JobKey("DE01", "never completed")].qualities.append((None, "PASSED"))
    tables = Tables(
        accepted=frozenset((*JOB, revision) for revision in accepted),
        extractions={JOB: known} if known else {},
        billing_states={JOB: state},
    )
    (said,) = jobs.outcomes(tables, Applied({}, held)).values()
    return set(said)


def test_where_a_job_stands_before_its_price() -> None:
    not_billable = Claim(Outcome.NOT_BILLABLE, "quality-failed")
    assert claims(story(), Extraction(1, "not_billable", "quality-failed")) == {not_billable}
    undecided = Extraction(1, "waiting_quality", "quality-unknown")
    assert claims(story(), undecided) == {Claim(Outcome.NOT_BILLABLE, "quality-unknown")}
    awaiting = Extraction(1, "awaiting_reports", "reports-missing")
    assert claims(story(), awaiting) == {Claim(Outcome.WAITING, "reports-missing")}
    assert claims(story(), None) == set()


def test_a_job_that_nobody_took_is_waiting_rejected_or_lost() -> None:
    waiting = held(JobCompleted, "waiting", "legal-entity XX")
    assert claims(story(), None, waiting, accepted=()) == {
        Claim(Outcome.WAITING, "legal-entity XX")
    }
    parked = held(JobCompleted, "parked", "")
    assert claims(story(), None, parked, accepted=()) == {Claim(Outcome.REJECTED, "parked")}
    assert claims(story(), None, accepted=()) == set()


@pytest.mark.parametrize(
    ("path", "state", "outcome"),
    [
        (Path.REVIEW, "review", Claim(Outcome.IN_REVIEW, "slow-press, new-work")),
        (Path.HOLD, "hold", Claim(Outcome.ON_HOLD, "price")),
        (Path.REJECTED, "rejected", Claim(Outcome.REJECTED, "by decision")),
        (Path.STRAIGHT_THROUGH, "tax_hold", Claim(Outcome.ON_HOLD, "tax")),
        (Path.STRAIGHT_THROUGH, "not_live", Claim(Outcome.NOT_LIVE)),
        (Path.STRAIGHT_THROUGH, "", None),
    ],
)
def test_where_a_priced_job_stands(path: Path, state: str, outcome: Claim | None) -> None:
    assert claims(story(path), state=state) == ({outcome} if outcome else set())


def test_a_held_record_explains_why_a_job_has_not_come_further() -> None:
    metrics = held(MetricsExtracted, "waiting", "estimate E-1")
    assert claims(story(), EXTRACTED, metrics) == {Claim(Outcome.WAITING, "estimate E-1")}
    billable = story(Path.STRAIGHT_THROUGH)
    dead = held(JobPriced, "dead", "no-lines")
    assert claims(billable, EXTRACTED, dead) == {Claim(Outcome.REJECTED, "no-lines")}


def test_an_invoiced_job() -> None:
    billed = story(Path.STRAIGHT_THROUGH, invoiced=True)
    assert claims(billed, state="invoiced") == {STRAIGHT_THROUGH}
    # When a newer revision arrives, not billable, on hold, priced
    billed.completed |= story(revision=2).completed
    failed = Extraction(2, "not_billable", "quality-failed")
    assert claims(billed, failed) == {STRAIGHT_THROUGH}
    billed.prices |= story(Path.HOLD, revision=2).prices
    assert claims(billed) == {STRAIGHT_THROUGH}
    billed.prices |= story(Path.REVIEW, revision=2).prices
    assert claims(billed) == {Claim(Outcome.CORRECTION_OPEN)}


def test_two_outcomes_contradict_each_other() -> None:
    said = {JOB: frozenset({Claim(Outcome.INVOICED), Claim(Outcome.ON_HOLD, "price")})}
    (finding,) = every_job_has_one_outcome(said, {JOB: story()})
    assert finding.found == "invoiced and on hold"


def test_a_lost_job_is_named_with_its_record_and_its_last_sign_of_life() -> None:
    (finding,) = every_job_has_one_outcome({JOB: frozenset()}, {JOB: story(Path.HOLD)})
    assert finding.look == f"{BY_EVENT[JobCompleted].name}/0@7"
    assert finding.cause_ms == 30


@pytest.mark.parametrize(
    ("told", "state", "kind"),
    [
        (story(Path.REVIEW), "review", "price"),
        (story(Path.STRAIGHT_THROUGH), "tax_hold", "draft"),
        (story(Path.STRAIGHT_THROUGH), "invoiced", None),
        (story(Path.HOLD), "hold", None),
    ],
)
def test_reviews_that_must_have_been_asked_for(told: Story, state: str, kind: str | None) -> None:
    tables = Tables(frozenset(), {}, {JOB: state})
    found = [f.expected for f in reviews_are_requested({JOB: told}, tables, set())]
    assert found == ([f"a review of its {kind}"] if kind else [])
    asked = {("DE01", str(kind), "J-1", 1)}
    assert list(reviews_are_requested({JOB: told}, tables, asked)) == []


def test_a_hold_of_a_newer_revision_asks_for_no_correction() -> None:
    billed = story(Path.STRAIGHT_THROUGH, invoiced=True)
    billed.prices |= story(Path.HOLD, revision=2).prices
    tables = Tables(frozenset(), {}, {JOB: "invoiced"})
    assert list(reviews_are_requested({JOB: billed}, tables, set())) == []


def test_held_records_are_listed_while_they_are_open() -> None:
    dead = replace(held(JobPriced, "dead", "no-lines"), message="no lines")
    parked = held(JobPriced, "parked", "")
    closed = held(JobPriced, "discarded", "no-lines")
    waiting = held(JobCompleted, "waiting", "legal-entity XX")
    found = list(held_records([dead, parked, closed, waiting]))
    assert [one.found for one in found] == [
        "dead, no-lines: no lines",
        "parked",
        "waiting, legal-entity XX",
    ]
    assert "colophon dlq" in found[0].look
    assert "held_record" in found[2].look
