"""`colophon topics`: topics in Kafka against the map."""

import json
from typing import Annotated

import typer

from shared.cli.servers import servers

app = typer.Typer(help="Topics in Kafka against the map.", no_args_is_help=True)


@app.command("plan")
def plan(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what is missing and what differs; exit 1 when anything does."""
    from shared import topics

    found = topics.plan(servers())
    if as_json:
        missing = [topic.name for topic in found.missing]
        typer.echo(json.dumps({"missing": missing, "drift": list(found.drift)}))
    else:
        for topic in found.missing:
            typer.echo(f"missing: {topic.name} ({topic.partitions} partitions)")
        for difference in found.drift:
            typer.echo(f"differs: {difference}")
        if not found.missing and not found.drift:
            typer.echo("Kafka is as the map says.")
    raise typer.Exit(1 if found.missing or found.drift else 0)


@app.command("apply")
def apply() -> None:
    """Create missing topics, register schemas where there is a registry; never delete."""
    from shared import topics

    settings = servers()
    found = topics.plan(settings)
    topics.apply(settings, found)
    typer.echo(f"created {len(found.missing)} topics")
    for name, number in topics.register_schemas(settings):
        typer.echo(f"registered {name} as {number}")
    for difference in found.drift:
        typer.echo(f"differs: {difference}")
    raise typer.Exit(1 if found.drift else 0)
