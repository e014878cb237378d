"""What the service writes: all or nothing, never changed, in a fixed number of statements."""

from datetime import date

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.metrics_extractor.main import SERVICE
from services.metrics_extractor.store import MetricsStore
from services.metrics_extractor.store.tables import JOB, METADATA
from shared.errors import Rejected
from shared.events.base import Event
from shared.events.production import MetricsExtracted, Quality
from shared.testing import ServiceHarness
from tests.unit.metrics_extractor.builders import (
    LATER,
    cost_rate,
    decision,
    entity,
    job,
    phase,
    report,
    sheets,
)

APPEND_ONLY = sorted(table.name for table in METADATA.sorted_tables if table is not JOB)
PAPER = sheets(5000, 200, (5000, 200))


def count(shop: ServiceHarness, table: str) -> int:
    ((rows,),) = shop.query(f"SELECT count(*) FROM {table}")  # noqa: S608 - a table of ours
    return int(rows)


def test_what_is_refused_leaves_no_trace(shop: ServiceHarness) -> None:
    with pytest.raises(Rejected):
        shop.apply(report(), job(customer_id=None))
    assert (count(shop, "job"), count(shop, "usage_report")) == (0, 0)


def test_a_report_whose_record_failed_is_not_heard_by_the_next(shop: ServiceHarness) -> None:
    """The runtime undoes a failed record and goes on with the batch."""
    told, done = report(resources=(PAPER,)), job()
    with shop.engine.begin() as connection:
        store = MetricsStore(connection)
        store.prefetch([told, done])
        store.begin()
        list(SERVICE.handlers[type(told)](told, store, LATER))
        store.undo()
        store.begin()
        (event,) = SERVICE.handlers[type(done)](done, store, LATER)
        store.flush()
    assert isinstance(event, MetricsExtracted)
    assert event.metrics == ()
    assert count(shop, "usage_report") == 0


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_what_happened_cannot_be_changed_by_the_service(shop: ServiceHarness, table: str) -> None:
    delete = f"DELETE FROM {table}"  # noqa: S608 - a table of ours
    update = f"UPDATE {table} SET legal_entity_id = 'x'"  # noqa: S608 - a table of ours
    for statement in (delete, update):
        with shop.engine.connect() as connection, pytest.raises(ProgrammingError) as refused:
            connection.execute(text(statement))
        assert isinstance(refused.value.orig, InsufficientPrivilege)


def test_the_number_of_statements_does_not_grow_with_the_batch(shop: ServiceHarness) -> None:
    shop.apply(*_batch("S", 2))
    small = shop.statements
    shop.apply(*_batch("L", 60))
    assert shop.statements == small
    assert small <= 20
    assert shop.query("SELECT state, count(*) FROM job GROUP BY state ORDER BY state") == [
        ("awaiting_reports", 62),
        ("extracted", 124),
        ("not_billable", 62),
    ]


def _batch(prefix: str, jobs: int) -> list[Event]:
    """Every kind of record, for jobs in every state; the second half meets what the first left."""
    events: list[Event] = []
    for number in range(jobs):
        name = f"{prefix}{number}"
        events += [
            entity(version=number + 10 * jobs),
            cost_rate(version=number + 10 * jobs, valid_from=date(2026, 1, 1)),
            report(job_id=name, message_id=name, resources=(PAPER,)),
            decision(Quality.PASSED, job_id=name, message_id=name),
            job(job_id=name, quality=Quality.UNKNOWN),
            job(job_id=f"{name}-r", reports_expected=2),
            report(job_id=f"{name}-r", message_id=f"{name}-r", phases=(phase("08:00", None),)),
            job(job_id=f"{name}-f", quality=Quality.FAILED),
            job(job_id=f"{name}-n", revision=2),
            job(job_id=f"{name}-n", revision=1),
        ]
    return events
