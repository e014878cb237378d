"""Invoices on PostgreSQL: numbers without gap, once, in order, under concurrency."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from shared.errors import ConcurrentWrite
from shared.events.billing import (
    InvoiceIssued,
    JobPriced,
)
from shared.testing import ServiceHarness
from tests.integration.invoicer.made import MovableClock, issued, job, states
from tests.unit.invoicer.factory import (
    customer,
    entity,
)


def test_a_billable_price_becomes_an_invoice_in_tables_and_event(ready: ServiceHarness) -> None:
    # given seller, buyer and tax rule; when the worked rate-card job is priced
    (event,) = issued(ready.apply(job(1)))
    # then the figures are those of the handbook, everywhere
    assert (event.invoice_number, event.sequence) == ("R-2026-000001", 1)
    assert (event.net_total, event.tax_total, event.gross_total) == (
        Decimal("1027.80"),
        Decimal("195.28"),
        Decimal("1223.08"),
    )
    assert event.due_on == date(2026, 4, 2)
    assert event.payment_reference == "RF17R2026000001"
    assert event.payment_url is not None
    assert event.payment_url.startswith("https://zahlen.spreebogen.example/r/")
    (row,) = ready.query("SELECT gross_total, due_on, content FROM invoice")
    assert (row.gross_total, row.due_on) == (event.gross_total, event.due_on)
    assert InvoiceIssued.model_validate_json(row.content) == event
    (sums,) = ready.query("SELECT sum(net) AS net, count(*) AS lines FROM invoice_line")
    assert (sums.net, sums.lines) == (event.net_total, 6)
    assert ready.query("SELECT category, net, tax FROM invoice_tax") == [
        ("S", event.net_total, event.tax_total)
    ]
    assert states(ready) == {"J-1": "invoiced"}


def test_numbers_run_on_over_batches_and_entities_have_their_own(ready: ServiceHarness) -> None:
    ready.apply(entity(legal_entity_id="DE02", invoice_series="B"))
    first = issued(ready.apply(*(job(n) for n in range(3))))
    second = issued(ready.apply(job(3), job(4, legal_entity_id="DE02"), job(5)))
    assert [one.sequence for one in first] == [1, 2, 3]
    assert [one.invoice_number for one in second] == [
        "R-2026-000004",
        "B-2026-000001",
        "R-2026-000005",
    ]


def test_the_year_turns_and_the_clock_steps_back(
    ready: ServiceHarness, clock: MovableClock
) -> None:
    # given an invoice of the new year, the zone being ahead of UTC
    clock.at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    (new_year,) = issued(ready.apply(job(1)))
    assert (new_year.invoice_number, new_year.issued_on) == ("R-2027-000001", date(2027, 1, 1))
    # when the clock steps back into the old one
    clock.at = datetime(2026, 12, 31, 12, 0, tzinfo=UTC)
    (after,) = issued(ready.apply(job(2)))
    # then neither number nor date does
    assert (after.invoice_number, after.issued_on) == ("R-2027-000002", date(2027, 1, 1))


def test_the_number_of_statements_does_not_grow_with_the_batch(ready: ServiceHarness) -> None:
    ready.apply(job(0))
    counts = []
    for size in (1, 2, 40):
        ready.apply(*(job(1000 * size + n) for n in range(size)))
        counts.append(ready.statements)
    assert len(set(counts)) == 1, counts
    for size in (1, 30):
        ready.apply(*(customer(customer_id=f"C-{size}-{n}") for n in range(size)))
        counts.append(ready.statements)
    assert counts[-1] == counts[-2]


def test_two_instances_at_once_give_every_number_once(ready: ServiceHarness) -> None:
    """If it failed: a gap or a double in the books of whoever runs two instances."""
    writers, each = 4, 12
    barrier = Barrier(writers)

    def write(writer: int) -> None:
        barrier.wait(10)
        for number in range(each):
            event = job(100 * writer + number)
            while True:
                try:
                    _apply(ready, event, fail=number % 5 == 4 and writer % 2 == 1)
                    break
                except ConcurrentWrite:
                    continue
                except _RollBack:
                    _apply(ready, event, fail=False)
                    break

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    rows = ready.query("SELECT sequence, issued_on FROM invoice ORDER BY sequence")
    assert [row.sequence for row in rows] == list(range(1, writers * each + 1))
    (series,) = ready.query("SELECT last_number FROM number_series")
    assert series.last_number == writers * each


class _RollBack(Exception):
    """The transaction ends here, after everything was written."""


def _apply(harness: ServiceHarness, event: JobPriced, *, fail: bool) -> None:
    with harness.engine.begin() as connection:
        store = harness.spec.store(connection)
        store.prefetch([event])
        store.begin()
        list(harness.spec.handlers[JobPriced](event, store, harness.clock.now()))
        store.flush()
        if fail:
            raise _RollBack


def test_issued_invoices_cannot_be_changed_by_the_service(ready: ServiceHarness) -> None:
    ready.apply(job(1))
    for statement in (
        "UPDATE invoice SET gross_total = 0",
        "DELETE FROM invoice",
        "UPDATE invoice_line SET net = 0",
        "DELETE FROM invoice_tax",
    ):
        with pytest.raises(ProgrammingError), ready.engine.begin() as connection:
            connection.execute(text(statement))


def test_the_database_refuses_a_number_twice(ready: ServiceHarness) -> None:
    (event,) = issued(ready.apply(job(1)))
    copy = (
        "INSERT INTO invoice SELECT legal_entity_id, 'other', 'other', series, fiscal_year,"
        " sequence, 'other', revision, pricing_no, customer_id, issued_at, issued_on, due_on,"
        " currency, net_total, tax_total, gross_total, 'other', content FROM invoice"
    )
    with pytest.raises(IntegrityError, match="number_once"), ready.engine.begin() as connection:
        connection.execute(text(copy))
    assert event.sequence == 1
