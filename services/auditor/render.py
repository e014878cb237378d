"""What the auditor found, as tables for people and as JSON for programs."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from services.auditor.domain.status import ServiceStatus, Status

_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S


def print_status(status: Status, console: Console) -> None:
    """A row for each service, then what is under way and whether the ledger balances."""
    table = Table(
        "service", "lag", "waiting", "parked", "dead letters", "outbox", "to do", "at its time"
    )
    for service in status.services:
        table.add_row(service.name, *_cells(service))
    console.print(table)
    for one in status.imbalances:
        console.print(
            f"[red]The ledger of {one.legal_entity_id} is off by {one.amount} {one.currency}.[/red]"
        )
    if not status.imbalances:
        console.print("The ledger balances.")
    console.print("Settled." if status.is_settled else f"In flight: {status.explanation}.")


def status_json(status: Status) -> str:
    """The status as JSON."""
    return _dump(
        {
            "settled": status.is_settled,
            "explanation": status.explanation,
            "ledger_imbalances": [one._asdict() for one in status.imbalances],
            "services": {service.name: _plain(service) for service in status.services},
        }
    )


def _cells(service: ServiceStatus) -> tuple[str, ...]:
    tables = service.tables
    lag = _counts({topic: records for topic, records in service.lag.items() if records})
    if tables is None:
        return lag, "not migrated", "", "", "", "", ""
    outbox = f"{tables.outbox} ({_age(tables.outbox_oldest_s)})" if tables.outbox else ""
    quarantined = f"{tables.quarantined} quarantined" if tables.quarantined else ""
    return (
        lag,
        _counts(tables.waiting),
        str(tables.parked or ""),
        _counts(tables.dead),
        "\n".join(filter(None, (outbox, quarantined))),
        _counts(tables.due),
        _counts(tables.later),
    )


def _counts(counts: Mapping[str, int]) -> str:
    return "\n".join(f"{count} {what}" for what, count in sorted(counts.items()) if count)


def _plain(service: ServiceStatus) -> dict[str, Any]:
    tables = service.tables
    plain: dict[str, Any] = {"lag": service.lag, "migrated": tables is not None}
    if tables:
        plain |= {
            "waiting": tables.waiting,
            "parked": tables.parked,
            "dead_letters": tables.dead,
            "oldest_held_s": tables.oldest_held_s,
            "outbox": tables.outbox,
            "outbox_oldest_s": tables.outbox_oldest_s,
            "outbox_quarantined": tables.quarantined,
            "to_do": {**tables.due, "held keys to take up": tables.lanes_ready},
            "later": tables.later,
        }
    return plain


def _age(seconds: float | None) -> str:
    """An age in the largest unit that fits."""
    if seconds is None:
        return ""
    for size, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _dump(plain: object) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False, default=str)
