"""The pricer's database: statements, rights, constraints, and two processes at once."""

from datetime import date
from threading import Event as Signal
from threading import Thread
from typing import Final

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.pricer.main import SERVICE
from shared.events.base import Event
from shared.events.billing import JobPriced, Path
from shared.events.production import Component, MetricsExtracted
from shared.migrate import differences
from shared.testing import ServiceHarness
from tests.integration.pricer.common import (
    TERMS,
    TRIAL,
    TRIAL_RATE,
    held_for_a_rate,
    new_card,
    price,
)
from tests.unit.pricer.builders import (
    SHEETS,
    WORKED,
    agreement,
    customer,
    estimate,
    job,
    metric,
    rate,
    rate_card,
)


def test_a_job_and_the_price_it_lacks_in_two_processes_never_miss_each_other(
    harness: ServiceHarness,
) -> None:
    """The card arrives while the transaction that holds the job is still open."""
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())
    done = job((*WORKED, TRIAL), estimate_ref=None)
    learnt = Signal()

    def learn() -> None:
        harness.apply(new_card(2, TRIAL_RATE))
        learnt.set()

    other = Thread(target=learn)
    with harness.begin() as unit:
        unit.store.prefetch([done])
        other.start()
        wait_until_blocked(harness)
        unit.emit(*SERVICE.handlers[MetricsExtracted](done, unit.store, unit.now))
        assert not learnt.is_set()
    other.join(timeout=10)

    assert learnt.is_set()
    assert price(harness.emitted).path is Path.HOLD
    assert price(harness.tick("reprice")).path is Path.STRAIGHT_THROUGH


def test_a_hold_of_extreme_figures_keeps_no_other_from_its_price(harness: ServiceHarness) -> None:
    """Given a job whose price no event can say, then it stays on hold, with that reason.

    It is priced anew when its terms change, and not before.
    """
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())
    huge = metric(Component.SUBSTRATE, "PAP-TRIAL", SHEETS, "9999999999999999999")
    harness.apply(job((*WORKED, huge), estimate_ref=None, job_id="J-0"))
    held_for_a_rate(harness)
    dear = rate(Component.SUBSTRATE, "PAP-TRIAL", SHEETS, "100.00")
    harness.apply(new_card(2, dear))

    told = {one.job_id: one for one in harness.tick("reprice") if isinstance(one, JobPriced)}

    sound = told.pop(job().job_id)
    assert sound.path in {Path.STRAIGHT_THROUGH, Path.REVIEW}
    assert told["J-0"].path is Path.HOLD
    assert [reason.code for reason in told["J-0"].reasons] == ["figure-out-of-bounds"]
    assert harness.query("SELECT 1 FROM job WHERE reprice") == []
    harness.apply(new_card(3, rate(Component.SUBSTRATE, "PAP-TRIAL", SHEETS, "0.01")))
    assert price(harness.tick("reprice")).path is not Path.HOLD


def wait_until_blocked(harness: ServiceHarness) -> None:
    """Return once a transaction waits for an advisory lock; fail after ten seconds."""
    clock = Signal()
    for _ in range(1000):
        if harness.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            return
        clock.wait(0.01)
    pytest.fail("the other transaction did not wait")


def test_a_job_taken_by_a_batch_is_left_for_the_next_tick(harness: ServiceHarness) -> None:
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())
    held_for_a_rate(harness)
    harness.apply(new_card(2, TRIAL_RATE))

    with harness.begin() as unit:
        unit.store.prefetch([job(revision=2)])
        assert harness.tick("reprice") == []

    assert price(harness.tick("reprice")).path is Path.STRAIGHT_THROUGH


def many(number: int) -> list[Event]:
    """Terms and jobs of `number` customers, each with an agreement and a rate card of its own."""
    return [
        event
        for n in range(number)
        for event in (
            customer(customer_id=f"C-{n}"),
            agreement(agreement_id=f"A-{n}", customer_id=f"C-{n}", rate_card_id=f"RC-{n}"),
            rate_card(rate_card_id=f"RC-{n}"),
            estimate(estimate_id=f"E-{n}", job_id=f"J-{n}", customer_id=f"C-{n}"),
        )
    ]


def done_by(number: int, revision: int) -> list[Event]:
    return [
        job(job_id=f"J-{n}", customer_id=f"C-{n}", estimate_ref=f"E-{n}", revision=revision)
        for n in range(number)
    ]


def test_statements_do_not_grow_with_the_batch(harness: ServiceHarness) -> None:
    counts: dict[int, list[int]] = {}
    harness.apply(*many(30))
    for size, revision in ((1, 1), (30, 2)):
        taken = counts.setdefault(size, [])
        harness.apply(*done_by(size, revision))
        taken.append(harness.statements)
        harness.apply(*done_by(size, revision))
        taken.append(harness.statements)
        harness.apply(*(customer(customer_id=f"C-{n}", version=revision + 1) for n in range(size)))
        taken.append(harness.statements)
    fresh = service_counts(harness)

    assert counts[1][1:] == counts[30][1:]
    assert abs(counts[1][0] - counts[30][0]) <= 1  # the one UPDATE of jobs that were known before
    assert counts[30][0] <= 14
    assert fresh[1] == fresh[30]


def service_counts(harness: ServiceHarness) -> dict[int, int]:
    """Statements of a tick that prices 1 and 30 jobs anew."""
    taken = {}
    for size in (1, 30):
        trial = (*WORKED, TRIAL)
        harness.apply(
            *(
                job(
                    trial,
                    job_id=f"T-{size}-{n}",
                    customer_id=f"C-{n}",
                    estimate_ref=None,
                )
                for n in range(size)
            )
        )
        harness.apply(
            *(new_card(size + 1, TRIAL_RATE, rate_card_id=f"RC-{n}",
                       valid_from=date(2024, 1, 1)) for n in range(size))
        )  # fmt: skip
        assert harness.query("SELECT count(*) FROM job WHERE reprice") == [(size,)]
        harness.tick("reprice")
        taken[size] = harness.statements
        harness.apply(*(new_card(size + 2, rate_card_id=f"RC-{n}") for n in range(size)))
    return taken


FORBIDDEN: Final = (
    "UPDATE pricing SET net_total = 1",
    "DELETE FROM pricing",
    "UPDATE metrics SET received_at = now()",
    "UPDATE agreement SET customer_id = 'C-2'",
    "UPDATE rate_card SET version = 9",
    "UPDATE estimate SET net_total = 1",
    "UPDATE customer SET version = 9",
)
WRONG: Final = (
    "UPDATE job SET path = 'APPROVED'",
    "UPDATE job SET reprice = true",
    "UPDATE job SET revision = 0",
)


def test_history_and_terms_are_only_ever_added_to(harness: ServiceHarness) -> None:
    for forbidden in FORBIDDEN:
        with (
            harness.engine.begin() as connection,
            pytest.raises(ProgrammingError, match="permission denied"),
        ):
            connection.execute(text(forbidden))


def test_the_database_repeats_what_the_code_asserts(harness: ServiceHarness) -> None:
    harness.apply(*TERMS, estimate(), job())

    for wrong in WRONG:
        with harness.engine.begin() as connection, pytest.raises(IntegrityError):
            connection.execute(text(wrong))


def test_no_price_of_zero_is_billable_and_a_hold_has_none(harness: ServiceHarness) -> None:
    harness.apply(*TERMS, estimate(), job())
    insert = text(
        "INSERT INTO pricing SELECT legal_entity_id, job_id, 2, revision, :path, currency, :net,"
        " priced_at, content FROM pricing"
    )

    for path, net in (("HOLD", 1), ("STRAIGHT_THROUGH", 0), ("ACTUAL_WITHIN_CAP", -1), ("PAID", 1)):
        with harness.engine.begin() as connection, pytest.raises(IntegrityError):
            connection.execute(insert, {"path": path, "net": net})


def test_the_migrated_tables_are_those_of_the_code(harness: ServiceHarness) -> None:
    assert differences(harness.settings, "pricer") == []
