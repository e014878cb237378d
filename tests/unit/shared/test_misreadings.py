"""Another producer's schema whose numbers mean something else than ours."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from shared.schemas import misreadings, newest
from shared.topology import TOPICS, Topic


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


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_number_is_looked_at(topic: Topic) -> None:
    """If it failed: amounts would be wrong by a hundred, times by a thousand, and nobody told."""
    assert list(misreadings(newest(topic.name).published)) == []
    others = list(changed(topic))
    assert others
    assert [other for other in others if not list(misreadings(other))] == []


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    schema = newest("billing.review-requested.v1").published
    within = {"name": "reasons", "type": ["null", "ReviewRequested"]}
    nested = {**schema, "fields": [*schema["fields"][:-1], within]}
    assert list(misreadings(nested)) == []


def test_whose_record_is_none_of_ours_is_left_to_the_reader() -> None:
    assert list(misreadings({"type": "record", "name": "Another", "fields": []})) == []
