"""Records about people that fail: neither dead letter nor log line quotes them."""

from datetime import UTC, datetime

import pytest

from shared.codec.codec import Codec
from shared.errors import Invalid, Rejected, headline, stack_of
from shared.events.base import Event
from shared.events.masterdata import Address, Channel, Contact, Customer, PaymentTerms
from shared.identity import key_of, topic_of
from shared.runtime import letters
from shared.runtime.attempts import ATTEMPTS_MAX, Attempts
from shared.runtime.batch import HandlerFailed
from shared.runtime.records import Arrival, Record, arrive, headers_from
from shared.topology import TOPICS
from tests.unit.shared.test_codec import payment

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
SECRET = "erika.mustermann@example.com"
CONTACT = Contact(contact_id="C1", revision=1, customer_id="K1", recorded_at=AT, name="Erika")
CUSTOMER = Customer(
    customer_id="K1",
    version=1,
    valid_from=AT.date(),
    recorded_at=AT,
    name="Mustermann",
    address=Address(lines=("Weg 1",), postal_code="10115", city="Berlin", country="DE"),
    locale="de",
    preferred_channel=Channel.EMAIL,
    contact_id="C1",
    payment_terms=PaymentTerms(net_days=30),
)
BROKEN = (
    CONTACT.model_copy(update={"email": SECRET + "x" * 2000}),
    CUSTOMER.model_copy(update={"name": SECRET + "x" * 2000}),
    CUSTOMER.model_copy(
        update={"address": CUSTOMER.address.model_copy(update={"country": SECRET})}
    ),
)


def arrived(event: Event, key: str | None = None) -> Arrival:
    """The arrival of `event`, under another key than its own where one is given."""
    topic = topic_of(event)
    key = key or key_of(topic, event)
    (arrival,) = arrive(Codec(), [Record(topic, 0, 7, 0, key.encode(), Codec().encode(event))])
    return arrival


def said(arrival: Arrival) -> str:
    """All that a dead letter says of its record, in the row and on its topic, but the record."""
    row = letters.row("notifier", arrival)
    copy = letters.copy("notifier", arrival, row, None)
    assert copy is not None
    headers = b"\n".join(value or b"" for _, value in headers_from(copy.headers)).decode()
    return f"{row.message}\n{row.stacktrace}\n{row.error_class}\n{headers}"


def handled(quote: str) -> Exception:
    """What a handler raises that breaks on `quote`."""
    try:
        dict[str, str]()[quote]
    except KeyError as error:
        return error
    raise AssertionError


def test_the_map_says_which_topics_are_about_people() -> None:
    personal = {topic.event for topic in TOPICS if topic.personal}
    assert personal == {Contact, Customer}


@pytest.mark.parametrize("event", BROKEN, ids=("email", "name", "country"))
def test_an_invalid_record_is_told_by_field_alone(event: Event) -> None:
    """If it failed: `dlq list`, a header and the table would show a person's address."""
    arrival = arrived(event)
    assert arrival.failure is not None
    assert arrival.failure.code == "field-invalid"
    told = said(arrival)
    assert f"{arrival.failure.facts['field']}: String should" in told
    assert SECRET not in told


def test_a_key_that_is_not_the_values_is_told_without_either() -> None:
    told = said(arrived(CONTACT.model_copy(update={"contact_id": SECRET}), "another"))
    assert "not the one its value asks for" in told
    assert "mustermann" not in told


@pytest.mark.parametrize("event", [CONTACT, CUSTOMER])
def test_a_refusal_is_told_without_its_facts_and_causes(event: Event) -> None:
    """Given what a service or the database refuses, then its reason, no value, no cause's words."""
    failure = Invalid("master-data-invalid", "locale must be known", value=SECRET)
    failure.__cause__ = handled(SECRET)
    told = said(arrived(event).failed(failure))
    assert "locale must be known" in told
    assert "in handled" in told
    assert "KeyError" in told
    assert SECRET not in told


def test_a_bug_is_told_by_kind_and_place() -> None:
    """Given a handler that breaks on a record, then log lines and dead letter name what and where.

    If it failed: an exception's words (a key that was not found) would carry a person's data.
    """
    failed = HandlerFailed([(arrived(CONTACT), handled(SECRET))])
    ((arrival, cause),) = failed.failures
    logged = f"{headline(failed)}\n{stack_of(cause)}"
    attempts = Attempts()
    for _ in range(ATTEMPTS_MAX):
        attempts.count(arrival.record.place, cause)
    told = said(attempts.with_history(arrival))
    for words in (logged, told):
        assert "KeyError" in words
        assert "in handled" in words
        assert SECRET not in words
    assert "\nKeyError\n" in told


def test_what_is_not_about_people_is_told_with_its_values() -> None:
    """If it failed: an operator would have to guess what was wrong with a payment."""
    told = said(arrived(payment().model_copy(update={"payment_id": "P" * 201})))
    assert "value=PPP" in told
    refused = arrived(payment()).failed(Rejected("no", "no", amount="7.77"))
    assert "amount=7.77" in said(refused)
    ((_, cause),) = HandlerFailed([(refused, handled("account 9"))]).failures
    assert "account 9" in stack_of(cause)
