"""A small world in which all is well: topics and tables, made by the oracle without any server."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from services.simulator.main import master_data, payment_of, special_cases, stories_of
from shared.events.base import Event
from shared.events.billing import InvoiceIssued, ReviewRequested
from shared.events.production import JobCompleted
from shared.topology import BY_EVENT, BY_NAME, TOPICS
from tests.chaos.feed import STARTING
from tests.chaos.oracle.compare import differences
from tests.chaos.oracle.expected import Expected, expected
from tests.chaos.oracle.records import Rec, key_of
from tests.chaos.oracle.tables import Found

NOW: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINK_KEY: Final = b"key"
_HEAD: Final = bytes(10)


@dataclass
class World:
    """Everything that is compared; `must` follows from the topics `as_they_were`."""

    topics: dict[str, list[Rec]]
    have: dict[str, Found]
    as_they_were: dict[str, list[Rec]]
    must: dict[str, Expected]

    def copy(self) -> "World":
        """One to break."""
        have = {
            name: replace(one, inbox=dict(one.inbox), held=dict(one.held), tables=dict(one.tables))
            for name, one in self.have.items()
        }
        topics = {name: list(records) for name, records in self.topics.items()}
        return World(topics, have, self.topics, self.must)

    def differences(self) -> list[str]:
        """As the oracle says them."""
        is_same = self.topics == self.as_they_were
        must = self.must if is_same else expected(self.topics, LINK_KEY, NOW)
        return differences(self.topics, must, self.have)


def world(jobs: int = 4) -> World:
    """What comes of some jobs, one of every special case, and of records nobody should send."""
    topics: dict[str, list[Rec]] = {topic.name: [] for topic in TOPICS}
    for no, event in enumerate(_input(jobs), 1):
        _append(topics, event, no)
    _misbehave(topics)
    for service in ("metrics_extractor", "pricer"):
        _publish(topics, expected(topics, LINK_KEY, NOW)[service])
    made = expected(topics, LINK_KEY, NOW)["invoicer"]
    _publish(topics, made)
    _number(topics)
    _republish(topics, expected(topics, LINK_KEY, NOW)["invoicer"])
    first = topics[BY_EVENT[InvoiceIssued].name][0].event
    assert isinstance(first, InvoiceIssued)
    _append(topics, payment_of(first, NOW))
    for service in ("ledger_writer", "notifier"):
        _publish(topics, expected(topics, LINK_KEY, NOW)[service])
    must = expected(topics, LINK_KEY, NOW)
    return World(topics, {name: _found(one) for name, one in must.items()}, topics, must)


def _input(jobs: int) -> Iterator[Event]:
    yield from master_data()
    for story in (*special_cases(1, starting=STARTING).values(),
                  *stories_of(jobs, 1, starting=STARTING)):  # fmt: skip
        yield from (arrival.event for arrival in story.arrivals)


def _misbehave(topics: dict[str, list[Rec]]) -> None:
    """No key, no value, no event under the key of a job that comes again, and a record again."""
    completed = topics[BY_EVENT[JobCompleted].name]
    some, no = completed[0], 10_000
    for key, value, event in (
        (None, some.value, some.event),
        (b"a", None, None),
        (b"b", some.value, some.event),
        (some.key, b"broken", None),
        (some.key, some.value, some.event),
        (completed[1].key, completed[1].value, completed[1].event),
    ):
        no += 1
        completed.append(Rec(some.topic, 0, len(completed), key, value, event, no))


def _append(topics: Mapping[str, list[Rec]], event: Event, no: int = 0) -> None:
    topic = BY_EVENT[type(event)].name
    value = _HEAD + event.model_dump_json().encode()
    key = key_of(event, BY_NAME[topic].key)
    topics[topic].append(Rec(topic, 0, len(topics[topic]), key, value, event, no))


def _publish(topics: Mapping[str, list[Rec]], one: Expected) -> None:
    for events in one.fates.emitted.values():
        for event in events:
            _append(topics, event)


def _republish(topics: dict[str, list[Rec]], one: Expected) -> None:
    """Publish again what hangs on the invoices' numbers."""
    for topic in {topic for topic, _ in one.fates.emitted}:
        topics[topic] = [rec for rec in topics[topic] if _is_of_another(rec.event)]
    _publish(topics, one)


def _is_of_another(event: Event | None) -> bool:
    return isinstance(event, ReviewRequested) and event.requested_by != "invoicer"


def _number(topics: Mapping[str, list[Rec]]) -> None:
    """Give the invoices numbers in turn."""
    records = topics[BY_EVENT[InvoiceIssued].name]
    given: dict[tuple[str, str, int], int] = defaultdict(int)
    for place, rec in enumerate(records):
        if isinstance(rec.event, InvoiceIssued):
            series = (rec.event.legal_entity_id, rec.event.series, rec.event.fiscal_year)
            given[series] += 1
            event = rec.event.model_copy(update={"sequence": given[series]})
            records[place] = replace(rec, event=event)


def _found(one: Expected) -> Found:
    """Tables as they must be."""
    return Found(
        inbox={
            identity: (rec.place, sha256((rec.value or b"")[len(_HEAD) :]).digest()[:16])
            for identity, rec in one.fates.applied.items()
        },
        held={place: (state, "decode", code) for place, (state, code) in one.fates.held.items()},
        tables={name: dict(rows) for name, rows in one.tables.items()},
    )
