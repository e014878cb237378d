"""`colophon status` and `colophon verify`: what is under way, and whether the books are sound."""

import importlib
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import OperationalError

from services.auditor import render
from services.auditor.domain.status import Status, assess, has_moved
from services.auditor.gateway.offsets import read_ends
from services.auditor.store import progress
from shared import db
from shared.clock import clock_from, system_now
from shared.errors import Transient
from shared.settings import Settings
from shared.topology import SERVICE, consumed_by, consumers

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def status_command(*, as_json: Json = False) -> None:
    """Show lag, waiting, parked, dead letters, outbox and ledger balance; exit 1 if that is off."""
    found = status(_servers())
    if as_json:
        typer.echo(render.status_json(found))
    else:
        render.print_status(found, Console())
    raise typer.Exit(1 if found.imbalances else 0)


def status(settings: Settings) -> Status:
    """How far the pipeline is. Raises `Transient` when broker or database do not answer.

    The tables are read before and after Kafka is asked, so that "settled" is never said while a
    record is between two services.
    """
    names = [service.name for service in consumers()]
    topics = {name: [topic.name for topic in consumed_by(name)] for name in names}
    times = {"now": clock_from(settings.clock_file).now(), "system_now": system_now()}
    engine = db.engine(settings, SERVICE["auditor"].role, pool_size=1)
    try:
        with engine.connect() as connection:
            present = progress.present_tables(connection, names)
            before = progress.read_tables(connection, present, names, **times)
            connection.rollback()
            ends = read_ends(settings, names, sorted({t for each in topics.values() for t in each}))
            after = progress.read_tables(connection, present, names, **times)
            imbalances = progress.imbalances(connection, present)
    except OperationalError as error:
        raise Transient("database", f"the database does not answer: {error.orig}") from error
    finally:
        engine.dispose()
    services = (
        assess(name, topics[name], before.get(name), after.get(name), ends) for name in names
    )
    return Status(tuple(services), imbalances, moved=has_moved(before, after))


def _servers() -> Settings:
    """Those of the environment, else the running local stack, which no service may import."""
    found: Settings = importlib.import_module("shared.cli.servers").servers()
    return found
