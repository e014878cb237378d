"""The tables as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, text

from shared import db
from shared.db import AUDITOR
from shared.settings import Settings
from shared.topology import consumers
from tests.chaos.oracle.expected import Row, Rows

Place = tuple[str, int, int]
JOB: Final = ("legal_entity_id", "job_id")
INVOICE: Final = ("legal_entity_id", "invoice_id")
LOOKED_AT: Final[dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]] = {
    ("metrics_extractor", "job"): (JOB, ("revision", "state", "reason", "reports", "late_reports")),
    ("pricer", "job"): (JOB, ("revision", "pricing_no", "path", "net_total")),
    ("invoicer", "job"): (JOB, ("revision", "pricing_no", "path", "state", "invoice_id")),
    ("invoicer", "invoice"): (INVOICE, ("invoice_number", "job_id", "gross_total")),
    ("ledger_writer", "journal_entry"): (("entry_id",), ("sequence", "hash")),
    ("ledger_writer", "receivable"): (INVOICE, ("gross_total", "credited", "paid")),
    ("notifier", "invoice"): (INVOICE, ("gross_total", "paid")),
    ("dunning_scheduler", "invoice"): (INVOICE, ("gross_total", "paid", "due_on", "delivery")),
}
"""Key and columns of the tables that are compared, by service and table."""


@dataclass
class Found:
    """One service: inbox (place and fingerprint by message id), held records, rows by table.

    `held` is by place: state, stage, reason code.
    """

    inbox: dict[UUID, tuple[Place, bytes]]
    held: dict[Place, tuple[str, str | None, str | None]]
    tables: dict[str, Rows]
    outbox: int = 0


def found(settings: Settings) -> Mapping[str, Found]:
    """By service, under the auditor's role."""
    with db.transaction(settings, AUDITOR) as connection:
        return {service.name: _of(connection, service.name) for service in consumers()}


def _of(connection: Connection, service: str) -> Found:
    inbox = _rows(connection, service, "inbox", "message_id fingerprint topic partition position")
    held = _rows(
        connection, service, "held_record", "topic partition position state stage code resolved_at"
    )
    return Found(
        inbox={row[0]: (tuple(row[2:]), bytes(row[1])) for row in inbox},
        held={tuple(row[:3]): tuple(row[3:6]) for row in held if row[6] is None},
        tables={
            table: _keyed(connection, service, table, *columns)
            for (of, table), columns in LOOKED_AT.items()
            if of == service
        },
        outbox=len(_rows(connection, service, "outbox", "id")),
    )


def _keyed(
    connection: Connection, service: str, table: str, key: tuple[str, ...], rest: tuple[str, ...]
) -> dict[Row, Row]:
    rows = _rows(connection, service, table, " ".join((*key, *rest)))
    return {tuple(row[: len(key)]): tuple(row[len(key) :]) for row in rows}


def _rows(connection: Connection, service: str, table: str, columns: str) -> list[Any]:
    names = SQL(", ").join(map(Identifier, columns.split()))
    query = SQL("SELECT {} FROM {}").format(names, Identifier(service, table))
    return list(connection.execute(text(query.as_string())).all())
