"""What is not invoiced, or not yet, and what comes after an invoice, on PostgreSQL."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from services.invoicer.main import SERVICE, check_link_key, link_key
from shared.errors import ConfigurationError, Invalid, Rejected, WaitFor
from shared.events.billing import (
    Path,
)
from shared.events.masterdata import BuyerKind
from shared.metrics import JOBS_UNBILLED
from shared.testing import ServiceHarness
from tests.integration.invoicer.made import MovableClock, issued, job, reviews, states
from tests.unit.invoicer.factory import (
    NOW,
    address,
    customer,
    entity,
    line,
    priced,
    tax_rule,
)


def test_who_was_never_seen_is_waited_for(harness: ServiceHarness) -> None:
    for known, kind, key in (
        ((), "legal-entity", "DE01"),
        ((entity(),), "customer", "C-1001"),
        ((customer(),), "tax-rule", "DE"),
    ):
        harness.apply(*known)
        with pytest.raises(WaitFor) as waiting:
            harness.apply(job(1))
        assert (waiting.value.kind, waiting.value.key) == (kind, key)
    harness.apply(tax_rule())
    assert issued(harness.apply(job(1)))


def test_what_arrives_in_the_same_batch_is_known(harness: ServiceHarness) -> None:
    assert issued(harness.apply(entity(), customer(), tax_rule(), job(1)))


def test_facts_are_named_as_they_are_waited_for() -> None:
    named = {
        (fact.kind, fact.key)
        for event in (entity(), customer(), tax_rule())
        for fact in SERVICE.facts[type(event)](event)
    }
    assert named == {("legal-entity", "DE01"), ("customer", "C-1001"), ("tax-rule", "DE")}


@pytest.mark.parametrize(
    ("path", "state"),
    [(Path.REVIEW, "review"), (Path.HOLD, "hold"), (Path.REJECTED, "rejected")],
)
def test_other_paths_are_noted_and_a_later_approval_is_billed(
    ready: ServiceHarness, path: Path, state: str
) -> None:
    assert ready.apply(job(1, path=path)) == []
    assert states(ready) == {"J-1": state}
    (event,) = issued(ready.apply(job(1, pricing_no=2, path=Path.APPROVED)))
    assert event.pricing_no == 2


def test_an_older_price_has_no_effect(ready: ServiceHarness) -> None:
    ready.apply(job(1, revision=2, pricing_no=2, path=Path.REVIEW))
    assert ready.apply(job(1, revision=1, pricing_no=1)) == []
    assert states(ready) == {"J-1": "review"}


def test_before_the_entity_is_live_no_number_is_given(harness: ServiceHarness) -> None:
    harness.apply(entity(live_from=date(2026, 3, 3)), customer(), tax_rule())
    assert harness.apply(job(1)) == []
    assert states(harness) == {"J-1": "not_live"}
    (event,) = issued(harness.apply(job(2, completed_on=date(2026, 3, 3))))
    assert event.sequence == 1


def test_a_price_that_contradicts_itself_is_rejected(ready: ServiceHarness) -> None:
    with pytest.raises(Rejected) as rejected:
        ready.apply(job(1, net_total=Decimal("1.00")))
    assert rejected.value.code == "total-mismatch"
    with pytest.raises(Invalid):
        ready.apply(entity(version=2, time_zone="Europe/Atlantis"))
    assert ready.query("SELECT count(*) AS n FROM invoice")[0].n == 0


def test_a_missing_tax_rule_holds_once_and_its_arrival_releases(ready: ServiceHarness) -> None:
    abroad = job(1, lines=(line("100.00", ship_to_country="AT"),), net_total=Decimal("100.00"))
    ready.apply(customer(version=2, vat_id="ATU12345675", valid_from=date(2021, 1, 1)))
    # when a job needs a rule that is not there
    (review,) = reviews(ready.apply(abroad))
    # then it is held, the reason names what is missing, and a person is asked once
    assert (review.subject_kind, review.subject_id, review.subject_version) == ("draft", "J-1", 1)
    assert review.reasons[0].code == "tax-rule-missing"
    (row,) = ready.query("SELECT state, hold_reasons, recheck FROM job")
    assert row.state == "tax_hold"
    assert "EU_BUSINESS" in row.hold_reasons
    assert ready.tick("recheck") == []
    # when the rule arrives, the job is marked, and the next tick bills it
    ready.apply(
        tax_rule(tax_rule_id="K", buyer_kind=BuyerKind.EU_BUSINESS, category="K", rate=Decimal(0))
    )
    assert ready.query("SELECT recheck FROM job")[0].recheck
    (event,) = issued(ready.tick("recheck"))
    assert (event.gross_total, event.taxes[0].category) == (Decimal("100.00"), "K")
    assert states(ready) == {"J-1": "invoiced"}
    assert ready.tick("recheck") == []


def test_a_hold_that_lasts_asks_no_second_time(ready: ServiceHarness) -> None:
    ready.apply(customer(customer_id="C-2", vat_id=None, address=address("AT")))
    held = job(1, customer_id="C-2")
    assert len(reviews(ready.apply(held))) == 1
    ready.apply(customer(version=2, valid_from=date(2021, 1, 1)), tax_rule(version=2))
    assert ready.query("SELECT recheck FROM job")[0].recheck
    assert ready.tick("recheck") == []
    (row,) = ready.query("SELECT state, recheck FROM job")
    assert (row.state, row.recheck) == ("tax_hold", False)


def test_a_hold_of_extreme_figures_keeps_no_other_from_its_invoice(
    harness: ServiceHarness, clock: MovableClock
) -> None:
    """Given a held price whose gross no event can say, then it stays on hold and says why.

    It is looked at again as rarely as any other hold; it has taken no number.
    """
    huge = "99999999999999999999.00"
    dear = (line(huge, unit_price=Decimal(1)),)
    harness.apply(entity(), customer(), tax_rule(product_class="other"))
    harness.apply(priced(*dear, net_total=Decimal(huge), job_id="J-0"), job(1))
    assert states(harness) == {"J-0": "tax_hold", "J-1": "tax_hold"}
    harness.apply(tax_rule(tax_rule_id="T-2"))

    (event,) = issued(harness.tick("recheck"))

    assert (event.job_id, event.sequence) == ("J-1", 1)
    (row,) = harness.query("SELECT state, hold_reasons, recheck FROM job WHERE job_id = 'J-0'")
    assert (row.state, row.recheck) == ("tax_hold", False)
    assert row.hold_reasons.startswith("figure-out-of-bounds: what comes of it is too large")
    assert harness.tick("recheck") == []
    tried = "SELECT tried_at FROM job WHERE job_id = 'J-0'"
    assert harness.query(tried)[0].tried_at == NOW
    clock.at = NOW + timedelta(days=1)
    assert harness.tick("recheck") == []
    assert harness.query(tried)[0].tried_at == clock.at


def test_time_alone_tries_again(ready: ServiceHarness, clock: MovableClock) -> None:
    """A version that begins tomorrow releases the job tomorrow, though nothing arrives."""
    tomorrow = NOW.date() + timedelta(days=1)
    ready.apply(entity(legal_entity_id="DE02", valid_from=tomorrow))
    (review,) = reviews(ready.apply(job(1, legal_entity_id="DE02")))
    assert review.reasons[0].code == "seller-not-in-force"
    assert ready.tick("recheck") == []
    clock.at = NOW + timedelta(days=1)
    assert len(issued(ready.tick("recheck"))) == 1


def test_a_newer_revision_after_issue_asks_for_a_correction(ready: ServiceHarness) -> None:
    (event,) = issued(ready.apply(job(1)))
    newer = priced(line("1100.00"), job_id="J-1", revision=2, pricing_no=2)
    (review,) = reviews(ready.apply(newer))
    assert (review.subject_kind, review.subject_version) == ("correction", 2)
    assert (review.previous_net_total, review.net_total) == (event.net_total, Decimal("1100.00"))
    (row,) = ready.query("SELECT state, revision, invoice_id FROM job")
    assert (row.state, row.revision, row.invoice_id) == ("correction_open", 2, event.invoice_id)
    assert ready.query("SELECT count(*) AS n FROM invoice")[0].n == 1


def test_a_newer_price_of_the_invoiced_revision_changes_nothing(ready: ServiceHarness) -> None:
    ready.apply(job(1))
    assert ready.apply(job(1, pricing_no=2)) == []
    assert states(ready) == {"J-1": "invoiced"}


def test_a_newer_revision_on_hold_waits_for_its_price(ready: ServiceHarness) -> None:
    ready.apply(job(1))
    held = job(1, revision=2, pricing_no=2, path=Path.HOLD)
    assert ready.apply(held) == []
    assert states(ready) == {"J-1": "invoiced"}
    assert len(reviews(ready.apply(job(1, revision=2, pricing_no=3)))) == 1


def test_without_a_key_for_links_the_service_refuses_to_start(harness: ServiceHarness) -> None:
    bare = harness.settings.model_copy(update={"payment_link_key": None, "secrets_dir": None})
    harness.settings = bare
    with pytest.raises(ConfigurationError, match="PAYMENT_LINK_KEY"):
        check_link_key(harness)
    harness.settings = bare.model_copy(update={"payment_link_key": SecretStr("k")})
    check_link_key(harness)
    assert link_key(harness.settings) == b"k"


def test_unbilled_jobs_are_counted_by_state(ready: ServiceHarness) -> None:
    ready.apply(job(1), job(2, path=Path.REVIEW), job(3, path=Path.HOLD))
    ready.tick("figures")
    shown = {
        sample.labels["state"]: sample.value
        for family in JOBS_UNBILLED.collect()
        for sample in family.samples
    }
    assert shown == {"review": 1, "hold": 1}
