"""The house rules that no linter knows: sizes, rooms, one place for topic names, nothing left over.

Each rule is a function from a source to what is wrong with it, so that it can be shown to fail.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.topology import TOPICS, Service, built

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400

# More than the limit needs its reason here: a path, or path::function, and why it stays whole.
EXCEPTIONS: dict[str, str] = {
    "shared/topology.py": "the map is one file, so that all topics can be read in one place",
}

# A migration is a list of tables, written once and never edited: its functions may be long.
MIGRATIONS = "/migrations/versions/"

CONSUMER_ROOMS = ("domain", "handler", "store", "main")
CODE = ("services", "shared", "schemas", "tests")
TEXT = (".cfg", ".ini", ".json", ".lock", ".md", ".py", ".sql", ".toml", ".txt", ".yaml", ".yml")

LEFT_FOR_LATER = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X]|NotImplementedErro[r])\b|pragma: no cove[r]")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(work|farm|root|home|Users|tmp)/(?!colophon)\w")
LINT_EXCEPTION = re.compile(r"#\s*(?:ruff:\s*)?noqa\b(?P<rest>.*)")
LINT_REASON = re.compile(r":\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*\s+(?:--? |# )\s*\w+")
WEAK_TEST = re.compile(
    r"\btime\.sleep\(|\bpytest\.skip\(|\bmark\.(?:skip|skipif|xfail)\b|^\s*assert\s+True$",
    re.MULTILINE,
)
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def topic_name_pattern() -> re.Pattern[str]:
    """Matches whatever looks like a topic of a domain that is on the map."""
    domains = sorted({topic.name.split(".")[0] for topic in TOPICS})
    return re.compile(rf"\b(?:{'|'.join(domains)})\.[a-z-]+\.v\d+\b")


# ---------------------------------------------------------------- the rules


def long_parts(source: str, path: str) -> Iterator[str]:
    """Functions and modules over their limit that have no reason above."""
    lines = len(source.splitlines())
    if lines > MODULE_LINES_MAX and path not in EXCEPTIONS:
        yield f"{path}: {lines} lines, at most {MODULE_LINES_MAX}"
    if MIGRATIONS in path:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX and f"{path}::{node.name}" not in EXCEPTIONS:
                yield f"{path}::{node.name}: {lines} lines, at most {FUNCTION_LINES_MAX}"


def left_for_later(source: str, path: str) -> Iterator[str]:
    """Work that the code says is still to be done."""
    return _hits(LEFT_FOR_LATER, source, path)


def topic_names(source: str, path: str) -> Iterator[str]:
    """Topic names outside the map."""
    return _hits(topic_name_pattern(), source, path)


def machine_paths(source: str, path: str) -> Iterator[str]:
    """Paths of the machine on which somebody wrote this."""
    return _hits(MACHINE_PATH, source, path)


def lint_exceptions_without_reason(source: str, path: str) -> Iterator[str]:
    """Lint exceptions that name no rule or give no reason: `# noqa: S608 - why`."""
    for number, line in enumerate(source.splitlines(), 1):
        found = LINT_EXCEPTION.search(line)
        if found and not LINT_REASON.match(found["rest"]):
            yield f"{path}:{number} {found[0]}"


def weak_tests(source: str, path: str) -> Iterator[str]:
    """Tests that sleep, skip or cannot fail."""
    return _hits(WEAK_TEST, source, path)


def module_state(source: str, path: str) -> Iterator[str]:
    """Containers that a module keeps under a lower-case name, hence means to change."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, MUTABLE):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for name in (target.id for target in targets if isinstance(target, ast.Name)):
            if not name.startswith("__") and name != name.upper():
                yield f"{path}:{node.lineno} {name}"


def missing_rooms(service: Service, folder: Path) -> Iterator[str]:
    """Rooms that a service on the map lacks; a consumer has all, a tool its README and package."""
    if not (folder / "README.md").is_file():
        yield f"{service.name}: README.md"
    if not (folder / "__init__.py").is_file():
        yield f"{service.name}: __init__.py"
    for room in CONSUMER_ROOMS if service.port is not None else ():
        if not (folder / f"{room}.py").is_file() and not (folder / room / "__init__.py").is_file():
            yield f"{service.name}: {room}.py"


def _hits(pattern: re.Pattern[str], source: str, path: str) -> Iterator[str]:
    for number, line in enumerate(source.splitlines(), 1):
        if found := pattern.search(line):
            yield f"{path}:{number} {found[0].strip()}"


# ---------------------------------------------------------------- the rules hold here

Rule = Callable[[str, str], Iterator[str]]


def python_files(*folders: str) -> list[Path]:
    """The Python files below these folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def project_texts() -> list[Path]:
    """The text files of the project: its code, its deployment, what lies at its top."""
    below = [path for folder in (*CODE, "deploy", ".ci") for path in (ROOT / folder).rglob("*")]
    texts = [path for path in (*below, *ROOT.glob("*")) if path.suffix in TEXT and path.is_file()]
    return [*texts, ROOT / "Makefile", ROOT / ".ci" / "run"]


def broken(rule: Rule, files: list[Path]) -> list[str]:
    """What a rule finds in these files."""
    named = ((file.read_text("utf-8"), file.relative_to(ROOT).as_posix()) for file in files)
    return [finding for source, path in named for finding in rule(source, path)]


@pytest.mark.parametrize("rule", [long_parts, left_for_later, lint_exceptions_without_reason])
def test_code_is_tidy(rule: Rule) -> None:
    assert broken(rule, python_files(*CODE)) == []


def test_modules_keep_no_state() -> None:
    assert broken(module_state, python_files("services", "shared")) == []


def test_topic_names_stand_on_the_map_alone() -> None:
    files = python_files("services", "shared")
    assert (
        broken(topic_names, [file for file in files if file != ROOT / "shared/topology.py"]) == []
    )


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert broken(machine_paths, project_texts()) == []


def test_tests_neither_sleep_nor_skip() -> None:
    assert broken(weak_tests, python_files("tests")) == []


def test_every_exception_to_a_size_is_still_needed() -> None:
    paths = [ROOT / name.partition("::")[0] for name in EXCEPTIONS]
    assert [path.name for path in paths if not path.is_file()] == []
    assert all(EXCEPTIONS.values())


@pytest.mark.parametrize("service", built(), ids=lambda one: one.name)
def test_every_service_has_its_rooms(service: Service) -> None:
    assert list(missing_rooms(service, ROOT / "services" / service.name)) == []


def test_every_folder_of_services_is_on_the_map() -> None:
    folders = {
        path.name for path in (ROOT / "services").iterdir() if (path / "__init__.py").exists()
    }
    assert folders <= {service.name for service in built()}


# ---------------------------------------------------------------- and each rule can fail
# A tilde stands inside what is forbidden, so that this file does not break the rules it tests.


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        (long_parts, "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
        (long_parts, "x = 1\n" * (MODULE_LINES_MAX + 1)),
        (left_for_later, "x = 1  # TO~DO: later"),
        (left_for_later, "raise NotImplemented~Error"),
        (left_for_later, "if x:  # pragma: no ~cover"),
        (topic_names, 'TOPIC = "billing.invoice-issued.v1"'),
        (topic_names, '"""Reads production.job-completed.v12."""'),
        (machine_paths, 'PATH = "/home~/someone/checkout"'),
        (machine_paths, "see /tmp~/log"),
        (lint_exceptions_without_reason, "x = 1  # no~qa"),
        (lint_exceptions_without_reason, "x = 1  # no~qa: S608"),
        (lint_exceptions_without_reason, "# ruff: no~qa: S608"),
        (weak_tests, "time.~sleep(1)"),
        (weak_tests, "@pytest.mark.~skipif(True)"),
        (weak_tests, "    assert ~True"),
        (module_state, "seen = {}"),
        (module_state, "cache: dict[str, int] = {}"),
        (module_state, "_rows = [n for n in range(3)]"),
    ],
)
def test_each_rule_finds_what_it_forbids(rule: Rule, bad: str) -> None:
    assert list(rule(bad.replace("~", ""), "shared/sample.py")) != []


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        (long_parts, "def f():\n" + "    x = 1\n" * (FUNCTION_LINES_MAX - 1)),
        (topic_names, "from shared.topology import INVOICE_ISSUED"),
        (machine_paths, "https://example.org/work~/1 and ./tmp~/x and /var/lib/colophon"),
        (lint_exceptions_without_reason, "x = 1  # no~qa: S608, S101 - names come from our tables"),
        (weak_tests, "assert True ~in seen"),
        (module_state, "NAMES = {}\n__all__ = ['a']\nlimit = 3"),
    ],
)
def test_each_rule_lets_good_code_pass(rule: Rule, good: str) -> None:
    assert list(rule(good.replace("~", ""), "shared/sample.py")) == []


def test_missing_rooms_are_found(tmp_path: Path) -> None:
    # Given a service with a port and a tool without one, both folders empty
    service = Service(name="pricer", job="prices", port=9999)
    tool = Service(name="ingest", job="files in")
    # Then the service lacks every room, the tool its README and its package
    assert len(list(missing_rooms(service, tmp_path))) == len(CONSUMER_ROOMS) + 2
    assert len(list(missing_rooms(tool, tmp_path))) == 2
    # When a room is a folder of the same name, it is there
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "__init__.py").touch()
    assert "pricer: domain.py" not in list(missing_rooms(service, tmp_path))
