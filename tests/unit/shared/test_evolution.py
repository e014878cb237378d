"""Schemas grow: old and new releases read each other, and what is no successor is refused."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared import schemas
from shared.codec.codec import Codec, fingerprint
from shared.errors import ConfigurationError, Undecodable
from shared.events.base import Event
from shared.events.billing import Reason, ReviewRequested
from shared.evolution import breaks
from shared.schemas import Schema, schemas_of
from shared.topology import BY_EVENT, BY_NAME, Topic

TOPIC = BY_EVENT[ReviewRequested]
SUBJECT = "billing.review-requested.v1"
AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
Avro = dict[str, Any]


class GrownReason(Reason):
    """A part of the event that has grown."""

    weight: int = 1


class Grown(ReviewRequested):
    """The event as the next release has it."""

    reasons: tuple[GrownReason, ...] = ()
    channel: str = "office"


FIELDS: dict[str, Any] = {
    "legal_entity_id": "DE01",
    "subject_kind": "price",
    "subject_id": "s1",
    "subject_version": 1,
    "requested_at": AT,
    "requested_by": "tester",
    "currency": "EUR",
    "net_total": Decimal("12.30"),
}


def old_event() -> ReviewRequested:
    return ReviewRequested(**FIELDS, reasons=(Reason(code="margin", text="low"),))


def new_event(**changes: Any) -> Grown:  # noqa: ANN401 -- fields by name
    return Grown(**(FIELDS | {"reasons": (GrownReason(code="margin", text="low"),)} | changes))


def published() -> Avro:
    """The first version as it is released."""
    avro: Avro = json.loads((schemas.ROOT / SUBJECT / "v1.avsc").read_text("utf-8"))
    return avro


def reasons_of(avro: Avro) -> Avro:
    """The record of one reason within `avro`."""
    found: Avro = next(f for f in avro["fields"] if f["name"] == "reasons")["type"]["items"]
    return found


def second() -> Avro:
    """The second version: a field more, and one more within a part."""
    avro = deepcopy(published())
    avro["fields"].append({"name": "channel", "type": "string", "default": "office"})
    reasons_of(avro)["fields"].append({"name": "weight", "type": "long", "default": 1})
    return avro


class Release:
    """What one release of the software knows: its schemas, its models, the version it writes."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root, self._monkeypatch = root, monkeypatch

    def use(self, newer: Avro | None, topic: Topic) -> Topic:
        """From now on run this release; `newer` is its second version of the schema, if any."""
        shutil.rmtree(self._root, ignore_errors=True)
        (self._root / SUBJECT).mkdir(parents=True)
        for version, avro in enumerate(filter(None, (ORIGINAL, newer)), 1):
            (self._root / SUBJECT / f"v{version}.avsc").write_text(json.dumps(avro))
        self._monkeypatch.setattr(schemas, "ROOT", self._root)
        self._monkeypatch.setattr(schemas, "TOPICS", (topic,))
        self._monkeypatch.setitem(BY_EVENT, topic.event, topic)
        forget()
        return topic


ORIGINAL = published()


def forget() -> None:
    """Nothing of another release is remembered."""
    schemas.schemas_of.cache_clear()
    schemas.by_fingerprint.cache_clear()


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    """Lets a test be one release after the other."""
    yield Release(tmp_path / "schemas", monkeypatch)
    monkeypatch.undo()
    forget()


def grown_topic(version: int) -> Topic:
    """The topic of the next release, which writes `version`."""
    return replace(TOPIC, event=Grown, version=version)


class Registry:
    """Knows both versions, whatever the release at hand knows."""

    def __init__(self, versions: Mapping[int, Schema]) -> None:
        self._versions = dict(versions)

    def plain_schema(self, number: int) -> Any:  # noqa: ANN401 -- fastavro's form
        return self._versions[number].plain

    def id_of(self, schema: Schema) -> int:
        return schema.version


def codecs(release: Release) -> Callable[[bool], Codec]:
    """`make(registered)`: a codec with a registry of both versions, or with none."""
    release.use(second(), grown_topic(2))
    registry = Registry(schemas_of(SUBJECT))
    return lambda registered: Codec(registry) if registered else Codec()


@pytest.mark.parametrize("registered", [False, True])
def test_a_new_reader_reads_what_old_writers_wrote(release: Release, *, registered: bool) -> None:
    """Given a record of the old release, then the new fields have defaults; it is the same fact."""
    make = codecs(release)
    release.use(None, TOPIC)
    value = make(registered).encode(old_event())
    same = fingerprint(old_event())
    topic = release.use(second(), grown_topic(2))
    read = make(registered).decode(topic, value)
    assert read == new_event()
    assert fingerprint(read) == same


@pytest.mark.parametrize("registered", [False, True])
def test_a_new_release_writes_the_old_version_first(release: Release, *, registered: bool) -> None:
    """Given a release that reads the second version and writes the first, then old readers read."""
    make = codecs(release)
    release.use(second(), grown_topic(1))
    values = [make(registered).encode(event) for event in (new_event(), new_event(channel="web"))]
    topic = release.use(None, TOPIC)
    assert [make(registered).decode(topic, value) for value in values] == [old_event()] * 2


@pytest.mark.parametrize("registered", [False, True])
def test_the_second_version_is_read_whole_by_its_own_release(
    release: Release, *, registered: bool
) -> None:
    """Given the next release but one, which writes the second version, then nothing is left out."""
    make = codecs(release)
    topic = release.use(second(), grown_topic(2))
    event = new_event(channel="web", reasons=(GrownReason(code="margin", text="", weight=7),))
    assert make(registered).decode(topic, make(registered).encode(event)) == event
    assert fingerprint(new_event()) == fingerprint(old_event())
    assert fingerprint(event) != fingerprint(new_event())


def test_an_old_reader_reads_the_second_version_where_a_registry_knows_it(release: Release) -> None:
    """Given a record of the second version, then an old reader takes what it knows of it."""
    make = codecs(release)
    value = make(True).encode(new_event(channel="web"))  # noqa: FBT003 -- with a registry
    topic = release.use(None, TOPIC)
    read = make(True).decode(topic, value)  # noqa: FBT003 -- with a registry
    assert read == old_event()
    assert fingerprint(read) == fingerprint(old_event())


def test_an_old_reader_without_a_registry_refuses_what_it_cannot_know(release: Release) -> None:
    """Given a record of a version not released here, then it is refused by name, never guessed."""
    make = codecs(release)
    value = make(False).encode(new_event())  # noqa: FBT003 -- without a registry
    number = schemas_of(SUBJECT)[2].fingerprint
    topic = release.use(None, TOPIC)
    with pytest.raises(Undecodable, match="deploy the release that knows it") as refused:
        make(False).decode(topic, value)  # noqa: FBT003 -- without a registry
    assert refused.value.code == "schema-unknown"
    assert refused.value.facts["fingerprint"] == f"{number:016x}"


def test_a_registered_schema_that_is_no_version_of_ours_is_refused_by_its_id(
    release: Release,
) -> None:
    """Given a schema registered by others that lacks a field, then its records say so."""
    foreign = published()
    foreign["fields"] = foreign["fields"][1:]
    plain = schemas.plain_schema(foreign)
    registry = Registry({9: Schema(SUBJECT, 9, foreign, plain, 0)})
    topic = release.use(None, TOPIC)
    body = Codec().encode(old_event())[10 + len(b"\x08DE01") :]
    with pytest.raises(Undecodable, match="none that readers of this topic can read") as refused:
        Codec(registry).decode(topic, b"\x00\x00\x00\x00\x09" + body)
    assert refused.value.code == "schema-incompatible"
    assert refused.value.facts["begins"] == "0000000009"
    assert "legal_entity_id" in refused.value.message


# ---------------------------------------------------------------- what is no successor


def _without(avro: Avro, name: str) -> None:
    avro["fields"] = [field for field in avro["fields"] if field["name"] != name]


def _renamed(avro: Avro) -> None:
    avro["fields"][2]["name"] = "subject"


def _retyped(avro: Avro) -> None:
    next(f for f in avro["fields"] if f["name"] == "subject_version")["type"] = "int"


def _mandatory(avro: Avro) -> None:
    avro["fields"].append({"name": "channel", "type": "string"})


def _in_the_middle(avro: Avro) -> None:
    avro["fields"].insert(1, {"name": "channel", "type": "string", "default": ""})


def _rescaled(avro: Avro) -> None:
    next(f for f in avro["fields"] if f["name"] == "net_total")["type"]["scale"] = 2


def _mandatory_within(avro: Avro) -> None:
    reasons_of(avro)["fields"].append({"name": "weight", "type": "long"})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda avro: _without(avro, "requested_by"), "requested_by does not stand where it stood"),
        (_renamed, "subject_id does not stand where it stood"),
        (_retyped, "subject_version was long, is int"),
        (_mandatory, "channel is new and has no default"),
        (_in_the_middle, "subject_kind does not stand where it stood"),
        (_rescaled, "scale of net_total was 4, is 2"),
        (_mandatory_within, "reasons.weight is new and has no default"),
    ],
)
def test_a_version_that_is_no_successor_is_refused_by_name(
    release: Release, change: Callable[[Avro], None], reason: str
) -> None:
    """Given a second version that breaks the first, then topic, version and reason are named."""
    newer = published()
    change(newer)
    release.use(newer, TOPIC)
    with pytest.raises(ConfigurationError) as refused:
        schemas_of(SUBJECT)
    assert f"{SUBJECT} v2 cannot follow v1: " in str(refused.value)
    assert reason in str(refused.value)
    with pytest.raises(ConfigurationError, match="cannot follow"):
        Codec().encode(old_event())


def test_words_for_people_may_change() -> None:
    newer = second()
    newer["doc"] = "Other words."
    newer["fields"][0]["doc"] = "More words."
    assert list(breaks(published(), newer)) == []


ENUM: Avro = {"type": "enum", "name": "E", "symbols": ["UNKNOWN", "a", "b"], "default": "UNKNOWN"}


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"symbols": ["UNKNOWN", "a", "b", "c"]}, []),
        ({"symbols": ["UNKNOWN", "a"]}, ["b of e does not stand where it stood"]),
        ({"default": "a"}, ["default of e was 'UNKNOWN', is 'a'"]),
        ({"name": "F"}, ["name of e was 'E', is 'F'"]),
    ],
)
def test_enums_grow_at_their_end(change: Avro, reasons: list[str]) -> None:
    older = {"type": "record", "name": "R", "fields": [{"name": "e", "type": ENUM}]}
    newer = {"type": "record", "name": "R", "fields": [{"name": "e", "type": ENUM | change}]}
    assert list(breaks(older, newer)) == reasons


def test_every_released_model_is_still_the_one_read() -> None:
    """Given the releases as they are, then these tests have left nothing of theirs behind."""
    event: Event = old_event()
    assert Codec().decode(BY_NAME[SUBJECT], Codec().encode(event)) == event
    assert list(schemas_of(SUBJECT)) == [1]
