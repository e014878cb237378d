"""What a runbook tells somebody at night to type or to look for must exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from shared.cli.app import app
from shared.cli.servers import servers
from shared.generate import DASHBOARDS
from shared.runtime.service import load_service
from shared.runtime.tables import METADATA
from shared.tools import Tool, tool
from shared.topology import consumers
from tests.contract.promql import words_of_the_code
from tests.contract.shipped import alerts, panels

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = sorted((ROOT / "deploy" / "runbooks").glob("*.md"))
HEADINGS = [
    "What it means",
    "Who is hurt",
    "How to look",
    "How to mend",
    "How to know that it is over",
]
# What stands for a value in a command, and one that the command line takes in its place.
PLACEHOLDERS = {"ID": "018f2f6e-0000-5000-8000-000000000000", "SERVICE": "pricer", "FILE": "a.jdf"}
# These verbs hand their arguments on to a tool's own command.
PASSED_ON: dict[str, tuple[Tool, str]] = {
    "status": ("auditor", "status_command"),
    "verify": ("auditor", "verify_command"),
    "ingest": ("ingest", "command"),
}
SQL_FUNCTIONS = {"convert_from", "length", "now"}
each = pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda file: file.stem)


def commands(text: str) -> list[str]:
    """The lines of code, and what stands in the text as code."""
    blocks = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return blocks + re.findall(r"`([^`\n]+)`", text)


def parse(line: str) -> None:
    """Parse a line as the command line would, and run nothing; raises what it would say."""
    words = [PLACEHOLDERS.get(word, word) for word in shlex.split(line)][1:]
    command = get_command(app)
    while isinstance(command, TyperGroup):
        verb = words.pop(0)
        if verb not in command.commands:
            raise typer.BadParameter(f"no command {verb}")
        command = command.commands[verb]
        if verb in PASSED_ON:
            own = typer.Typer(add_completion=False)
            room, name = PASSED_ON[verb]
            own.command()(getattr(tool(room), name)(servers))
            command = get_command(own)
    command.make_context(line, words)


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert {file.stem for file in RUNBOOKS} == {rule["alert"] for rule in alerts()}


@each
def test_a_runbook_answers_the_five_questions(runbook: Path) -> None:
    text = runbook.read_text("utf-8")
    assert text.startswith(f"# {runbook.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    looks = text.partition("## How to look")[2].partition("## How to mend")[0]
    assert [line for line in looks.splitlines() if line.startswith("    ")]


@each
def test_the_commands_of_a_runbook_are_commands(runbook: Path) -> None:
    lines = [one for one in commands(runbook.read_text("utf-8")) if one.startswith("colophon ")]
    assert lines
    for line in lines:
        parse(line)


@pytest.mark.parametrize(
    "line",
    ["colophon dlq lost", "colophon dlq list --age 1d", "colophon status --all", "colophon x"],
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"no command|No such option") as found:
        parse(line)
    assert isinstance(found.value, typer.BadParameter.__mro__[1])  # wrong use, as users see it


@each
def test_what_a_runbook_reads_and_changes_by_sql_exists(runbook: Path) -> None:
    for statement in re.findall(r'psql .* -c "(.+)"', runbook.read_text("utf-8")):
        table = re.search(r"(?:FROM|UPDATE) (\w+)(?:\.(\w+))?", statement)
        assert table
        if table[1] == "pg_stat_activity":
            continue
        metadata = METADATA if table[1] == "SERVICE" else load_service(table[1]).metadata
        columns = {column.name for column in metadata.tables[table[2]].columns}
        words = set(re.findall(r"\b[a-z_]+\b", re.sub(r"'[^']*'", "", statement)))
        assert words <= columns | SQL_FUNCTIONS | {table[1], table[2]}, statement


@each
def test_what_a_runbook_tells_to_look_for_is_there(runbook: Path) -> None:
    """Alerts, log lines, panels and dashboards, by the names that they have."""
    text = runbook.read_text("utf-8")
    assert set(re.findall(r"\bColophon[A-Z]\w+", text)) <= {rule["alert"] for rule in alerts()}
    logged = {one for one in commands(text) if re.fullmatch(r"[a-z]+(?: [a-z]+)+", one)}
    logged = {one for one in logged if not one.startswith(("colophon ", "docker ", "promtool "))}
    assert logged <= words_of_the_code()
    shown = re.findall(r"(?<![*\w])\*([^*\n]+)\*", text)
    assert [one for one in shown if not any(title.startswith(one) for title in titles())] == []


def titles() -> set[str]:
    """Titles of dashboards and panels, legends, headings of the services' READMEs."""
    texts = [file.read_text("utf-8") for file in DASHBOARDS.iterdir()]
    found = {title for text in texts for title in re.findall(r'"title": "([^"]+)"', text)}
    found |= {target["legendFormat"] for _, panel in panels() for target in panel["targets"]}
    for service in consumers():
        readme = (ROOT / "services" / service.name / "README.md").read_text("utf-8")
        found |= set(re.findall(r"^## (.+)$", readme, re.MULTILINE))
    return found
