"""The pricer on PostgreSQL: what it waits for, prices, holds, and prices anew."""

from datetime import UTC, date, datetime
from typing import Final

import pytest

from services.pricer import domain
from services.pricer.domain import Known
from services.pricer.main import SERVICE
from shared.errors import Invalid, Rejected, WaitFor
from shared.events.billing import JobPriced, Path, ReviewRequested
from shared.events.production import Component, MetricsExtracted
from shared.metrics import REGISTRY
from shared.testing import ServiceHarness
from tests.integration.pricer.common import (
    JOBS,
    TERMS,
    TRIAL,
    TRIAL_RATE,
    held_for_a_rate,
    new_card,
    price,
)
from tests.unit.pricer.builders import (
    FIXED,
    RATES,
    WORKED,
    D,
    agreement,
    customer,
    estimate,
    item,
    job,
    metric,
    quoted,
    rate_card,
)

NOW: Final = datetime(2026, 3, 3, 9, tzinfo=UTC)


# ------------------------------------------------------------ waiting


def test_a_job_waits_for_each_fact_never_seen_and_writes_nothing_meanwhile(
    harness: ServiceHarness,
) -> None:
    """What it waits for is, in kind and key, what the fact's arrival announces."""
    for arriving in (customer(), agreement(), rate_card(), estimate()):
        with pytest.raises(WaitFor) as wait:
            harness.apply(job())
        (fact,) = SERVICE.facts[type(arriving)](arriving)
        assert (wait.value.kind, wait.value.key) == (fact.kind, fact.key)
        harness.apply(arriving)

    assert harness.query(JOBS) == []
    assert price(harness.apply(job())).path is Path.STRAIGHT_THROUGH


def test_terms_and_their_job_may_come_in_one_batch(harness: ServiceHarness) -> None:
    priced = price(harness.apply(*TERMS, estimate(), job()))

    assert (priced.path, priced.pricing_no) == (Path.STRAIGHT_THROUGH, 1)


def test_when_the_wait_is_over_the_job_is_held_and_priced_when_the_fact_comes(
    harness: ServiceHarness,
) -> None:
    harness.apply(*TERMS)

    with harness.begin() as unit:
        unit.store.prefetch([job()])
        given_up = list(
            SERVICE.give_up[MetricsExtracted](
                job(), unit.store, unit.now, WaitFor("estimate", "LE-1/E-1/J-1")
            )
        )
    harness.apply(estimate())
    anew = price(harness.tick("reprice"))

    assert [reason.code for reason in price(given_up).reasons] == ["estimate-missing"]
    assert (anew.path, anew.pricing_no) == (Path.STRAIGHT_THROUGH, 2)


# ------------------------------------------------------------ pricing


def test_a_revision_is_priced_once_and_a_newer_one_replaces_it(harness: ServiceHarness) -> None:
    harness.apply(*TERMS, estimate())

    first = harness.apply(job(revision=2))
    again = harness.apply(job(revision=2))
    older = harness.apply(job(revision=1))
    newer = price(harness.apply(job(revision=3)))

    assert price(first).pricing_no == 1
    assert (again, older) == ([], [])
    assert (newer.revision, newer.pricing_no) == (3, 2)
    assert harness.query(JOBS) == [(3, 2, "STRAIGHT_THROUGH", D("1081.9000"), False)]
    assert harness.query("SELECT pricing_no, revision FROM pricing ORDER BY 1") == [(1, 2), (2, 3)]


def test_prices_are_counted_by_path(harness: ServiceHarness) -> None:
    def counted() -> float:
        labels = {"service": "pricer", "path": "STRAIGHT_THROUGH"}
        return REGISTRY.get_sample_value("colophon_jobs_priced_total", labels) or 0

    harness.apply(*TERMS, estimate())
    before = counted()

    harness.apply(job())
    harness.apply(job())

    assert counted() == before + 1


def test_two_revisions_of_one_batch_are_priced_in_order(harness: ServiceHarness) -> None:
    emitted = harness.apply(*TERMS, estimate(), job(revision=1), job(revision=2))

    assert [(e.revision, e.pricing_no) for e in emitted if isinstance(e, JobPriced)] == [
        (1, 1),
        (2, 2),
    ]


def test_a_review_is_asked_for_with_the_price_it_replaces(harness: ServiceHarness) -> None:
    short = job(items=(item(10_000, 9_000),), revision=2)
    harness.apply(customer(), FIXED, rate_card(), quoted())

    first = harness.apply(job(items=(item(10_000, 9_400),)))
    second = harness.apply(short)

    assert [type(event) for event in second] == [JobPriced, ReviewRequested]
    (asked,) = [event for event in first if isinstance(event, ReviewRequested)]
    (asked_again,) = [event for event in second if isinstance(event, ReviewRequested)]
    assert (asked.subject_kind, asked.subject_id, asked.subject_version) == ("price", "J-1", 1)
    assert (asked.net_total, asked.previous_net_total) == (D("1778.00"), None)
    assert asked.requested_at == NOW
    assert asked.reasons == price(first).reasons
    assert (asked_again.net_total, asked_again.previous_net_total) == (
        D("1730.00"),
        D("1778.0000"),
    )


def test_a_stored_price_can_be_computed_again_to_the_cent(harness: ServiceHarness) -> None:
    harness.apply(*TERMS, estimate(), job())
    harness.apply(customer(version=2), agreement(version=2, discount_percent=D(50)))

    ((metrics, stored),) = harness.query("SELECT m.content, p.content FROM metrics m JOIN pricing p"
                                         " USING (legal_entity_id, job_id, revision)")  # fmt: skip
    kept = JobPriced.model_validate_json(stored)
    seen = Known(
        (customer(),), (agreement(),), {"RC-1": (domain.price_list(rate_card()),)}, estimate()
    )
    done = MetricsExtracted.model_validate_json(metrics)
    again = domain.price(done, domain.resolve(done, seen), kept.pricing_no)

    assert again == kept


# ------------------------------------------------------------ versions


def test_the_versions_in_force_on_the_day_of_completion_price_the_job(
    harness: ServiceHarness,
) -> None:
    dear = tuple(line.model_copy(update={"rate": line.rate * 2}) for line in RATES)
    harness.apply(
        *TERMS,
        rate_card(dear, version=2, valid_from=date(2026, 4, 1)),
        agreement(version=2, valid_from=date(2026, 4, 1), discount_percent=D(10)),
        customer(version=2, valid_from=date(2026, 4, 1), locale="de-DE"),
    )
    later = job(job_id="J-2", completed_on=date(2026, 4, 1), estimate_ref=None)

    emitted = harness.apply(job(estimate_ref=None), later)

    before, after = [event for event in emitted if isinstance(event, JobPriced)]
    assert (before.agreement_version, before.rate_card_version) == (1, 1)
    assert (after.agreement_version, after.rate_card_version) == (2, 2)
    assert (before.net_total, after.net_total) == (D("1081.90"), D("1947.42"))
    assert after.lines[-1].description == "Rabatt 10 % auf EUR 2.163,80"


def test_an_ended_agreement_holds_the_job_until_it_is_renewed(harness: ServiceHarness) -> None:
    ended = agreement(version=2, valid_to=date(2026, 2, 28), needs_estimate=False)
    harness.apply(*TERMS, ended)

    held = price(harness.apply(job(estimate_ref=None)))
    harness.apply(agreement(version=3, valid_from=date(2026, 3, 1), needs_estimate=False))
    anew = price(harness.tick("reprice"))

    assert [reason.code for reason in held.reasons] == ["agreement-not-in-force"]
    assert held.agreement_id is None
    assert (anew.path, anew.agreement_version) == (Path.STRAIGHT_THROUGH, 3)


def test_an_agreement_taken_over_by_another_customer_releases_both_sides(
    harness: ServiceHarness,
) -> None:
    two = agreement(agreement_id="A-2", needs_estimate=False)
    harness.apply(*TERMS, two, customer(customer_id="C-9"))
    ambiguous = price(harness.apply(job(estimate_ref=None)))
    moved = agreement(version=2, customer_id="C-9")

    harness.apply(moved)
    anew = price(harness.tick("reprice"))
    theirs = price(harness.apply(job(job_id="J-9", customer_id="C-9", estimate_ref=None)))

    assert [reason.code for reason in ambiguous.reasons] == ["agreement-ambiguous"]
    assert (anew.path, anew.agreement_id) == (Path.STRAIGHT_THROUGH, "A-2")
    assert (theirs.agreement_id, theirs.agreement_version) == ("A-1", 2)


def test_the_same_version_again_has_no_effect_and_another_content_is_a_conflict(
    harness: ServiceHarness,
) -> None:
    known = (*TERMS, estimate())
    harness.apply(*known)

    assert harness.apply(*known) == []
    for changed in (
        customer(name="Other"),
        agreement(discount_percent=D(1)),
        rate_card(RATES[1:]),
        estimate(description="Other"),
    ):
        with pytest.raises(Rejected) as conflict:
            harness.apply(changed)
        assert conflict.value.code == "conflict"
        assert conflict.value.facts["fields"] in {
            "name",
            "discount_percent",
            "lines",
            "description",
        }


def test_what_cannot_be_meant_is_refused_by_every_handler(harness: ServiceHarness) -> None:
    harness.apply(*TERMS)
    for broken in (
        customer(customer_id="C-7", valid_to=date(2020, 1, 1)),
        agreement(agreement_id="A-7", valid_to=date(2020, 1, 1)),
        rate_card(rate_card_id="RC-7", valid_to=date(2020, 1, 1)),
        estimate(net_total=D(7)),
        job([metric(Component.INK, "INK", "KGM", "-1")]),
    ):
        with pytest.raises(Invalid):
            harness.apply(broken)


# ------------------------------------------------------------ hold, and priced anew


def test_a_new_rate_card_prices_the_job_on_hold_anew(harness: ServiceHarness) -> None:
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())
    held_for_a_rate(harness)

    harness.apply(new_card(2, TRIAL_RATE))
    anew = price(harness.tick("reprice"))

    assert (anew.path, anew.pricing_no, anew.rate_card_version) == (Path.STRAIGHT_THROUGH, 2, 2)
    assert harness.query(JOBS) == [(1, 2, "STRAIGHT_THROUGH", D("1181.9000"), False)]
    assert harness.tick("reprice") == []


def test_what_comes_out_the_same_is_not_said_again(harness: ServiceHarness) -> None:
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())
    held_for_a_rate(harness)
    ended = customer(version=2, valid_from=date(2027, 1, 1))

    harness.apply(ended)
    marked = harness.query(JOBS)
    silent = harness.tick("reprice")

    assert marked == [(1, 1, "HOLD", D(0), True)]
    assert silent == []
    assert harness.query(JOBS) == [(1, 1, "HOLD", D(0), False)]


def test_other_reasons_for_the_hold_are_said(harness: ServiceHarness) -> None:
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())
    held_for_a_rate(harness)

    harness.apply(customer(version=2, valid_to=date(2024, 6, 1)))
    anew = price(harness.tick("reprice"))

    assert (anew.path, anew.pricing_no) == (Path.HOLD, 2)
    assert [reason.code for reason in anew.reasons] == ["customer-not-in-force"]


def test_a_job_on_hold_may_turn_out_to_need_a_review(harness: ServiceHarness) -> None:
    harness.apply(*TERMS)
    held_for_a_rate(harness)

    harness.apply(new_card(2, TRIAL_RATE))
    emitted = harness.tick("reprice")

    (asked,) = [event for event in emitted if isinstance(event, ReviewRequested)]
    assert (asked.subject_version, asked.previous_net_total) == (2, None)


def test_news_about_others_marks_nothing(harness: ServiceHarness) -> None:
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())
    held_for_a_rate(harness)

    harness.apply(
        customer(customer_id="C-2"),
        agreement(customer_id="C-2", agreement_id="A-2"),
        agreement(legal_entity_id="LE-2"),
        new_card(1, rate_card_id="RC-2"),
        new_card(1, legal_entity_id="LE-2"),
        estimate(job_id="J-2"),
    )

    assert harness.query(JOBS) == [(1, 1, "HOLD", D(0), False)]


def test_jobs_that_are_not_on_hold_keep_their_price(harness: ServiceHarness) -> None:
    harness.apply(*TERMS, estimate(), job())

    harness.apply(new_card(2), customer(version=2), agreement(version=2))

    assert harness.tick("reprice") == []
    assert harness.query(JOBS) == [(1, 1, "STRAIGHT_THROUGH", D("1081.9000"), False)]


def test_a_job_held_in_the_batch_that_brings_what_it_lacks_is_marked(
    harness: ServiceHarness,
) -> None:
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())

    done = job((*WORKED, TRIAL), estimate_ref=None)
    held = price(harness.apply(done, new_card(2, TRIAL_RATE)))

    assert held.path is Path.HOLD
    assert price(harness.tick("reprice")).path is Path.STRAIGHT_THROUGH


def test_a_portion_is_bounded(harness: ServiceHarness) -> None:
    harness.apply(customer(), agreement(needs_estimate=False), rate_card())
    harness.apply(
        *(job((*WORKED, TRIAL), estimate_ref=None, job_id=f"J-{n:03d}") for n in range(130))
    )
    harness.apply(new_card(2, TRIAL_RATE))

    portions = [len(harness.tick("reprice")) for _ in range(3)]

    assert portions == [100, 30, 0]
