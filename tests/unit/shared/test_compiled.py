"""The compiled codec against fastavro and pydantic: the same bytes, the same events, no more."""

from datetime import UTC
from decimal import Decimal
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.codec.compiled import Doubt, reader_of, writer_of
from shared.codec.wire import Leaf, Many, Maybe, Part, Wire, wire_of
from shared.events.base import AMOUNT, QUANTITY, RATE, Country, Currency, Decimals, Event, Positive
from shared.schemas import ROOT, newest
from shared.topology import TOPICS, Topic

by_name = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=60)
SPECIAL = {
    Currency: st.sampled_from(["EUR", "JPY"]),
    Country: st.sampled_from(["DE", "GB"]),
    Positive: st.integers(1, 2**62),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    bytes: st.binary(max_size=100),
}


def decimals(kind: Decimals) -> st.SearchStrategy[Decimal]:
    """Every number that fits, often a plain one."""
    most = 10**kind.precision - 1
    scaled = st.integers(-most, most) | st.integers(-3, 3).map(lambda n: n * 10**kind.scale)
    return scaled.map(lambda number: Decimal(number).scaleb(-kind.scale))


def values(wire: Wire) -> st.SearchStrategy[Any]:
    """Valid values of a field."""
    match wire:
        case Maybe():
            return st.none() | values(wire.inner)
        case Many():
            return st.lists(values(wire.item), max_size=3).map(tuple)
        case Part():
            return events(wire.model)
        case Leaf():
            return leaves(wire)


def leaves(leaf: Leaf) -> st.SearchStrategy[Any]:
    """Valid values of a field without parts."""
    avro: dict[str, Any] = leaf.avro if isinstance(leaf.avro, dict) else {}
    logical = avro.get("logicalType")
    if leaf.kind == "enum":
        return st.sampled_from(list(leaf.hint))
    if logical == "decimal":
        return decimals(next(k for k in (AMOUNT, RATE, QUANTITY) if k.scale == avro["scale"]))
    if logical is not None:
        return st.dates() if logical == "date" else st.datetimes(timezones=st.just(UTC))
    return SPECIAL.get(leaf.hint, text) if leaf.kind == "string" else SPECIAL[leaf.hint]


@cache
def events(model: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 -- a model's class
    """Models with every field given."""
    return st.builds(model, **{name: values(wire) for name, wire in wire_of(model).fields})


def reference_body(topic: Topic, event: Event) -> bytes:
    """The body as fastavro writes it."""
    encode, buffer = wire_of(type(event)).encode, BytesIO()
    assert encode is not None
    schemaless_writer(buffer, newest(topic.name).plain, encode(event))
    return buffer.getvalue()


def reference_event(topic: Topic, body: bytes) -> Event:
    """The event as fastavro reads and pydantic checks it."""
    buffer, decode = BytesIO(body), wire_of(topic.event).decode
    assert decode is not None
    plain = schemaless_reader(buffer, newest(topic.name).plain, None)
    assert buffer.tell() == len(body), "trailing bytes"
    return topic.event.model_validate(decode(plain), strict=False)


def written(event: Event) -> bytes:
    """The body as the compiled writer writes it."""
    body = bytearray()
    writer_of(type(event))(event, body, [])
    return bytes(body)


def read(topic: Topic, body: bytes) -> tuple[Event, list[Decimal]]:
    """What the compiled reader says; raises where it has doubts."""
    amounts: list[Decimal] = []
    event, end = reader_of(topic.event)(body, 0, amounts)
    if end != len(body):
        raise Doubt
    return event, amounts


@by_name
@given(data=st.data())
@settings(max_examples=10)
def test_compiled_and_reference_agree(topic: Topic, data: st.DataObject) -> None:
    """Whatever an event holds: the same bytes both ways, the same event, the same amounts."""
    event = data.draw(events(topic.event))
    body = written(event)
    assert body == reference_body(topic, event)
    found, amounts = read(topic, body)
    assert found == event == reference_event(topic, body)
    assert repr(found) == repr(reference_event(topic, body))
    find = wire_of(topic.event).amounts
    assert amounts == (list(find(event)) if find else [])
    name = next(iter(topic.event.model_fields))
    assert found.model_copy(update={name: "other"}) != found.model_copy() == found
    assert found.model_fields_set == set(topic.event.model_fields)


@cache
def typical(topic: Topic) -> bytes:
    """The body of the topic's first example."""
    (file,) = (ROOT / topic.name / "examples" / "v1").glob("*.json")
    return written(topic.event.model_validate_json(file.read_text("utf-8")))


@by_name
@given(data=st.data())
@settings(max_examples=30)
def test_what_the_compiled_reader_takes_is_sound_and_canonical(
    topic: Topic, data: st.DataObject
) -> None:
    """Bytes changed, lost or added: none taken that the reference refuses or writes otherwise."""
    body = bytearray(typical(topic))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        change = data.draw(st.binary(max_size=3))
        body[place : place + data.draw(st.integers(0, 2))] = change
        body = body or bytearray(b"\0")
    try:
        event, _ = read(topic, bytes(body))
    except Exception:  # noqa: BLE001 -- any doubt is one
        return
    assert event == reference_event(topic, bytes(body))
    assert reference_body(topic, event) == bytes(body)


@by_name
def test_examples_are_not_doubted(topic: Topic) -> None:
    """What is typical goes the fast way."""
    for file in (ROOT / topic.name / "examples").glob("*/*.json"):
        event = topic.event.model_validate_json(file.read_text("utf-8"))
        assert read(topic, written(event))[0] == event


@pytest.mark.parametrize(
    "raw",
    [b"\x80\x00", b"\x82\x80\x00", b"\xff" * 9 + b"\x01", b"\x01", b"\x80"],
    ids=["padded zero", "padded one", "beyond 64 bits", "negative size", "cut off"],
)
def test_unusual_sizes_are_doubted(raw: bytes) -> None:
    """A size that is padded, negative, endless or cut off is nothing for the fast way."""
    topic = next(t for t in TOPICS if t.name == "payments.payment-received.v1")
    with pytest.raises((Doubt, IndexError, ValueError)):
        read(topic, raw + b"\x00" * 40)


def test_decimals_are_checked_whichever_way_they_come() -> None:
    """More decimals or digits than the type has are refused, and say so."""
    assert AMOUNT.checked(Decimal("1.0000")) == 1
    for value, words in ((Decimal("1.00005"), "more than 4"), (Decimal(10) ** 20, "more than 20")):
        with pytest.raises(ValueError, match=words):
            AMOUNT.checked(value)
