"""Ways to break a sound world, each behind the services' backs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.auditor.domain.books import Side
from services.auditor.domain.facts import InvoiceKey, JobKey
from services.auditor.domain.postings import Application
from shared.events.billing import (
    InvoiceIssued,
)
from shared.identity import message_id, topic_of
from tests.unit.auditor.world import (
    World,
    issued,
)

Breach = Callable[[World], Any]
KEY = InvoiceKey("DE01", issued().invoice_id)
JOB = JobKey("DE01", "J-1")
APPLICATION = Application("DE01", "PAY-1", KEY.invoice_id, 1)


def amended(world: World, **changes: Any) -> None:  # noqa: ANN401 - any field
    """The issued invoice otherwise than everything else says."""
    world.replace(InvoiceIssued, world.first(InvoiceIssued).model_copy(update=changes))


def on_line(world: World, kind: type[Any], **changes: Any) -> None:  # noqa: ANN401 -- any field
    event = world.first(kind)
    line = event.lines[0].model_copy(update=changes)
    world.replace(kind, event.model_copy(update={"lines": (line,)}))


def tampered_posting(world: World) -> None:
    entry = world.journal[0]
    first, *rest = entry.sides
    raised = Side(*first[:2], first.debit + 1, first.credit, first.text)
    world.journal[0] = replace(entry, sides=(raised, *rest))


def lost_entry(world: World) -> None:
    world.journal[0:1] = []


def in_table(name: str, key: object, value: object = None) -> Breach:
    """A table's row changed, or gone where `value` is None."""

    def breach(world: World) -> None:
        table = dict(world.tables[name])
        table[key] = value
        world.tables[name] = {k: v for k, v in table.items() if v is not None}

    return breach


def in_files(name: str, key: object, value: object) -> Breach:
    def breach(world: World) -> None:
        world.files[name] = {**world.files[name], key: value}

    return breach


def without(kind: type[Any]) -> Breach:
    """The record was never published (and nobody is said to have applied it)."""
    return lambda world: world.replace(kind, None)


def unapplied(world: World) -> None:
    invoice = world.first(InvoiceIssued)
    world.unapplied.add(("ledger_writer", message_id(topic_of(invoice), invoice)))


def second_invoice_of_the_job(world: World) -> None:
    world.events.append(issued(2, job_id="J-1"))


def later_number_earlier_date(world: World) -> None:
    early = issued().issued_on - timedelta(days=1)
    world.events += [issued(2, issued_on=early)]


def delivery(world: World, **changes: Any) -> None:  # noqa: ANN401 - any field
    (key, known), *_ = world.tables["deliveries"].items()
    world.tables["deliveries"] = {key: known._replace(**changes)}


def published(kind: type[Any], **changes: Any) -> Breach:  # noqa: ANN401 -- any field
    """The record says otherwise than the tables."""

    def breach(world: World) -> None:
        world.replace(kind, world.first(kind).model_copy(update=changes))

    return breach
