"""What each file became, for people and for programs (JSON)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from services.ingest.domain.outcome import Failed, Nothing, Outcome, Produced
from shared.events.base import Event
from shared.events.masterdata import Contact
from shared.events.production import JobCompleted, Phase, Resource, UsageReported
from shared.identity import key_of, message_id, topic_of
from shared.terminal import printable

_LINES_MAX = 40
_PERSONAL = ("name", "email")


def listing(outcomes: Sequence[Outcome]) -> Group:
    """Each file with what it is, and below it what it became; nothing cut, however narrow."""
    return Group(*(part for outcome in outcomes for part in (_head(outcome), _became(outcome))))


def digest(outcomes: Sequence[Outcome]) -> Group:
    """How many events of which topic there are, and every error in full."""
    events = [event for one in outcomes if isinstance(one, Produced) for event in one.events]
    counts = Counter(topic_of(event).name for event in events)
    topics = [Text(f"  {counts[name]:>5} {name}") for name in sorted(counts)]
    failed = [one for one in outcomes if isinstance(one, Failed)]
    return Group(*topics, *(part for one in failed for part in (_head(one), _became(one))))


def closing(outcomes: Sequence[Outcome], fate: str) -> str:
    """The sum of it all in a sentence; `fate` says what happened to the events."""
    counts = summary([_file(outcome) for outcome in outcomes])
    return (
        f"Files: {counts['files']}. {counts['files_with_events']} became {counts['events']} events"
        f" ({fate}), {counts['files_without']} nothing, {counts['files_in_error']} in error."
    )


def _head(outcome: Outcome) -> Text:
    return Text.assemble((printable(outcome.source), "bold"), (f" {outcome.kind}", "dim"))


def _became(outcome: Outcome) -> Group:
    if isinstance(outcome, Failed):
        return Group(*(_indented(f"error: {fault}", "red") for fault in outcome.faults))
    notes = [_indented(f"note: {note}", "dim") for note in outcome.notes[:_LINES_MAX]]
    if isinstance(outcome, Nothing):
        return Group(_indented(f"nothing: {outcome.reason}", "yellow"), *notes)
    lines = [line for event in outcome.events for line in described(event)]
    shown = [
        _indented(line, "" if line.startswith(" ") else "green") for line in lines[:_LINES_MAX]
    ]
    hidden = f"... and {len(lines) - _LINES_MAX} lines more; --json shows all"
    more = [_indented(hidden, "dim")] if len(lines) > _LINES_MAX else []
    return Group(*shown, *more, *notes)


def _indented(line: str, style: str) -> Padding:
    """The line below its file; what does not fit goes on below it, as far in."""
    text = line.lstrip()
    depth = 2 + len(line) - len(text)
    return Padding(Text(printable(text), style), (0, 0, 0, depth), expand=False)


def described(event: Event) -> Iterator[str]:
    """The event in a line, and below it the figures of a job in a line each."""
    topic = topic_of(event)
    yield f"{topic.name} {key_of(topic, event)}"
    if isinstance(event, JobCompleted):
        yield (
            f"  revision {event.revision}, {event.end_status.value.lower()} at"
            f" {event.completed_at.isoformat()}, quality {event.quality.value.lower()},"
            f" customer {event.customer_id or 'not named'}"
        )
        for item in event.items:
            yield (
                f"  item {item.item_id}: {figure(item.ordered)} ordered,"
                f" {figure(item.delivered)} delivered ({item.product_class})"
            )
        for drop in event.deliveries:
            yield (
                f"  drop {drop.delivery_id}: {figure(drop.quantity)} of item {drop.item_id}"
                f" to {drop.ship_to_country or 'no country named'}"
            )
    if isinstance(event, UsageReported):
        yield f"  from {event.sender_id}, message {event.message_id}"
    if isinstance(event, JobCompleted | UsageReported):
        yield from _figures(event)


def _figures(event: JobCompleted | UsageReported) -> Iterator[str]:
    yield from map(_resource, event.resources)
    yield from map(_phase, event.phases)
    for time in event.planned_times:
        yield f"  planned {time.status.value}: {figure(time.hours)} h on {time.device_id or 'any'}"
    for work in event.operations:
        counts = f"planned {figure(work.planned)}, done {figure(work.actual)} {work.unit}"
        yield f"  {work.component.value} {work.code}: {counts}"
    for meter in event.counters:
        yield f"  counter {meter.counter_id}: {figure(meter.reading)} {meter.unit} ({meter.kind})"
    for share in event.gang_shares:
        size = f"{figure(share.copies)} copies of area {figure(share.area)}"
        yield f"  on sheet {share.sheet_id}: job {share.job_id} with {size}"


def _resource(one: Resource) -> str:
    name = " ".join(filter(None, (one.component.value, one.separation, one.product_id)))
    place = ", ".join(filter(None, (one.section, one.side, one.lot_id and f"lot {one.lot_id}")))
    said = {
        "planned": (one.planned_good, one.planned_waste),
        "used": (one.actual_good, one.actual_waste),
    }
    amounts = "; ".join(
        f"{word} {figure(good)} good + {figure(waste)} waste"
        for word, (good, waste) in said.items()
        if (good, waste) != (None, None)
    )
    instead = f" instead of {one.substitute_for}" if one.substitute_for else ""
    where = f" ({place})" if place else ""
    return f"  {name}{instead}{where}: {amounts} {one.unit}"


def _phase(one: Phase) -> str:
    end = one.end.isoformat() if one.end else "still going on"
    return f"  {one.status.value} on {one.device_id}: {one.start.isoformat()} to {end}"


def figure(value: Decimal | None) -> str:
    """A number as people write it; a dash where nothing is stated."""
    return "-" if value is None else f"{value.normalize():f}"


def as_json(outcomes: Iterable[Outcome], *, published: int) -> str:
    """Everything, for programs; people in contact data stay out of it."""
    files = [_file(outcome) for outcome in outcomes]
    document = {"files": files, "summary": {**summary(files), "published": published}}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _file(outcome: Outcome) -> dict[str, Any]:
    head = {"file": outcome.source, "format": outcome.kind}
    if isinstance(outcome, Failed):
        faults = [
            {"line": one.line, "element": one.element, "message": one.message}
            for one in outcome.faults
        ]
        return {**head, "outcome": "error", "faults": faults}
    notes = list(outcome.notes)
    if isinstance(outcome, Nothing):
        return {**head, "outcome": "nothing", "reason": outcome.reason, "notes": notes}
    events = [_event(event) for event in outcome.events]
    return {**head, "outcome": "events", "events": events, "notes": notes}


def _event(event: Event) -> dict[str, Any]:
    topic = topic_of(event)
    hidden = set(_PERSONAL) if isinstance(event, Contact) else set()
    return {
        "topic": topic.name,
        "key": key_of(topic, event),
        "message_id": str(message_id(topic, event)),
        "value": event.model_dump(mode="json", exclude=hidden, exclude_defaults=True),
    }


def summary(files: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many files became what, and how many events there are."""
    kinds = [file["outcome"] for file in files]
    counts = {kind: kinds.count(kind) for kind in ("events", "nothing", "error")}
    total = sum(len(file.get("events", ())) for file in files)
    return {
        "files": len(kinds),
        "files_with_events": counts["events"],
        "files_without": counts["nothing"],
        "files_in_error": counts["error"],
        "events": total,
    }
