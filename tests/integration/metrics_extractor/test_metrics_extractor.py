"""Metrics extraction on a real database: once, whatever arrives in whatever order."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from itertools import permutations

import pytest

from services.metrics_extractor.main import SERVICE
from services.metrics_extractor.store import MetricsStore
from services.metrics_extractor.store.tables import JOB, METADATA
from shared.errors import ConcurrentWrite, Rejected, WaitFor
from shared.events.base import Event
from shared.events.production import EndStatus, JobCompleted, MetricsExtracted, Quality
from shared.metrics import JOBS_UNBILLED
from shared.runtime.service import Fact
from shared.testing import ServiceHarness
from tests.unit.metrics_extractor.builders import JOB as JOB_ID
from tests.unit.metrics_extractor.builders import (
    LATER,
    NOON,
    cost_rate,
    decision,
    entity,
    ink,
    job,
    operation,
    phase,
    report,
    sheets,
)

APPEND_ONLY = sorted(table.name for table in METADATA.sorted_tables if table is not JOB)
MASTERDATA = (entity(), cost_rate())
PAPER = sheets(5000, 200, (5000, 200))
UNDECIDED = job(quality=Quality.UNKNOWN, resources=(PAPER,))


def state(shop: ServiceHarness, job_id: str = JOB_ID) -> tuple[str, str | None]:
    ((found, reason),) = shop.query("SELECT state, reason FROM job WHERE job_id = :j", j=job_id)
    return found, reason


def count(shop: ServiceHarness, table: str) -> int:
    ((rows,),) = shop.query(f"SELECT count(*) FROM {table}")  # noqa: S608 - a table of ours
    return int(rows)


def only(events: Sequence[Event]) -> MetricsExtracted:
    (event,) = events
    assert isinstance(event, MetricsExtracted)
    return event


# ---------------------------------------------------------------- released at once


def test_a_released_job_is_extracted_with_its_cost_on_its_local_day(shop: ServiceHarness) -> None:
    """23:30 UTC on 2 March is the 3rd in Berlin; 5,200 sheets at 0.061 cost 317.20."""
    at = NOON.replace(hour=23, minute=30)
    event = only(shop.apply(job(resources=(PAPER,), completed_at=at)))
    assert (event.completed_on, event.actual_cost) == (date(2026, 3, 3), Decimal("317.20"))
    assert state(shop) == ("extracted", None)
    ((on, cost, rate, at),) = shop.query(
        "SELECT completed_on, actual_cost, cost_rate_id, extracted_at FROM extraction"
    )
    assert (on, cost, rate, at) == (date(2026, 3, 3), Decimal("317.20"), "costs", LATER)


def test_a_job_applied_twice_has_one_effect_whatever_the_inbox_still_knows(
    shop: ServiceHarness,
) -> None:
    done, told, passed = job(), report(), decision(Quality.PASSED)
    assert len(shop.apply(told, passed, done)) == 1
    assert shop.apply(told, passed, done, *MASTERDATA) == []
    assert [count(shop, table) for table in APPEND_ONLY] == [1] * len(APPEND_ONLY)


def test_what_was_reported_is_part_of_the_job(shop: ServiceHarness) -> None:
    shop.apply(report(1, resources=(ink(3100),)), report(2, phases=(phase("08:00", "09:00"),)))
    assert state(shop) == ("gathering", None)
    event = only(shop.apply(job(resources=(PAPER,))))
    assert [m.code for m in event.metrics] == ["SILK-135", "INK-PROCESS", "XL106"]


# ---------------------------------------------------------------- late, older, newer


def test_a_late_report_changes_nothing_until_a_newer_revision_takes_it_in(
    shop: ServiceHarness,
) -> None:
    shop.apply(job(resources=(PAPER,)))
    assert shop.apply(report(resources=(ink(3100),))) == []
    assert shop.query("SELECT reports, late_reports, state FROM job") == [(1, 1, "extracted")]
    assert shop.query("SELECT late FROM usage_report") == [(True,)]
    event = only(shop.apply(job(revision=2, resources=(PAPER,))))
    assert [m.code for m in event.metrics] == ["SILK-135", "INK-PROCESS"]
    assert shop.query("SELECT reports, late_reports, state FROM job") == [(1, 1, "extracted")]


def test_a_newer_revision_takes_a_late_total_in_place_of_the_one_it_restates(
    shop: ServiceHarness,
) -> None:
    """1.8 kg were known when the job was extracted, 3.1 kg in all came late: not 4.9 kg."""
    first = only(shop.apply(report(1, resources=(ink(1800),)), job()))
    shop.apply(report(3, resources=(ink(3100),)), report(2, resources=(ink(2500),)))
    second = only(shop.apply(job(revision=2)))
    used = [event.metrics[0].actual_good for event in (first, second)]
    assert used == [Decimal("1.8"), Decimal("3.1")]


def test_an_older_revision_that_comes_later_has_no_effect(shop: ServiceHarness) -> None:
    shop.apply(job(revision=2))
    assert shop.apply(job(revision=1, customer_id=None)) == []
    assert shop.query("SELECT revision, state FROM job") == [(2, "extracted")]
    assert shop.query(
        "SELECT c.revision FROM completed_job c JOIN job j USING (legal_entity_id, job_id)"
        " WHERE c.revision < j.revision"
    ) == [(1,)]


def test_a_newer_revision_replaces_one_that_quality_control_still_thinks_about(
    shop: ServiceHarness,
) -> None:
    shop.apply(UNDECIDED)
    shop.apply(job(revision=2, quality=Quality.UNKNOWN))
    event = only(shop.apply(decision(Quality.PASSED)))
    assert (event.revision, event.metrics) == (2, ())
    assert shop.query("SELECT revision FROM extraction") == [(2,)]


def test_every_revision_that_passed_is_extracted(shop: ServiceHarness) -> None:
    events = shop.apply(job(), job(revision=2), job(revision=3))
    assert [only([event]).revision for event in events] == [1, 2, 3]


# ---------------------------------------------------------------- quality


@pytest.mark.parametrize(
    ("done", "waits"),
    [
        (UNDECIDED, ("waiting_quality", "quality-unknown")),
        (job(quality=Quality.FAILED), ("not_billable", "quality-failed")),
        (job(end_status=EndStatus.ABORTED), ("not_billable", "run-aborted")),
    ],
)
def test_a_job_that_is_not_released_is_extracted_once_by_a_later_release(
    shop: ServiceHarness, done: JobCompleted, waits: tuple[str, str]
) -> None:
    assert shop.apply(done) == []
    assert state(shop) == waits
    event = only(shop.apply(decision(Quality.PASSED)))
    assert event == only(shop.apply(job(job_id="J-2", resources=done.resources))).model_copy(
        update={"job_id": JOB_ID}
    )
    assert shop.apply(decision(Quality.PASSED, message_id="q2")) == []
    assert shop.query("SELECT late FROM quality_decision ORDER BY message_id") == [
        (False,),
        (True,),
    ]


def test_a_job_that_fails_after_it_passed_stays_as_it_was(shop: ServiceHarness) -> None:
    """What was published stands; the decision is kept, marked as late."""
    shop.apply(job())
    assert shop.apply(decision(Quality.FAILED)) == []
    assert state(shop) == ("extracted", None)


# ---------------------------------------------------------------- any order


def test_the_same_facts_give_the_same_event_in_every_order(shop: ServiceHarness) -> None:
    """Each fact in a transaction of its own, as it may come over topics of its own."""
    events = []
    for number, order in enumerate(permutations(range(4))):
        name = f"J-{number}"
        facts: list[Event] = [
            job(job_id=name, quality=Quality.UNKNOWN, reports_expected=2, resources=(PAPER,)),
            report(1, job_id=name, message_id=f"{name}a", resources=(ink(100),)),
            report(2, job_id=name, message_id=f"{name}b", operations=(operation(9),)),
            decision(Quality.PASSED, job_id=name, message_id=name),
        ]
        emitted = [event for at in order for event in shop.apply(facts[at])]
        events.append(only(emitted).model_copy(update={"job_id": JOB_ID}))
    assert len(events) == 24
    assert all(event == events[0] for event in events)
    assert [m.code for m in events[0].metrics] == ["SILK-135", "INK-PROCESS", "FOLD"]


def test_a_job_waits_for_the_reports_it_expects(shop: ServiceHarness) -> None:
    assert shop.apply(job(reports_expected=2), report(1)) == []
    assert state(shop) == ("awaiting_reports", "reports-missing")
    assert len(shop.apply(report(2))) == 1
    assert shop.query("SELECT late_reports FROM job") == [(0,)]


def test_two_processes_that_hear_of_a_job_at_once_extract_it_once(shop: ServiceHarness) -> None:
    """Report, decision and completed job come over different partitions; none may be left out."""

    def apply(event: Event) -> list[Event]:
        while True:
            try:
                return _apart(shop, event)
            except ConcurrentWrite:
                continue

    for number in range(20):
        name = f"J-{number}"
        facts = (
            job(job_id=name, quality=Quality.UNKNOWN, reports_expected=1),
            report(job_id=name, message_id=name, resources=(PAPER,)),
            decision(Quality.PASSED, job_id=name, message_id=name),
        )
        with ThreadPoolExecutor(len(facts)) as processes:
            emitted = [event for events in processes.map(apply, facts) for event in events]
        assert [m.code for m in only(emitted).metrics] == ["SILK-135"]
    assert count(shop, "extraction") == 20


def _apart(shop: ServiceHarness, event: Event) -> list[Event]:
    with shop.engine.begin() as connection:
        store = MetricsStore(connection)
        store.prefetch([event])
        emitted = list(SERVICE.handlers[type(event)](event, store, LATER))
        store.flush()
    return emitted


# ---------------------------------------------------------------- waiting


def test_a_job_waits_for_its_entity_then_for_the_first_cost_rates(empty: ServiceHarness) -> None:
    """Nothing of a record that waits is written; the facts that arrive are those it waits for."""
    for known, arriving in ((), MASTERDATA[0]), (MASTERDATA[:1], MASTERDATA[1]):
        empty.apply(*known)
        with pytest.raises(WaitFor) as waits:
            empty.apply(job())
        assert count(empty, "job") == 0
        facts = SERVICE.facts[type(arriving)](arriving)
        assert Fact(waits.value.kind, waits.value.key) in facts
    empty.apply(MASTERDATA[1])
    assert len(empty.apply(job())) == 1


def test_a_job_that_is_not_released_does_not_wait_for_costs(empty: ServiceHarness) -> None:
    empty.apply(entity())
    assert empty.apply(UNDECIDED) == []
    with pytest.raises(WaitFor):
        empty.apply(decision(Quality.PASSED))
    assert count(empty, "quality_decision") == 0


@pytest.mark.parametrize("last", ["completed", "decision", "report"])
def test_cost_rates_that_never_come_leave_costs_unknown(empty: ServiceHarness, last: str) -> None:
    """A shop without cost rates is paid all the same, whichever record was the one that waited."""
    facts: dict[str, Event] = {
        "completed": job(quality=Quality.UNKNOWN, reports_expected=1, resources=(PAPER,)),
        "decision": decision(Quality.PASSED),
        "report": report(),
    }
    waiting = facts.pop(last)
    empty.apply(entity(), *facts.values())
    with pytest.raises(WaitFor) as waits:
        empty.apply(waiting)
    event = only(_given_up(empty, waiting, waits.value))
    assert (event.cost_rate_id, event.actual_cost) == (None, None)
    assert event.metrics[0].billable == 5200


def test_an_entity_that_never_comes_is_missed(empty: ServiceHarness) -> None:
    with pytest.raises(WaitFor) as waits:
        empty.apply(job())
    with pytest.raises(Rejected) as missed:
        _given_up(empty, job(), waits.value)
    assert missed.value.code == "reference-missing"


def _given_up(shop: ServiceHarness, event: Event, wait: WaitFor) -> list[Event]:
    with shop.engine.begin() as connection:
        store = MetricsStore(connection)
        store.prefetch([event])
        emitted = list(SERVICE.give_up[type(event)](event, store, LATER, wait))
        store.flush()
    return emitted


# ---------------------------------------------------------------- rates


def test_costs_are_those_in_force_on_the_day_of_completion(shop: ServiceHarness) -> None:
    """Version 2 ends in June; the second set begins in July; before January there is none."""
    shop.apply(
        cost_rate(version=2, valid_to=date(2026, 6, 30)),
        cost_rate(cost_rate_id="dearer", valid_from=date(2026, 7, 1), currency="CHF"),
    )
    rates = []
    for number, month in enumerate((12, 3, 7)):
        at = NOON.replace(month=month, year=2025 if month == 12 else 2026)
        event = only(shop.apply(job(job_id=f"J-{number}", resources=(PAPER,), completed_at=at)))
        rates.append((event.cost_rate_id, event.cost_rate_version, event.actual_cost))
    assert rates == [
        (None, None, None),
        ("costs", 2, Decimal("317.20")),
        ("dearer", 1, None),
    ]


def test_master_data_of_the_same_batch_is_known_to_its_jobs(empty: ServiceHarness) -> None:
    event = only(empty.apply(*MASTERDATA, job(resources=(PAPER,))))
    assert event.actual_cost == Decimal("317.20")


def test_completed_jobs_that_are_not_extracted_are_counted_by_state(shop: ServiceHarness) -> None:
    """Whoever looks for jobs that were never invoiced finds those that never got to a price."""
    waiting = job(job_id="J-2", quality=Quality.UNKNOWN)
    shop.apply(job(job_id="J-1"), waiting, job(job_id="J-3", quality=Quality.FAILED))
    shop.apply(report(job_id="J-4"))
    shop.tick("figures")
    shown = {
        (sample.labels["service"], sample.labels["state"]): sample.value
        for family in JOBS_UNBILLED.collect()
        for sample in family.samples
    }
    assert shown == {
        ("metrics_extractor", "waiting_quality"): 1,
        ("metrics_extractor", "not_billable"): 1,
    }
