"""What a process that died had in its hands, taken up again now and not in ten minutes."""

from typing import Final

import psycopg
from psycopg.sql import SQL, Identifier, Literal

LEASES: Final = (
    (Identifier("notifier", "delivery"), Identifier("due_at"), Literal("sending")),
    (Identifier("invoicer", "document"), Identifier("not_before"), Literal("rendering")),
)


def let_leases_run_out(superuser: psycopg.Connection) -> None:
    """End every lease. A process that lives records what it holds before it claims anything."""
    for table, column, state in LEASES:
        query = SQL("UPDATE {} SET {} = now() WHERE state = {}")
        superuser.execute(query.format(table, column, state))
