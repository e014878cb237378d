"""Records about people that fail: neither dead letter nor log line quotes them."""

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy.exc import DataError

from shared.codec.codec import Codec
from shared.errors import Invalid, Rejected, headline, stack_of
from shared.events.accounting import InvoicePosted
from shared.events.base import Event
from shared.events.billing import Buyer, CreditNoteIssued, InvoiceIssued
from shared.events.masterdata import Address, Channel, Contact, Customer, PaymentTerms
from shared.events.payments import PaymentReceived
from shared.identity import key_of, topic_of
from shared.runtime import letters
from shared.runtime.attempts import ATTEMPTS_MAX, Attempts
from shared.runtime.batch import HandlerFailed, _refused
from shared.runtime.records import Arrival, Record, arrive, headers_from
from shared.topology import TOPICS, WHOLE
from tests.invoices import ISSUED, credit_note
from tests.unit.shared.test_balance import applied

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


def to(name: str, document: InvoiceIssued | CreditNoteIssued) -> Event:
    """`document` with a buyer of this name."""
    return document.model_copy(update={"buyer": ISSUED.buyer.model_copy(update={"name": name})})


BROKEN = (
    CONTACT.model_copy(update={"email": SECRET + "x" * 2000}),
    CUSTOMER.model_copy(update={"name": SECRET + "x" * 2000}),
    CUSTOMER.model_copy(
        update={"address": CUSTOMER.address.model_copy(update={"country": SECRET})}
    ),
    to(SECRET + "x" * 2000, ISSUED),
    to(SECRET + "x" * 2000, credit_note()),
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


def test_the_map_says_which_fields_are_about_people() -> None:
    """If it failed: an event would have a new place for people's data, and show it."""
    personal = {topic.event: topic.personal for topic in TOPICS if topic.personal}
    assert personal == {
        Contact: (WHOLE,),
        Customer: (WHOLE,),
        InvoiceIssued: ("buyer",),
        CreditNoteIssued: ("buyer",),
        InvoicePosted: ("customer_name", "customer_vat_id"),
        PaymentReceived: ("payer_name",),
    }
    for topic in TOPICS:
        fields = topic.event.model_fields
        assert set(topic.personal) <= {WHOLE, *fields}
        assert {name for name in fields if fields[name].annotation is Buyer} <= set(topic.personal)


@pytest.mark.parametrize("event", BROKEN, ids=("email", "name", "country", "buyer", "credited"))
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


@pytest.mark.parametrize("event", [CONTACT, ISSUED], ids=("contact", "invoice"))
def test_a_bug_is_told_by_kind_and_place(event: Event) -> None:
    """Given a handler that breaks on a record, then log lines and dead letter name what and where.

    If it failed: an exception's words (a key that was not found) would carry a person's data.
    """
    failed = HandlerFailed([(arrived(event), handled(SECRET))])
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


def test_of_an_invoice_all_but_the_buyer_is_told_with_its_values() -> None:
    """If it failed: who mends a ledger's refusal would have to open each document for its sums."""
    assert "value=SSS" in said(arrived(ISSUED.model_copy(update={"series": "S" * 65})))
    refused = arrived(ISSUED).failed(Rejected("no", "no", field="gross_total", stated="7.77"))
    assert "stated=7.77" in said(refused)
    assert "paid=8.88" in said(arrived(ISSUED).failed(Rejected("no", "no", paid="8.88")))


def test_what_the_database_refuses_is_told_by_kind() -> None:
    """If it failed: PostgreSQL's words, which may quote a value, would be told of an invoice."""
    error = DataError("INSERT", {}, psycopg.errors.InvalidTextRepresentation(SECRET))
    (refused,) = _refused(arrived(ISSUED), error).dead
    told = said(refused)
    assert "cause=InvalidTextRepresentation" in told
    assert SECRET not in told


def test_a_body_that_is_not_avro_is_told_by_kind() -> None:
    """If it failed: the decoder's words, which may quote the bytes, would be told."""
    value = Codec().encode(to(SECRET, ISSUED)).replace(SECRET.encode(), b"\xfc" * len(SECRET))
    (arrival,) = arrive(Codec(), [Record(topic_of(ISSUED), 0, 7, 0, b"key", value)])
    told = said(arrival)
    assert "cause=UnicodeDecodeError" in told
    assert "0xfc" not in told


def test_what_is_not_about_people_is_told_with_its_values() -> None:
    """If it failed: an operator would have to guess what was wrong with a payment."""
    told = said(arrived(applied("7").model_copy(update={"payment_id": "P" * 201})))
    assert "value=PPP" in told
    refused = arrived(applied("7")).failed(Rejected("no", "no", amount="7.77"))
    assert "amount=7.77" in said(refused)
    ((_, cause),) = HandlerFailed([(refused, handled("account 9"))]).failures
    assert "account 9" in stack_of(cause)
