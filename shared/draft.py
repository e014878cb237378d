"""Drafts the next migration: what `store.py` asks for and a migrated database does not have yet.

`python -m shared.draft SERVICE 'Why this changes.'` (or `runtime`) works in a scratch database of
the server that `COLOPHON_DATABASE_URL` names; read what it wrote before you commit it.
"""

import sys
from pathlib import Path
from textwrap import dedent, indent
from typing import Final, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from sqlalchemy import MetaData

from shared.migrate import RUNTIME_VERSIONS, bring_up, comparing, inspecting, versions_of
from shared.runtime.service import ServiceSpec, load_service
from shared.runtime.tables import METADATA as RUNTIME
from shared.settings import Settings, read_settings
from shared.store import Json, Store
from shared.testing import scratch_database

_PLAIN: Final = ServiceSpec(name="reporter", metadata=MetaData(), store=Store, handlers={})
"""A service with nothing of its own: to look at the runtime's tables alone."""


def draft(settings: Settings, name: str, why: str) -> Path | None:
    """Write the next migration of `name` (a service, or "runtime"); None when nothing differs."""
    is_runtime = name == "runtime"
    metadata = RUNTIME if is_runtime else load_service(name).metadata
    folder = RUNTIME_VERSIONS if is_runtime else versions_of(name)
    with inspecting(settings, _PLAIN.name if is_runtime else name) as connection:
        context = comparing(connection, "service_version", only=metadata)
        script = produce_migrations(context, metadata)
        if script.upgrade_ops is None or script.upgrade_ops.is_empty():
            return None
        body = render_python_code(
            script.upgrade_ops, render_item=_render, migration_context=context
        )
    lines = [line for line in body.splitlines() if "# ###" not in line]
    body = indent(dedent("\n".join(lines)), "    ")
    number = len(list((folder / "versions").glob("[0-9]*.py"))) + 1
    target = folder / "versions" / f"{number:04d}.py"
    target.parent.mkdir(parents=True, exist_ok=True)
    before = f'"{number - 1:04d}"' if number > 1 else "None"
    target.write_text(_TEMPLATE.format(why=why, number=number, before=before, body=body))
    return target


_TEMPLATE = '''"""{why}"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "{number:04d}"
down_revision = {before}


def upgrade() -> None:
    """Go forward; there is no way back but a restored backup."""
{body}
'''


def _render(kind: str, thing: object, context: object) -> str | Literal[False]:
    del context
    return "postgresql.JSONB()" if kind == "type" and isinstance(thing, Json) else False


if __name__ == "__main__":
    match sys.argv[1:]:
        case [service, reason]:
            with scratch_database(read_settings()) as scratch:
                bring_up(scratch, [_PLAIN if service == "runtime" else load_service(service)])
                sys.stdout.write(f"{draft(scratch, service, reason)}\n")
        case _:
            sys.exit("usage: python -m shared.draft SERVICE|runtime 'Why this changes.'")
