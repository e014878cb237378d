"""The oracle can fail: whatever is lost, doubled, changed or out of order, it names."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from shared.events.billing import InvoiceIssued, JobPriced
from shared.events.production import MetricsExtracted
from shared.topology import BY_EVENT
from tests.chaos.oracle.records import Rec
from tests.unit.chaos.world import World, world

PRICED = BY_EVENT[JobPriced].name
EXTRACTED = BY_EVENT[MetricsExtracted].name
ISSUED = BY_EVENT[InvoiceIssued].name


@pytest.fixture(scope="module")
def sound() -> World:
    return world()


def test_a_sound_world_has_no_differences(sound: World) -> None:
    """Given topics and tables as they must be, then nothing is said; and there is a lot of them."""
    assert sound.differences() == []
    assert {len(sound.topics[name]) > 20 for name in (EXTRACTED, PRICED, ISSUED)} == {True}
    held = sound.have["metrics_extractor"].held.values()
    assert {(state, code) for state, _, code in held} == {
        ("dead", "conflict"),
        ("dead", "key-missing"),
        ("dead", "key-mismatch"),
        ("dead", "undecodable"),
        ("dead", "value-missing"),
        ("parked", None),
    }


def lose_a_row(it: World) -> None:
    it.have["pricer"].tables["job"] = dict(list(it.have["pricer"].tables["job"].items())[1:])


def change_a_row(it: World) -> None:
    jobs = dict(it.have["pricer"].tables["job"])
    key, row = next(iter(jobs.items()))
    it.have["pricer"].tables["job"] = jobs | {key: (*row[:-1], row[-1] + 1)}


def lose_an_effect(it: World) -> None:
    it.have["invoicer"].inbox.popitem()


def double_an_effect(it: World) -> None:
    inbox = it.have["invoicer"].inbox
    inbox[UUID(int=1)] = next(iter(inbox.values()))


def apply_another_record(it: World) -> None:
    inbox = it.have["invoicer"].inbox
    identity, ((topic, partition, offset), fingerprint) = next(iter(inbox.items()))
    inbox[identity] = ((topic, partition, offset + 1), fingerprint)


def apply_other_content(it: World) -> None:
    inbox = it.have["invoicer"].inbox
    identity, (place, _) = next(iter(inbox.items()))
    inbox[identity] = (place, b"another")


def lose_a_dead_letter(it: World) -> None:
    it.have["metrics_extractor"].held.popitem()


def leave_something_unpublished(it: World) -> None:
    it.have["notifier"].outbox = 1


def lose_an_event(it: World) -> None:
    it.topics[PRICED].pop()


def publish_an_event_of_nothing(it: World) -> None:
    rec = it.topics[PRICED][0]
    assert isinstance(rec.event, JobPriced)
    it.topics[PRICED].append(replace(rec, event=rec.event.model_copy(update={"pricing_no": 9})))


def change_an_event(it: World) -> None:
    rec = it.topics[PRICED][0]
    assert isinstance(rec.event, JobPriced)
    it.topics[PRICED][0] = replace(rec, event=rec.event.model_copy(update={"description": "x"}))


def repeat_an_event_with_other_bytes(it: World) -> None:
    it.topics[PRICED].append(replace(it.topics[PRICED][0], value=b"another"))


def swap_two_events(it: World) -> None:
    """The two prices of a job that was revised."""
    records = it.topics[PRICED]
    first, second = (records.index(rec) for rec in two_of_a_key(records))
    records[first], records[second] = records[second], records[first]


def leave_a_gap(it: World) -> None:
    records = it.topics[ISSUED]
    it.topics[ISSUED] = [rec for rec in records if not is_first(rec)]


def two_of_a_key(records: list[Rec]) -> list[Rec]:
    keys = [rec.key for rec in records]
    twice = next(key for key in keys if keys.count(key) == 2)
    return [rec for rec in records if rec.key == twice]


def is_first(rec: Rec) -> bool:
    return isinstance(rec.event, InvoiceIssued) and rec.event.sequence == 1


@pytest.mark.parametrize(
    ("corrupt", "said"),
    [
        (lose_a_row, "pricer: job"),
        (change_a_row, "pricer: job"),
        (lose_an_effect, "was not applied"),
        (double_an_effect, "applied and must not have been"),
        (apply_another_record, "was applied from"),
        (apply_other_content, "was applied with other content"),
        (lose_a_dead_letter, "metrics_extractor: ('production.job-completed.v1'"),
        (leave_something_unpublished, "1 records were never published"),
        (lose_an_event, "never published: JobPriced"),
        (publish_an_event_of_nothing, "published and must not have been"),
        (change_an_event, "differs: description must be"),
        (repeat_an_event_with_other_bytes, "with other content"),
        (swap_two_events, "published in another order than its causes came"),
        (leave_a_gap, "its numbers are"),
    ],
)
def test_a_defect_is_named(sound: World, corrupt: Callable[[World], None], said: str) -> None:
    """Given one thing that is not as it must be, then a difference says which."""
    broken = sound.copy()
    corrupt(broken)
    assert any(said in line for line in broken.differences()), broken.differences()
