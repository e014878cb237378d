"""Which terms a job is priced by; what is waited for, and what is held at once."""

from datetime import date

import pytest

from services.pricer import domain
from services.pricer.domain import Known, Terms, Unresolved
from shared.events.production import Component, PhaseStatus
from tests.unit.pricer.builders import (
    HOURS,
    agreement,
    customer,
    estimate,
    job,
    known,
    metric,
    rate,
    rate_card,
)


def test_everything_in_force_gives_the_terms() -> None:
    resolved = domain.resolve(job(), known(accepted=estimate()))

    assert isinstance(resolved, Terms)
    assert resolved.customer == customer()
    assert resolved.agreement == agreement()
    assert resolved.prices.card == rate_card()
    assert resolved.estimate == estimate()


def test_a_job_that_names_no_estimate_does_not_wait_for_one() -> None:
    resolved = domain.resolve(job(estimate_ref=None), known())

    assert isinstance(resolved, Terms)
    assert resolved.estimate is None


def test_what_was_never_seen_is_waited_for_and_named_when_the_wait_is_over() -> None:
    resolved = domain.resolve(job(), Known())

    assert isinstance(resolved, Unresolved)
    assert [(missing.kind, missing.key) for missing in resolved.missing] == [
        ("customer", "C-1"),
        ("agreement", "LE-1/C-1"),
        ("estimate", "LE-1/E-1/J-1"),
    ]
    assert [reason.code for reason in resolved.reasons] == [
        "customer-missing",
        "agreement-missing",
        "estimate-missing",
    ]
    assert resolved.agreement is None


def test_a_rate_card_never_seen_is_waited_for_once_the_agreement_names_it() -> None:
    agreed = Known(customers=(customer(),), agreements=(agreement(),), estimate=estimate())

    resolved = domain.resolve(job(), agreed)

    assert isinstance(resolved, Unresolved)
    assert [(m.kind, m.key) for m in resolved.missing] == [("rate-card", "LE-1/RC-1")]
    assert resolved.agreement == agreement()


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (Known((), (agreement(),), {"RC-1": ()}), "customer-not-in-force"),
        (Known((customer(),), ()), "agreement-not-in-force"),
        (Known((customer(),), (agreement(),), {"RC-1": ()}), "rate-card-not-in-force"),
    ],
)
def test_known_without_a_version_in_force_is_no_reason_to_wait(seen: Known, code: str) -> None:
    resolved = domain.resolve(job(estimate_ref=None), seen)

    assert isinstance(resolved, Unresolved)
    assert resolved.missing == ()
    assert code in [reason.code for reason in resolved.unanswered]
    assert all("2026-03-02" in reason.text for reason in resolved.unanswered)


def test_two_agreements_at_once_are_named_and_not_chosen_from() -> None:
    both = (agreement(agreement_id="A-2", version=3), agreement())

    resolved = domain.resolve(job(estimate_ref=None), Known((customer(),), both))

    assert isinstance(resolved, Unresolved)
    (reason,) = resolved.reasons
    assert reason.code == "agreement-ambiguous"
    assert "A-1 version 1, A-2 version 3" in reason.text


def test_a_rate_for_the_status_goes_before_a_rate_for_any_status() -> None:
    setup = rate(Component.MACHINE, "PRESS", HOURS, "200", status=PhaseStatus.SETUP)
    anything = rate(Component.MACHINE, "PRESS", HOURS, "180")
    prices = domain.price_list(rate_card([setup, anything]))

    def found(status: PhaseStatus) -> object:
        return prices.find(metric(Component.MACHINE, "PRESS", HOURS, "1", status=status))

    assert found(PhaseStatus.SETUP) == setup
    assert found(PhaseStatus.RUN) == anything
    assert prices.find(metric(Component.MACHINE, "OTHER", HOURS, "1")) is None


def test_a_component_of_a_newer_release_is_not_on_the_list() -> None:
    prices = domain.price_list(rate_card([rate(Component.UNKNOWN, "X", HOURS, "1")]))

    assert prices.find(metric(Component.UNKNOWN, "X", HOURS, "1")) is None


def test_a_day_is_the_day_of_completion() -> None:
    done = job(estimate_ref=None, completed_on=date(2025, 12, 31))

    resolved = domain.resolve(done, Known((), (), {}))

    assert isinstance(resolved, Unresolved)
    assert "2025-12-31" in resolved.reasons[0].text
