"""What every service has still to do, by its own tables: one statement for all of them together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from services.auditor.domain.status import Imbalance, Place, Tables

_PRESENT: Final = text(
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ANY(CAST(:schemas AS text[])) AND c.relkind IN ('r', 'p')"
    " AND has_table_privilege(c.oid, 'SELECT')"
)


class Work(NamedTuple):
    """Work that lies in a table: `due` is to be done now, `later` at its time.

    :now is business time, :system_now system time, UTC.
    """

    schema: str
    table: str
    what: str
    due: str
    later: str = "false"


WORK: Final = (
    Work("pricer", "job", "jobs to price anew", "reprice"),
    Work("invoicer", "job", "jobs to tax anew", "recheck"),
    Work(
        "invoicer",
        "document",
        "documents to render",
        "state = 'rendering' OR (state = 'pending' AND not_before <= :system_now)",
        "state = 'pending' AND not_before > :system_now",
    ),
    Work(
        "notifier",
        "delivery",
        "deliveries",
        "state = 'sending' OR (state = 'pending' AND due_at <= :system_now)",
        "state = 'pending' AND due_at > :system_now",
    ),
    Work(
        "dunning_scheduler",
        "invoice",
        "invoices to chase",
        "next_action_at <= :now",
        "next_action_at > :now",
    ),
)

# One row per fact: service, what (offset, outbox, ready, state, due, later), a name, and figures.
_RUNTIME: Final = """
SELECT '{0}', 'offset', topic, partition, next_offset, NULL::float8 FROM {0}.consumer_offset
UNION ALL SELECT '{0}', 'outbox', '', count(*) FILTER (WHERE quarantined IS NULL),
    count(quarantined), extract(epoch FROM now() - min(created_at)) FROM {0}.outbox
UNION ALL SELECT '{0}', 'ready', '', count(*), 0, NULL FROM {0}.held_key WHERE ready
UNION ALL SELECT '{0}', state, coalesce(code, fact_kind, ''), count(*), 0,
    extract(epoch FROM now() - min(held_at)) FROM {0}.held_record
    WHERE state IN ('waiting', 'dead', 'parked') GROUP BY state, coalesce(code, fact_kind, '')
"""
_WORK: Final = """
SELECT '{0.schema}', 'work', '{0.what}', count(*) FILTER (WHERE {0.due}),
    count(*) FILTER (WHERE {0.later}), NULL FROM {0.schema}.{0.table}
    WHERE ({0.due}) OR ({0.later})
"""
_IMBALANCES: Final = text(
    "SELECT e.legal_entity_id, e.currency, sum(p.debit - p.credit) AS amount"
    " FROM ledger_writer.posting p JOIN ledger_writer.journal_entry e USING (entry_id)"
    " GROUP BY 1, 2 HAVING sum(p.debit) <> sum(p.credit) ORDER BY 1, 2"
)


def present_tables(connection: Connection, schemas: Iterable[str]) -> frozenset[tuple[str, str]]:
    """The tables of `schemas` that exist and may be read, as (schema, table)."""
    rows = connection.execute(_PRESENT, {"schemas": list(schemas)})
    return frozenset((row.nspname, row.relname) for row in rows)


def read_tables(
    connection: Connection,
    present: frozenset[tuple[str, str]],
    services: Iterable[str],
    *,
    now: datetime,
    system_now: datetime,
) -> Mapping[str, Tables]:
    """What the tables of those of `services` that are migrated say, in one statement."""
    migrated = [name for name in services if (name, "consumer_offset") in present]
    if not migrated:
        return {}
    parts = [_RUNTIME.format(name) for name in migrated]
    parts += [_WORK.format(work) for work in WORK if (work.schema, work.table) in present]
    rows: dict[str, list[Any]] = {name: [] for name in migrated}
    times = {"now": now, "system_now": system_now}
    for row in connection.execute(text("UNION ALL".join(parts)), times):
        rows[row[0]].append(row[1:])
    return {name: _tables(found) for name, found in rows.items()}


def imbalances(
    connection: Connection, present: frozenset[tuple[str, str]]
) -> tuple[Imbalance, ...]:
    """Where debits and credits differ, by legal entity and currency: nowhere, in sound books."""
    if ("ledger_writer", "posting") not in present:
        return ()
    rows = connection.execute(_IMBALANCES)
    return tuple(Imbalance(row.legal_entity_id, row.currency, f"{row.amount:f}") for row in rows)


def _tables(rows: Iterable[Any]) -> Tables:
    offsets: dict[Place, int] = {}
    held: defaultdict[str, dict[str, int]] = defaultdict(dict)
    facts: dict[str, tuple[int, int, float | None]] = {}
    due, later, ages = {}, {}, []
    for what, name, first, second, age in rows:
        match what:
            case "offset":
                offsets[Place(name, first)] = second
            case "work":
                due[name], later[name] = first, second
            case "waiting" | "dead" | "parked":
                held[what][name] = first
                ages.append(age)
            case _:
                facts[what] = first, second, age
    return Tables(
        next_offsets=offsets,
        outbox=facts["outbox"][0],
        outbox_oldest_s=facts["outbox"][2],
        quarantined=facts["outbox"][1],
        lanes_ready=facts["ready"][0],
        parked=sum(held["parked"].values()),
        waiting=held["waiting"],
        dead=held["dead"],
        oldest_held_s=max(ages, default=None),
        due=due,
        later=later,
    )
