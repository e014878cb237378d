"""The codec: exact both ways, both framings, every released schema, and clear refusals."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastavro.schema import fingerprint as avro_fingerprint
from hypothesis import given
from hypothesis import strategies as st

from shared.codec.codec import Codec, fingerprint
from shared.codec.framing import Fingerprint, RegistryId, frame, unframe
from shared.errors import Invalid, Transient, Undecodable
from shared.events.masterdata import Contact
from shared.events.payments import PaymentApplied, PaymentReceived
from shared.events.production import Counter, UsageReported
from shared.identity import topic_of
from shared.schemas import Schema, newest, plain_schema
from shared.topology import BY_EVENT

AT = datetime(2026, 3, 1, 8, 30, 15, 123456, tzinfo=UTC)


def payment(**changes: Any) -> PaymentReceived:  # noqa: ANN401 -- fields by name
    fields: dict[str, Any] = {
        "legal_entity_id": "DE01",
        "payment_id": "P1",
        "received_at": AT,
        "value_date": date(2026, 3, 2),
        "account": "DE02",
        "currency": "EUR",
        "amount": Decimal("12.30"),
    }
    return PaymentReceived(**(fields | changes))


class FakeRegistry:
    """Knows one schema under number 7."""

    def plain_schema(self, number: int) -> Any:  # noqa: ANN401 -- fastavro's form
        if number != 7:
            raise Undecodable("schema-unknown", "no such id", id=number)
        return newest("payments.payment-received.v1").plain

    def id_of(self, schema: Schema) -> int:
        if schema.topic != "payments.payment-received.v1":
            raise Transient("schema-not-registered", schema.topic)
        return 7


amounts = st.decimals(-(10**15), 10**15, places=2)
quantities = st.decimals(-(10**18), 10**18, places=9)


@given(amount=amounts, name=st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_what_is_written_is_read(amount: Decimal, name: str) -> None:
    event = payment(amount=amount, payer_name=name[:2000])
    assert Codec().decode(topic_of(event), Codec().encode(event)) == event


@given(reading=quantities, at=st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001 -- as hypothesis wants them
def test_quantities_and_times_are_exact(reading: Decimal, at: datetime) -> None:
    counter = Counter(
        counter_id="c",
        device_id="d",
        kind="clicks",
        unit="H87",
        reading=reading,
        read_at=at.replace(tzinfo=UTC),
    )
    event = UsageReported(
        legal_entity_id="DE01",
        sender_id="s",
        message_id="m",
        reported_at=AT,
        job_id="j",
        counters=(counter,),
    )
    assert Codec().decode(topic_of(event), Codec().encode(event)) == event


def test_the_fingerprint_is_that_of_the_avro_specification() -> None:
    """The known value of the schema "int", whose bytes stand little-endian in the header."""
    assert avro_fingerprint('"int"', "CRC-64-AVRO") == "8f5c393f1ad57572"
    value = Codec().encode(payment())
    assert value[:2] == b"\xc3\x01"
    expected = avro_fingerprint(_canonical("payments.payment-received.v1"), "CRC-64-AVRO")
    assert value[2:10].hex() == expected


def _canonical(topic: str) -> str:
    from fastavro.schema import parse_schema, to_parsing_canonical_form  # noqa: PLC0415 -- once

    canonical: str = to_parsing_canonical_form(parse_schema(dict(newest(topic).published)))
    return canonical


def test_confluent_framing_goes_both_ways() -> None:
    codec = Codec(FakeRegistry())
    value = codec.encode(payment())
    assert value[:5] == b"\x00\x00\x00\x00\x07"
    assert codec.decode(BY_EVENT[PaymentReceived], value) == payment()
    assert codec.decode(BY_EVENT[PaymentReceived], Codec().encode(payment())) == payment()


def test_an_unregistered_schema_is_transient_never_poison() -> None:
    event = Contact(contact_id="c", revision=1, customer_id="k", recorded_at=AT, name="n")
    with pytest.raises(Transient):
        Codec(FakeRegistry()).encode(event)


def test_equal_content_has_one_fingerprint_whatever_the_framing() -> None:
    topic = BY_EVENT[PaymentReceived]
    single = Codec().decode(topic, Codec().encode(payment()))
    framed = Codec(FakeRegistry()).decode(topic, Codec(FakeRegistry()).encode(payment()))
    assert fingerprint(single) == fingerprint(framed)
    changed = Codec().decode(topic, Codec().encode(payment(amount=Decimal("12.31"))))
    assert fingerprint(single) != fingerprint(changed)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "framing-unknown"),
        (b"{}", "framing-unknown"),
        (b"\xc3\x01short", "framing-unknown"),
        (b"\x00\x00\x00\x00\x09x", "schema-unknown"),
        (b"\xc3\x01" + b"\x00" * 8, "schema-unknown"),
    ],
)
def test_what_is_no_record_is_refused_with_its_reason(value: bytes, code: str) -> None:
    with pytest.raises(Undecodable) as refused:
        Codec().decode(BY_EVENT[PaymentReceived], value)
    assert refused.value.code == code


def test_a_body_cut_short_or_drawn_out_is_refused() -> None:
    topic, value = BY_EVENT[PaymentReceived], Codec().encode(payment())
    with pytest.raises(Undecodable, match="does not follow its schema"):
        Codec().decode(topic, value[:-1])
    with pytest.raises(Undecodable, match="longer than its schema says"):
        Codec().decode(topic, value + b"\x00")
    with pytest.raises(Undecodable, match="event of another topic"):
        Codec().decode(BY_EVENT[PaymentApplied], value)


def test_amounts_finer_than_their_currency_are_refused_both_ways() -> None:
    with pytest.raises(Invalid, match="more decimals than its currency"):
        Codec().encode(payment(amount=Decimal("1.005")))
    with pytest.raises(Invalid, match="more decimals than its currency"):
        Codec().encode(payment(amount=Decimal("1.5"), currency="JPY"))
    Codec().encode(payment(amount=Decimal("1.005"), currency="KWD"))
    with pytest.raises(Invalid, match="ISO 4217"):
        Codec().encode(payment(currency="XTS"))


def test_a_field_out_of_its_contract_is_named_with_its_value() -> None:
    broken = payment().model_copy(update={"currency": "euro"})
    value = _written(broken)
    with pytest.raises(Invalid) as refused:
        Codec().decode(BY_EVENT[PaymentReceived], value)
    assert refused.value.facts["field"] == "currency"
    assert refused.value.facts["value"] == "euro"


def _written(event: PaymentReceived) -> bytes:
    """As a producer with no checks of its own would write it."""
    topic = "payments.payment-received.v1"
    from io import BytesIO  # noqa: PLC0415 -- once

    from fastavro import schemaless_writer  # noqa: PLC0415 -- once

    buffer = BytesIO()
    plain = json.loads(event.model_dump_json())
    plain |= {"received_at": 0, "value_date": 0, "amount": b"\x01"}
    schemaless_writer(buffer, plain_schema(newest(topic).published), plain)
    return frame(Fingerprint(newest(topic).fingerprint), buffer.getvalue())


def test_framing_is_its_own_inverse() -> None:
    for ref in (Fingerprint(2**64 - 1), RegistryId(42)):
        found, start = unframe(frame(ref, b"body"))
        assert (found, frame(ref, b"body")[start:]) == (ref, b"body")
