"""Another producer's schema whose numbers mean something else than ours."""

from collections.abc import Iterator
from copy import deepcopy
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from shared.schemas import _misread, _plain, misreadings, newest
from shared.topology import BY_NAME, TOPICS, Topic


def numbers(avro: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any part of a schema
    """Every part of a schema that has a logical type."""
    if isinstance(avro, list):
        for part in avro:
            yield from numbers(part)
    elif isinstance(avro, dict):
        if "logicalType" in avro:
            yield avro
        for part in avro.values():
            yield from numbers(part)


def changed(topic: Topic) -> Iterator[dict[str, Any]]:
    """The topic's schema with another scale or unit, once for each number in it."""
    published = dict(newest(topic.name).published)
    for place, _ in enumerate(numbers(published)):
        other = deepcopy(published)
        number = list(numbers(other))[place]
        if number["logicalType"] == "decimal":
            number["scale"] -= 2
        else:
            number["logicalType"] = "of-another-kind"
        yield other


def text(topic: Topic) -> Iterator[dict[str, Any]]:
    """The topic's schema with text for a decimal, once for each decimal in it."""
    published = dict(newest(topic.name).published)
    for place, number in enumerate(numbers(published)):
        if number["logicalType"] == "decimal":
            other = deepcopy(published)
            instead = list(numbers(other))[place]
            instead.clear()
            instead["type"] = "string"
            yield other


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_number_is_looked_at(topic: Topic) -> None:
    """If it failed: amounts would be wrong by a hundred, times by a thousand, and nobody told."""
    assert list(misreadings(newest(topic.name).published)) == []
    assert list(changed(topic))
    others = [*changed(topic), *text(topic)]
    assert [other for other in others if not list(misreadings(other))] == []


@pytest.mark.parametrize("namespace", [{"namespace": "com.example"}, {}])
def test_a_namespace_of_their_own_hides_nothing(namespace: dict[str, str]) -> None:
    """Avro matches records by the last part of their names."""
    topic = BY_NAME["billing.job-priced.v1"]
    for other in changed(topic):
        assert list(misreadings(renamed(other, namespace)))
    assert list(misreadings(renamed(newest(topic.name).published, namespace))) == []
    dotted = {**renamed(next(changed(topic)), {}), "name": "com.example.JobPriced"}
    assert list(misreadings(dotted))


def renamed(avro: Any, namespace: dict[str, str]) -> Any:  # noqa: ANN401 - any part of a schema
    """The schema with `namespace` for its own, or none."""
    if isinstance(avro, list):
        return [renamed(part, namespace) for part in avro]
    if isinstance(avro, str):
        return avro.replace("colophon.events", *namespace.values() or ("",)).lstrip(".")
    if not isinstance(avro, dict):
        return avro
    rest = {name: renamed(part, namespace) for name, part in avro.items() if name != "namespace"}
    return rest | namespace if "namespace" in avro else rest


CENTS = {"type": "bytes", "logicalType": "decimal", "precision": 24, "scale": 2}
TEN_THOUSANDTHS = {**CENTS, "scale": 4}
DAY = {"type": "int", "logicalType": "date"}
TIME = {"type": "long", "logicalType": "timestamp-micros"}
NAME = {"type": "string", "logicalType": "uuid"}


@pytest.mark.parametrize(
    ("meant", "here", "value"),
    [
        (TEN_THOUSANDTHS, CENTS, b"1"),
        (TEN_THOUSANDTHS, "string", "12.50"),
        (TEN_THOUSANDTHS, NAME, "12.50"),
        (TEN_THOUSANDTHS, "bytes", b"12.50"),
        (TEN_THOUSANDTHS, ["null", "string", TEN_THOUSANDTHS], "12.50"),
        (TEN_THOUSANDTHS, ["null", TEN_THOUSANDTHS, "string"], "12.50"),
        (["null", TEN_THOUSANDTHS], CENTS, b"1"),
        ({"type": "array", "items": TEN_THOUSANDTHS}, {"type": "array", "items": CENTS}, [b"1"]),
        ("string", CENTS, b"1"),
        (["null", "string"], ["string", CENTS], b"1"),
        (TIME, "int", 3),
        (TIME, DAY, 3),
        ("long", DAY, 3),
        ("long", TIME, 3),
        ("double", TIME, 3),
    ],
)
def test_what_is_promoted_to_another_meaning_is_told(meant: Any, here: Any, value: object) -> None:  # noqa: ANN401 - any part of a schema
    """If it failed: "12.50" would be read as the number that its five bytes make."""
    assert resolves(meant, here, value)
    assert list(_misread(record(meant), record(here), ""))


@pytest.mark.parametrize(
    ("meant", "here", "value"),
    [
        ("string", NAME, "12"),
        (["null", "string"], "bytes", b"12"),
        ("long", "int", 3),
        ("double", "long", 3),
        (["null", TEN_THOUSANDTHS], TEN_THOUSANDTHS, b"1"),
        (TEN_THOUSANDTHS, ["null", {**TEN_THOUSANDTHS, "precision": 20}], b"1"),
    ],
)
def test_what_is_promoted_and_means_the_same_is_read(meant: Any, here: Any, value: object) -> None:  # noqa: ANN401 - any part of a schema
    """If it failed: records of other producers would be dead letters for nothing."""
    assert resolves(meant, here, value)
    assert list(_misread(record(meant), record(here), "")) == []


def record(part: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of a schema
    return {"type": "record", "name": "Sale", "fields": [{"name": "of", "type": part}]}


def resolves(meant: Any, here: Any, value: object) -> bool:  # noqa: ANN401 - any parts of a schema
    """Whether Avro reads `value`, written as `here`, without a word as what is `meant`."""
    writer, reader = (parse_schema(_plain(record(part))) for part in (here, meant))
    body = BytesIO()
    schemaless_writer(body, writer, {"of": value})
    read: Any = schemaless_reader(BytesIO(body.getvalue()), writer, reader)
    return "of" in read


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    schema = newest("billing.review-requested.v1").published
    within = {"name": "reasons", "type": ["null", "ReviewRequested"]}
    nested = {**schema, "fields": [*schema["fields"][:-1], within]}
    assert list(misreadings(nested)) == []


def test_whose_record_is_none_of_ours_is_left_to_the_reader() -> None:
    assert list(misreadings({"type": "record", "name": "Another", "fields": []})) == []
