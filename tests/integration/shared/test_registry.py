"""Schemas registered at deploy time, in a real schema registry."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from services.auditor.gateway.avro import Decoder
from shared import topics
from shared.codec import registry as module
from shared.codec.codec import Codec
from shared.codec.registry import COMPATIBILITY, HttpRegistry
from shared.errors import ConfigurationError, Undecodable
from shared.events.base import Event
from shared.ids import cause_id
from shared.schemas import ROOT, Schema, newest
from shared.settings import Settings
from shared.topics import Plan
from shared.topology import BY_NAME

INVOICES = BY_NAME["accounting.invoice-posted.v1"]
ADDED = {"name": "channel", "type": ["null", "string"], "default": None}
NEEDED = {"name": "channel", "type": "string"}


@pytest.fixture
def deployed(settings: Settings, registry_url: str) -> Settings:
    """Settings that name the registry."""
    return settings.model_copy(update={"schema_registry_url": registry_url})


@pytest.fixture
def first(request: pytest.FixtureRequest) -> Schema:
    """The first version of a topic that no other test knows."""
    name = f"test.{cause_id('test', request.node.name).hex}.v1"
    return replace(newest(INVOICES.name), topic=name, version=1)


def after(first: Schema, field: Any) -> Schema:  # noqa: ANN401 - a field of a schema
    """Its second version, with one more field."""
    published = {**first.published, "fields": [*first.published["fields"], field]}
    return replace(first, version=2, published=published, fingerprint=~first.fingerprint)


def asked(registry: HttpRegistry, path: str) -> Any:  # noqa: ANN401 - JSON
    return registry._ask("GET", path).content


def versions(registry: HttpRegistry, schema: Schema) -> list[int]:
    """The versions of its subject."""
    subject = f"{schema.topic}-value"
    return [
        n for n in range(1, 4) if asked(registry, f"/subjects/{subject}/versions/{n}").get("id")
    ]


@pytest.mark.usefixtures("in_the_map")
def test_what_is_missing_is_registered_once(deployed: Settings, first: Schema) -> None:
    """Given a new release, when it is deployed, by two at the same time too, then once."""
    plan = topics.plan(deployed)
    assert plan.unregistered == (first,)
    assert not plan.is_met
    for _ in range(2):
        topics.apply(deployed, Plan((), (), unregistered=plan.unregistered))
    assert topics.plan(deployed).unregistered == ()
    registry = HttpRegistry(deployed.schema_registry_url or "")
    assert versions(registry, first) == [1]
    level = asked(registry, f"/config/{first.topic}-value")
    assert level["compatibilityLevel"] == COMPATIBILITY


@pytest.fixture
def in_the_map(first: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map has that topic alone."""
    monkeypatch.setattr(topics, "TOPICS", (replace(INVOICES, name=first.topic),))
    monkeypatch.setattr(topics, "schemas_of", lambda _: {1: first})


def test_what_only_adds_is_let_in(registry_url: str, first: Schema) -> None:
    """Given a version that adds a field with a default, then it gets an id of its own."""
    registry = HttpRegistry(registry_url)
    assert registry.register(after(first, ADDED)) != registry.register(first)
    assert versions(registry, first) == [1, 2]


def test_what_another_producer_writes_is_read_by_services_and_auditor(
    registry_url: str, first: Schema
) -> None:
    """Given another producer's schema, with a field that is not ours, then both read the record.

    If it failed: `verify` would not see what a service has applied.
    """
    event = example()
    body = Codec().encode(event)[10:] + b"\x00"  # its channel: null
    number = HttpRegistry(registry_url).register(after(first, ADDED))
    value = b"\x00" + number.to_bytes(4) + body
    registry = HttpRegistry(registry_url)
    assert Codec(registry).decode(INVOICES, value) == event
    ours = Decoder({}, None).whole(INVOICES.name, Codec().encode(event))
    assert Decoder({}, registry).whole(INVOICES.name, value) == ours


def test_an_id_of_no_use_is_asked_about_once_in_a_while(
    registry_url: str, first: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given many records of an id that is unknown, then one question; registered, it is found.

    If it failed: a batch of them would take longer than an orchestrator waits.
    """
    paths, ask, now = list[str](), HttpRegistry._ask, [0.0]

    def counted(registry: HttpRegistry, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401 -- as there
        paths.append(path)
        return ask(registry, method, path, body)

    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    registry, another = HttpRegistry(registry_url), HttpRegistry(registry_url)
    number = another.register(after(first, {**ADDED, "name": "since"})) + 1  # the next to be given
    value = b"\x00" + number.to_bytes(4) + Codec().encode(example())[10:]
    monkeypatch.setattr(HttpRegistry, "_ask", counted)

    def refused() -> str:
        with pytest.raises(Undecodable) as refusal:
            Codec(registry).decode(INVOICES, value)
        return str(refusal.value)

    assert {refused() for _ in range(1500)} == {f"the registry has no such id (id={number})"}
    assert paths == [f"/schemas/ids/{number}"]
    assert another.register(after(first, {**ADDED, "name": "until"})) == number
    assert "no such id" in refused()
    now[0] += module._REFUSED_KEPT_S
    assert Codec(registry).decode(INVOICES, value + b"\x00") == example()


def example() -> Event:
    """An event as released."""
    file = min((ROOT / INVOICES.name / "examples").rglob("*.json"))
    return INVOICES.event.model_validate_json(file.read_text("utf-8"))


def test_an_incompatible_schema_is_refused(deployed: Settings, first: Schema) -> None:
    """Given a version whose readers cannot read the first, then a sentence, and nothing changed."""
    registry = HttpRegistry(deployed.schema_registry_url or "")
    registry.register(first)
    second = after(first, NEEDED)
    with pytest.raises(ConfigurationError) as refusal:
        topics.apply(deployed, Plan((), (), unregistered=(second,)))
    said = str(refusal.value)
    address = urlsplit(deployed.schema_registry_url).netloc
    for part in (f"{first.topic} v2", f"subject {first.topic}-value", str(address), "channel"):
        assert part in said
    assert "A breaking change is a topic of its own" in said
    assert versions(registry, first) == [1]
    assert registry.find(second) is None
