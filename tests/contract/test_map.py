"""The map against schemas, events, folders, examples and generated parts."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shared import generate, schemas
from shared.codec.codec import Codec
from shared.events.billing import ReviewDecided
from shared.events.disputes import DisputeOpened, DisputeResolved
from shared.events.masterdata import Contact
from shared.events.payments import PaymentReceived
from shared.evolution import breaks
from shared.topology import BY_NAME, SERVICE, SERVICES, TOPICS, Topic, consumed_by, produced_by

ROOT = Path(__file__).resolve().parent.parent.parent
by_name = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def test_names_ports_and_roles_are_unique() -> None:
    assert len(BY_NAME) == len(TOPICS)
    assert len({topic.event for topic in TOPICS}) == len(TOPICS)
    ports = [service.port for service in SERVICES if service.port]
    assert Counter(ports).most_common(1)[0][1] == 1


@by_name
def test_a_topic_is_whole(topic: Topic) -> None:
    """Its key and business key are fields of its event; its readers are on the map."""
    fields = topic.event.model_fields
    assert set(topic.business_key) <= set(fields)
    assert all(part in fields for part in _placeholders(topic.key))
    assert topic.revision is None or topic.revision in fields
    assert set(topic.consumers) <= {*SERVICE, "accounting"}
    assert set(topic.later) <= {*SERVICE} - {*topic.consumers}
    assert topic.producers


def _placeholders(key: str) -> list[str]:
    return [part.split("}")[0] for part in key.split("{")[1:]]


@by_name
def test_the_newest_schema_is_the_models(topic: Topic) -> None:
    """Field by field: if this fails, `python -m shared.schemas draft` writes the next version."""
    newest = schemas.newest(topic.name)
    assert dict(newest.published) == schemas.draft(topic)
    assert topic.version in schemas.schemas_of(topic.name)


def test_every_released_schema_has_its_own_fingerprint() -> None:
    released = [s for topic in TOPICS for s in schemas.schemas_of(topic.name).values()]
    assert len({schema.fingerprint for schema in released}) == len(released)


@by_name
def test_versions_only_add_fields_with_defaults_at_the_end(topic: Topic) -> None:
    versions = schemas.schemas_of(topic.name)
    for older, newer in pairwise(sorted(versions)):
        assert list(breaks(versions[older].published, versions[newer].published)) == []


@by_name
def test_every_example_is_read_by_the_newest_reader(topic: Topic) -> None:
    """An example is the event as JSON; it is written, framed, read and compared."""
    folder = schemas.ROOT / topic.name / "examples"
    for version in schemas.schemas_of(topic.name):
        files = sorted((folder / f"v{version}").glob("*.json"))
        assert files, f"no example of {topic.name} v{version}"
        for file in files:
            event = topic.event.model_validate_json(file.read_text("utf-8"))
            assert Codec().decode(topic, Codec().encode(event)) == event


def test_enums_have_a_default_symbol() -> None:
    def enums(avro: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- any part of a schema
        if isinstance(avro, list):
            return [found for part in avro for found in enums(part)]
        if not isinstance(avro, dict):
            return []
        own = [avro] if avro.get("type") == "enum" else []
        return own + [found for part in avro.values() for found in enums(part)]

    found = [e for topic in TOPICS for e in enums(schemas.draft(topic))]
    assert found
    assert all(e["default"] == "UNKNOWN" and e["symbols"][0] == "UNKNOWN" for e in found)


def test_every_built_service_has_its_folder_and_every_folder_its_service() -> None:
    folders = {file.parent.name for file in (ROOT / "services").glob("*/__init__.py")}
    assert folders == {service.name for service in SERVICES if not service.planned}


def test_services_handle_what_the_map_says_they_read() -> None:
    from shared.runtime.service import load_service  # noqa: PLC0415 -- loads every service

    for service in SERVICES:
        if service.port and not service.planned:
            handled = set(load_service(service.name).handlers)
            assert handled == {topic.event for topic in consumed_by(service.name)}, service.name


def test_every_built_service_is_of_some_use() -> None:
    for service in SERVICES:
        if service.port and not service.planned:
            assert consumed_by(service.name)
            assert produced_by(service.name)


def test_the_map_names_the_readers_that_are_to_come() -> None:
    """Else a later release would find topics whose retention or key was chosen without them."""
    to_come = {(reader, topic.event) for topic in TOPICS for reader in topic.later}
    assert to_come == {
        ("invoicer", Contact),
        ("invoicer", DisputeOpened),
        ("invoicer", DisputeResolved),
        ("ledger_writer", PaymentReceived),
        *((asker, ReviewDecided) for asker in ("pricer", "invoicer", "ledger_writer")),
    }


def test_generated_parts_are_up_to_date() -> None:
    assert generate.stale() == []


def test_schemas_are_published_with_their_logical_types() -> None:
    published = json.dumps(schemas.newest("accounting.invoice-posted.v1").published)
    assert '"logicalType": "decimal"' in published
    assert '"logicalType": "timestamp-micros"' in published
