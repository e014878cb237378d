"""What differs between what must be and what is, in words; nothing where all is well."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from shared.events.base import Event
from shared.events.billing import DocumentRendered, InvoiceIssued, ReviewRequested
from shared.events.delivery import DocumentDelivered
from shared.topology import BY_EVENT, produced_by
from tests.chaos.oracle.billing import numbering
from tests.chaos.oracle.expected import Expected, Rows, events_of
from tests.chaos.oracle.fates import Fates
from tests.chaos.oracle.records import Rec, Topics
from tests.chaos.oracle.tables import Found

LEFT_OUT: Final[Mapping[type[Event], Mapping[str, str]]] = {
    ReviewRequested: {"requested_at": "when the service came to it"},
    DocumentRendered: {
        "rendered_at": "when the service came to it",
        "sha256": "`verify` reads the document behind it, to the cent",
        "size_bytes": "as sha256",
        "media_type": "as sha256",
        "language": "as sha256",
    },
    DocumentDelivered: {
        "delivered_at": "when the service came to it",
        "attempts": "a connection that was cut costs one",
    },
}
"""Fields that rest with chance, and why. Numbers, instants and places in a chain are not left out:
the interpreter takes them from what was published, and rules hold them (`billing.py`)."""
SHOWN_MAX: Final = 5
_HEAD: Final = 10


def differences(
    topics: Topics, must: Mapping[str, Expected], have: Mapping[str, Found]
) -> list[str]:
    """Every difference, by service; of one sort the first few."""
    wrong = list(numbering(events_of(topics, InvoiceIssued).values()))
    for service, one in must.items():
        is_there = have[service]
        for sort in (
            one.wrong,
            _inbox(one.fates, is_there),
            _held(one.fates, is_there),
            *(_rows(name, rows, is_there.tables[name]) for name, rows in one.tables.items()),
            _published(service, one.fates, topics),
            [f"{is_there.outbox} records were never published"] if is_there.outbox else (),
        ):
            wrong += _first(service, sort)
    return wrong


def _first(service: str, sort: Iterable[str]) -> Iterator[str]:
    found = list(sort)
    yield from (f"{service}: {line}" for line in found[:SHOWN_MAX])
    if len(found) > SHOWN_MAX:
        yield f"{service}: and {len(found) - SHOWN_MAX} more like this"


def _inbox(must: Fates, have: Found) -> Iterator[str]:
    """Each fact applied once, the first of its records, with the content it had."""
    for identity, rec in must.applied.items():
        if identity not in have.inbox:
            yield f"{_at(rec)} was not applied"
            continue
        place, fingerprint = have.inbox[identity]
        if place != rec.place:
            yield f"{_at(rec)} was applied from {place}"
        elif rec.value is not None and fingerprint != sha256(rec.value[_HEAD:]).digest()[:16]:
            yield f"{_at(rec)} was applied with other content"
    for identity, (place, _) in have.inbox.items():
        if identity not in must.applied:
            yield f"{place} was applied and must not have been"


def _held(must: Fates, have: Found) -> Iterator[str]:
    for place in sorted(must.held.keys() | have.held.keys()):
        state, code = must.held.get(place, (None, None))
        found, stage, said = have.held.get(place, (None, None, None))
        if code == "undecodable" and stage in {"decode", "validate"}:
            said = code  # which way it is undecodable, the runtime says more precisely
        if (state, code) != (found, said):
            yield f"{place} must be {state or 'done'} ({code}) and is {found or 'done'} ({said})"


def _rows(table: str, must: Rows, have: Rows) -> Iterator[str]:
    for key in sorted(must.keys() | have.keys()):
        if must.get(key) != have.get(key):
            yield f"{table} {key} must be {must.get(key)} and is {have.get(key)}"


Lane = tuple[str, bytes, str]


def _published(service: str, must: Fates, topics: Topics) -> Iterator[str]:
    """Each event once, by key in order; what was published again is the same, byte for byte."""
    wanted: dict[Lane, list[Event]] = defaultdict(list)
    for (topic, key), events in must.emitted.items():
        for event in events:
            wanted[topic, key, _said_by(event, service)].append(event)
    lanes: dict[Lane, list[Rec]] = defaultdict(list)
    for one in produced_by(service):
        for rec in topics[one.name]:
            if rec.event is None:
                yield f"{_at(rec)} is no event"
            elif _said_by(rec.event, service) == service:
                lanes[rec.topic, rec.key or b"", service].append(rec)
    for lane in sorted(wanted.keys() | lanes.keys()):
        yield from _lane(f"{lane[0]} {lane[1].decode()}", wanted[lane], lanes[lane])


def _lane(name: str, wanted: Sequence[Event], records: Sequence[Rec]) -> Iterator[str]:
    once: dict[Any, Rec] = {}
    for rec in records:
        first = once.setdefault(rec.identity, rec)
        if first.value != rec.value:
            yield f"{name}: {_at(rec)} repeats {_at(first)} with other content"
    must = {_identity(event): event for event in wanted}
    for identity, event in must.items():
        if identity not in once:
            yield f"{name}: never published: {_name(event)}"
    for identity, rec in once.items():
        if identity not in must:
            yield f"{name}: published and must not have been: {_at(rec)}"
        elif rec.event is not None and (fields := _differ(must[identity], rec.event)):
            yield f"{name}: {_at(rec)} differs: {fields}"
    both = [identity for identity in must if identity in once]
    if both != [identity for identity in once if identity in must]:
        yield f"{name}: published in another order than its causes came"


def _differ(must: Event, have: Event) -> str:
    left_out = LEFT_OUT.get(type(must), {})
    return ", ".join(
        f"{name} must be {wanted} and is {getattr(have, name)}"[:300]
        for name, wanted in must
        if name not in left_out and getattr(have, name) != wanted
    )


def _said_by(event: Event, service: str) -> str:
    """Who published it; reviews are asked for by several, and their order is chance."""
    return event.requested_by if isinstance(event, ReviewRequested) else service


def _identity(event: Event) -> Any:  # noqa: ANN401 -- a UUID, as of a record
    return Rec(BY_EVENT[type(event)].name, 0, 0, None, None, event).identity


def _name(event: Event) -> str:
    names = BY_EVENT[type(event)].business_key
    return f"{type(event).__name__} {', '.join(str(getattr(event, name)) for name in names)}"


def _at(rec: Rec) -> str:
    return f"{rec.topic}/{rec.partition}@{rec.offset}"
