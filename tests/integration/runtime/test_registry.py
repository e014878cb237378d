"""The Confluent framing against a real registry: what it costs to be away, and what is poison."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from shared.codec.codec import Codec
from shared.codec.registry import HttpRegistry
from shared.events.base import Event
from shared.identity import key_of, topic_of
from shared.ids import cause_id
from shared.schemas import newest
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import DECIDED, POLICIES, REQUESTED, policy, request
from tests.integration.runtime.instances import Instances, until
from tests.integration.runtime.proxy import HOST, Proxy

SUBJECTS = [f"s{number}" for number in range(100)]
ADDED = {"name": "channel", "type": "string", "default": ""}


@pytest.fixture
def registered(registry_url: str) -> HttpRegistry:
    """The registry with the schemas of the echo service's topics, as a deployment leaves it."""
    registry = HttpRegistry(registry_url)
    for name in (REQUESTED, DECIDED, POLICIES):
        registry.register(newest(name))
    return registry


@pytest.fixture
def way(registered: HttpRegistry, registry_url: str) -> Iterator[Proxy]:
    """The way to the registry, to be cut."""
    proxy = Proxy(urlsplit(registry_url).port or 0)
    yield proxy
    proxy.cut()


@pytest.fixture
def address(way: Proxy, registry_url: str) -> str:
    """The registry's address on that way."""
    return f"http://{HOST}:{way.port}{urlsplit(registry_url).path}"


@pytest.fixture
def framed(make_echo: MakeEcho, address: str) -> Echo:
    """The echo service with that registry."""
    return make_echo(schema_registry_url=address)


def as_registered(registry: HttpRegistry, **changes: object) -> int:
    """The id of another producer's schema for requests: ours, with these changes."""
    schema = newest(REQUESTED)
    published = {**schema.published, **changes}
    topic = f"test.{cause_id('test', json.dumps(published)).hex}.v1"
    return registry.register(replace(schema, topic=topic, published=published))


def numbered(number: int, event: Event) -> tuple[str, bytes, bytes]:
    """`event` as a record of a producer whose schema has that id."""
    body = Codec().encode(event)[10:]
    topic = topic_of(event)
    return topic.name, key_of(topic, event).encode(), b"\x00" + number.to_bytes(4) + body


def fetched(registry_url: str, number: int) -> Any:  # noqa: ANN401 - a schema
    """A schema, as anybody reads it."""
    with urlopen(f"{registry_url}/schemas/ids/{number}", timeout=10) as answer:  # noqa: S310 - ours
        return parse_schema(json.loads(json.load(answer)["schema"]))


def test_a_batch_travels_in_confluent_framing(
    framed: Echo, registry_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a registry, then anybody reads what we write by it, and it is asked once a schema."""
    asked, ask = list[str](), HttpRegistry._ask

    def counted(registry: HttpRegistry, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 -- as there
        asked.append(path)
        return ask(registry, method, path, body)

    monkeypatch.setattr(HttpRegistry, "_ask", counted)
    framed.publish(*(request(subject, 1) for subject in SUBJECTS))
    framed.until(lambda: len(framed.published(DECIDED)) == len(SUBJECTS))
    values = [message.value() for message in framed.published(DECIDED)]
    (number,) = {int.from_bytes(value[:5]) for value in values}
    schema = fetched(registry_url, number)
    decided: list[Any] = [schemaless_reader(BytesIO(value[5:]), schema, None) for value in values]
    assert {event["subject_id"] for event in decided} == {*SUBJECTS}
    assert sorted(asked) == [f"/subjects/{name}-value" for name in sorted((DECIDED, REQUESTED))]
    assert framed.held() == []


def test_a_registry_that_is_away_costs_time_and_nothing_else(
    framed: Echo, instances: Instances, way: Proxy, registered: HttpRegistry, address: str
) -> None:
    """Given an outage, then known schemas go on, a new one waits for it, and all is applied."""
    fields = [*newest(REQUESTED).published["fields"], ADDED]
    number = as_registered(registered, fields=fields)
    instances.ready("one", schema_registry_url=address)
    framed.publish(request("s1", 1))
    way.cut()
    framed.publish(request("s1", 2))
    until(lambda: framed.subjects() == {"s1": "1,2,"}, "what needs no registry")
    framed.raws([with_channel(number, request("s1", 3))])
    framed.publish(request("s1", 4), request("s2", 1))
    until(lambda: retries(instances) >= 3, "some attempts")
    assert framed.subjects() == {"s1": "1,2,"}
    way.restore()
    until(lambda: framed.subjects() == {"s1": "1,2,3,4,", "s2": "1,"}, "the rest")
    assert framed.held() == []


def retries(instances: Instances) -> float:
    return instances.metric("one", "consumer_retries_total", reason="registry")


def with_channel(number: int, event: Event) -> tuple[str, bytes, bytes]:
    """A record with one more field than our readers know."""
    topic, key, value = numbered(number, event)
    buffer = BytesIO()
    schemaless_writer(buffer, parse_schema({"type": "string"}), "web")
    return topic, key, value + buffer.getvalue()


def test_a_service_waits_for_its_registry(
    instances: Instances, framed: Echo, way: Proxy, address: str
) -> None:
    """Given no registry, when a service starts, then it is unready, and starts when there is."""
    framed.publish(request("s1", 1))
    way.cut()
    instances.start("one", schema_registry_url=address)
    until(lambda: instances.checks("one") == {"started": False}, "it to answer")
    until(lambda: "cannot start yet" in instances.log("one"), "the first attempt")
    assert instances.get("one", "/livez")[0] == 200
    way.restore()
    instances.wait_ready("one")
    way.cut()
    until(lambda: framed.subjects() == {"s1": "1,"}, "the record")
    assert instances.stop("one") == 0


def test_what_names_no_schema_of_use_is_a_dead_letter(
    framed: Echo, registered: HttpRegistry
) -> None:
    """Given ids that are unknown or of no use, then each is kept with its reason, others flow."""
    fields = newest(REQUESTED).published["fields"]
    rescaled = [{**f, "type": scaled(f["type"])} if f["name"] == "net_total" else f for f in fields]
    text = [{**f, "type": "string"} if f["name"] == "net_total" else f for f in fields]
    protobuf = registered._ask(
        "POST",
        "/subjects/test.protobuf-value/versions",
        {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3"; message A { string a = 1; }'},
    )
    numbers = {
        "unknown": 987_654,
        "huge": 2**32 - 1,
        "protobuf": protobuf.content["id"],
        "rescaled": as_registered(registered, fields=rescaled),
        "elsewhere": as_registered(registered, fields=rescaled, namespace="com.example"),
        "text": as_registered(registered, fields=text),
        "renamed": as_registered(registered, name="Another"),
        "of-another-topic": registered.id_of(newest(POLICIES)),
    }
    framed.raws(numbered(number, request(name, 1)) for name, number in numbers.items())
    framed.publish(request("sound", 1), policy("p1"))
    framed.until(lambda: len(framed.held()) == len(numbers) and framed.is_drained())
    rows = framed.query("SELECT key, code, message FROM held_record")
    assert {bytes(row.key).decode().removeprefix("DE01/"): row.code for row in rows} == {
        "unknown": "schema-unknown",
        "huge": "schema-unknown",
        "protobuf": "schema-unusable",
        "rescaled": "schema-incompatible",
        "elsewhere": "schema-incompatible",
        "text": "schema-incompatible",
        "renamed": "schema-incompatible",
        "of-another-topic": "schema-incompatible",
    }
    (said,) = (row.message for row in rows if b"rescaled" in bytes(row.key))
    assert "net_total is decimal of scale 2, for its readers decimal of scale 4" in said
    assert framed.subjects() == {"sound": "1,"}


def scaled(avro: Any) -> Any:  # noqa: ANN401 - a type
    """A decimal type with two decimals."""
    return {**avro, "scale": 2}
