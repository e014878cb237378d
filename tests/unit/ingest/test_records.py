"""JSON: events of every inbound topic, in an envelope or by the folder's name, rounded aloud."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.outcome import Produced
from services.ingest.domain.records import inbound
from services.ingest.handler import read_file
from shared.events.masterdata import Contact, RateCard
from shared.events.payments import PaymentApplied
from shared.events.production import JobCompleted, QualityDecided
from shared.identity import key_of
from shared.schemas import ROOT
from shared.topology import BY_EVENT, TOPICS, Topic
from tests.unit.ingest.made import fault, kinds, produced, reason

QUALITY = BY_EVENT[QualityDecided].name
APPLIED = BY_EVENT[PaymentApplied].name
CONTACT = BY_EVENT[Contact].name


def quality(**changes: object) -> dict[str, Any]:
    """A quality decision."""
    return {
        "legal_entity_id": "DE01",
        "sender_id": "qc",
        "message_id": "Q1",
        "decided_at": "2026-03-02T10:00:00+01:00",
        "job_id": "J1",
        "quality": "PASSED",
        **changes,
    }


def payment(**changes: object) -> dict[str, Any]:
    """A payment applied to an invoice."""
    return {
        "legal_entity_id": "DE01",
        "payment_id": "P1",
        "invoice_id": "I1",
        "application_no": 1,
        "applied_at": "2026-03-02T10:00:00Z",
        "applied_on": "2026-03-02",
        "currency": "EUR",
        "amount": "100.00",
        "open_amount": 0,
        **changes,
    }


def enveloped(topic: str, value: object, **more: object) -> str:
    """A value in its envelope."""
    return json.dumps({"topic": topic, "value": value, **more})


# ---------------------------------------------------------------- forms


def test_a_document_in_an_envelope() -> None:
    (event,) = produced(enveloped(QUALITY, quality())).events
    assert isinstance(event, QualityDecided)
    assert event.decided_at == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_json_lines_and_arrays_of_several_topics() -> None:
    values = [enveloped(QUALITY, quality()), enveloped(APPLIED, payment())]
    expected = ["QualityDecided", "PaymentApplied"]
    assert kinds(produced("\n\n".join(values) + "\n").events) == expected
    assert kinds(produced(f"[{','.join(values)}]").events) == expected
    assert kinds(produced("\ufeff" + values[0]).events) == expected[:1]


def test_a_bare_value_takes_its_topic_from_the_path() -> None:
    text = json.dumps(quality())
    for source in (f"schemas/{QUALITY}/examples/v1/passed.json", f"in/{QUALITY}.json"):
        assert kinds(produced(text, source).events) == ["QualityDecided"]
    assert "is missing: wrap the value" in fault(text, "in/passed.json")


def test_an_empty_array_is_nothing() -> None:
    assert reason("[]") == "it holds no record"


def test_every_inbound_topic_is_open_and_no_other() -> None:
    open_to_files = {topic.name for topic in inbound()}
    assert {"masterdata", "payments", "production", "sales", "disputes"} == {
        name.split(".")[0] for name in open_to_files
    }
    for topic in TOPICS:
        refused = f"{topic.name} is not for ingesting" in fault(enveloped(topic.name, {}))
        assert refused is (topic.name not in open_to_files)


def test_a_key_that_agrees_is_taken_and_another_is_not() -> None:
    assert produced(enveloped(QUALITY, quality(), key="DE01/J1")).events
    assert "key is 'DE01/J2' where the value says 'DE01/J1'" in fault(
        enveloped(QUALITY, quality(), key="DE01/J2")
    ).replace("<record 1: key>", "key")


def test_an_erasure_is_a_last_revision_with_nothing_in_it() -> None:
    outcome = produced(enveloped(CONTACT, None, key="P%2F1"))
    (event,) = outcome.events
    assert isinstance(event, Contact)
    assert (event.contact_id, event.name, event.email) == ("P/1", "", None)
    assert key_of(BY_EVENT[Contact], event) == "P%2F1"
    assert "erases P%2F1" in outcome.notes[0]
    assert "is no JSON object" in fault(enveloped(CONTACT, None))
    assert "is no JSON object" in fault(enveloped(QUALITY, None, key="DE01/J1"))


# ---------------------------------------------------------------- rounding


def test_amounts_are_rounded_half_up_to_the_currency_aloud() -> None:
    outcome = produced(enveloped(APPLIED, payment(amount="12.345", open_amount=-0.005)))
    (event,) = outcome.events
    assert isinstance(event, PaymentApplied)
    assert (event.amount, event.open_amount) == (Decimal("12.35"), Decimal("-0.01"))
    assert outcome.notes == (
        "record 1: amount 12.345 rounded half up to 12.35",
        "record 1: open_amount -0.005 rounded half up to -0.01",
    )


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", "13"), ("KWD", "12.500"), ("EUR", "12.50")]
)
def test_currencies_have_0_2_or_3_decimals(currency: str, amount: str) -> None:
    (event,) = produced(enveloped(APPLIED, payment(amount="12.4996", currency=currency))).events
    assert isinstance(event, PaymentApplied)
    assert str(event.amount) == (amount if currency != "JPY" else "12")


def test_rates_and_quantities_are_rounded_to_their_scale_wherever_they_stand() -> None:
    line = {
        "component": "INK",
        "code": "INK",
        "description": "Ink",
        "unit": "KGM",
        "rate": "28.4999995",
        "per": "1.00000000049",
    }
    card = {
        "legal_entity_id": "DE01",
        "rate_card_id": "RC",
        "version": 1,
        "valid_from": "2026-01-01",
        "recorded_at": "2025-12-01T00:00:00Z",
        "currency": "EUR",
        "lines": [line],
    }
    outcome = produced(enveloped(BY_EVENT[RateCard].name, card))
    (event,) = outcome.events
    assert isinstance(event, RateCard)
    assert (event.lines[0].rate, event.lines[0].per) == (Decimal("28.500000"), Decimal(1))
    assert outcome.notes[0] == "record 1: lines.0.rate 28.4999995 rounded half up to 28.500000"


def test_without_a_currency_amounts_keep_four_decimals() -> None:
    job = {
        "legal_entity_id": "DE01",
        "job_id": "J1",
        "revision": 1,
        "description": "Cards",
        "completed_at": "2026-03-02T10:00:00Z",
        "end_status": "COMPLETED",
        "quality": "PASSED",
        "operations": [
            {
                "operation_id": "o",
                "component": "SERVICES",
                "code": "FREIGHT",
                "unit": "LS",
                "cost": "85.00005",
                "actual": None,
            }
        ],
    }
    (event,) = produced(enveloped(BY_EVENT[JobCompleted].name, job)).events
    assert isinstance(event, JobCompleted)
    assert event.operations[0].cost == Decimal("85.0001")


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=6, allow_nan=False))
def test_rounding_is_off_by_half_a_cent_at_most(amount: Decimal) -> None:
    outcome = produced(enveloped(APPLIED, payment(amount=str(amount))))
    (event,) = outcome.events
    assert isinstance(event, PaymentApplied)
    assert abs(event.amount - amount) <= Decimal("0.005")
    assert bool(outcome.notes) is (event.amount != amount)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (quality(job_id=""), "record 1: job_id"),
        (quality(surplus=1), "record 1: surplus"),
        ({k: v for k, v in quality().items() if k != "quality"}, "record 1: quality"),
        (quality(decided_at="2026-03-02T10:00:00"), "a time needs its zone"),
        (quality(decided_at=5), "record 1: decided_at"),
        (quality(quality="GOOD"), "record 1: quality"),
        ([1], "is no JSON object"),
        ("text", "is no JSON object"),
    ],
)
def test_a_value_that_breaks_its_contract_is_refused_by_field(value: object, why: str) -> None:
    assert why in fault(enveloped(QUALITY, value))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"amount": "12,50"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": {}}, "amount"),
        ({"amount": "1e60"}, "amount"),
        ({"amount": "1" * 40}, "amount"),
        ({"application_no": "1"}, "application_no"),
        ({"application_no": 0}, "application_no"),
        ({"currency": "QQQ"}, "not a currency of ISO 4217"),
        ({"currency": 7}, "currency"),
    ],
)
def test_money_that_is_none_is_refused(changes: dict[str, object], why: str) -> None:
    assert why in fault(enveloped(APPLIED, payment(**changes)))


def test_unknown_topics_and_envelopes_are_refused() -> None:
    assert "'nowhere' is no topic" in fault(enveloped("nowhere", {}))
    assert "is no topic" in fault('{"topic": 5, "value": {}}')
    assert "is missing: wrap" in fault(enveloped(QUALITY, quality(), extra=1))


def test_one_bad_line_refuses_the_file_and_names_the_line() -> None:
    good, bad = enveloped(QUALITY, quality()), enveloped(QUALITY, quality(quality="GOOD"))
    assert fault(f"{good}\n\n{bad}").startswith("line 3: <record 2: quality>")
    assert "line 2: is not JSON" in fault(f"{good}\n{{")


def test_no_more_than_twenty_faults_are_told() -> None:
    bad = enveloped(QUALITY, {})
    assert fault("\n".join([bad] * 50)).count("Field required") == 20


def test_what_needs_no_rounding_is_taken_without_a_note() -> None:
    assert produced(enveloped(APPLIED, payment(amount=5))).notes == ()


@pytest.mark.parametrize("topic", inbound(), ids=lambda topic: topic.name)
def test_the_published_example_of_every_inbound_topic_is_taken_as_it_is(topic: Topic) -> None:
    files = sorted((ROOT / topic.name).glob("examples/v*/*.json"))
    assert files
    for file in files:
        outcome = read_file(file, legal_entity_id="DE01")
        assert isinstance(outcome, Produced), outcome
        assert [type(event) for event in outcome.events] == [topic.event]
        assert outcome.notes == ()
