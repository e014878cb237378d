"""`colophon topics`: topics and rights in Kafka, schemas in the registry, against the map."""

import json
from typing import Annotated

import typer

from shared.cli.servers import servers

app = typer.Typer(
    help="Topics, their rights and their schemas against the map.", no_args_is_help=True
)


@app.command("plan")
def plan(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what is missing and what differs; exit 1 when anything does."""
    from shared import topics

    found = topics.plan(servers())
    if as_json:
        missing = [topic.name for topic in found.missing]
        rights = [str(right) for right in found.rights]
        schemas = [schema.name for schema in found.unregistered]
        known = {"missing": missing, "rights": rights, "unregistered": schemas}
        typer.echo(json.dumps(known | {"drift": list(found.drift)}))
    else:
        for topic in found.missing:
            typer.echo(f"missing: {topic.name} ({topic.partitions} partitions)")
        for right in found.rights:
            typer.echo(f"missing: {right}")
        for schema in found.unregistered:
            typer.echo(f"missing: {schema.name} in the schema registry")
        for difference in found.drift:
            typer.echo(f"differs: {difference}")
        if found.is_met:
            typer.echo("All is as the map says.")
    raise typer.Exit(0 if found.is_met else 1)


@app.command("apply")
def apply() -> None:
    """Create missing topics, grant missing rights, set passwords, register schemas; never delete.

    Rights where the broker has an authorizer, passwords where users have them, schemas where there
    is a registry.
    """
    from shared import topics

    settings = servers()
    found = topics.plan(settings)
    topics.apply(settings, found)
    typer.echo(f"created {len(found.missing)} topics")
    if found.rights:
        typer.echo(f"granted {len(found.rights)} rights")
    if count := topics.set_passwords(settings):
        typer.echo(f"set the passwords of {count} users")
    for schema in found.unregistered:
        typer.echo(f"registered {schema.name}")
    for difference in found.drift:
        typer.echo(f"differs: {difference}")
    raise typer.Exit(1 if found.drift else 0)
