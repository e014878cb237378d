"""Imports: each contract of pyproject.toml can fail, and no module needs another imported first."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
CONTRACTS = [one["name"] for one in tomllib.loads(PYPROJECT)["tool"]["importlinter"]["contracts"]]

# A module of the toy system, the import written into it, and the contract that this must break.
BREACHES = [
    ("services/pricer/main.py", "import services.invoicer.main", "Services are independent"),
    ("shared/money.py", "import services.pricer.main", "shared never imports services"),
    ("services/pricer/store.py", "import services.pricer.handler", "Rooms are layered"),
    ("services/pricer/domain.py", "import services.pricer.store", "Rooms are layered"),
    ("services/pricer/handler.py", "import services.pricer.main", "Rooms are layered"),
    ("services/pricer/domain.py", "import sqlalchemy", "Domain rules reach no I/O"),
    ("shared/money.py", "import psycopg", "Domain rules reach no I/O"),
    ("services/pricer/domain.py", "import random", "Domain rules import no clock"),
    ("services/pricer/handler.py", "import sqlalchemy", "Handlers return events"),
    ("services/pricer/handler.py", "import shared.local", "Services run without"),
]
TOY = {
    "services/pricer/domain.py": "import shared.money\n",
    "services/pricer/handler.py": "import services.pricer.domain\n",
    "services/pricer/store.py": "import services.pricer.domain\nimport sqlalchemy\n",
    "services/pricer/main.py": "import services.pricer.handler\nimport services.pricer.store\n",
    "services/invoicer/main.py": "",
    "shared/money.py": "",
    "shared/local/__init__.py": "",
    "shared/testing/__init__.py": "",
}


def told(folder: Path, breaches: Collection[tuple[str, str, str]]) -> Mapping[str, str]:
    """What import-linter says of each contract that the toy system breaks with these breaches."""
    for path, source in TOY.items():
        module = folder / path
        module.parent.mkdir(parents=True, exist_ok=True)
        extra = "".join(f"{line}\n" for where, line, _ in breaches if where == path)
        module.write_text(source + extra, "utf-8")
        for package in (module.parent, folder / path.split("/")[0]):
            (package / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(PYPROJECT, "utf-8")
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    kept = len(CONTRACTS) - run.stdout.count(" BROKEN\n")
    assert f"{kept} kept" in run.stdout, run.stdout + run.stderr
    parts = re.split(r"^(.+)\n-+\n", run.stdout, flags=re.MULTILINE)
    return {n: text for n, text in zip(parts[1::2], parts[2::2], strict=True) if n in CONTRACTS}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What is told of the toy system with all breaches at once."""
    return told(tmp_path_factory.mktemp("toy"), BREACHES)


def test_the_toy_system_keeps_every_contract(tmp_path: Path) -> None:
    assert told(tmp_path, ()) == {}


@pytest.mark.parametrize(("module", "line", "contract"), BREACHES, ids=lambda one: one)
def test_a_breach_breaks_its_contract(
    broken: Mapping[str, str], module: str, line: str, contract: str
) -> None:
    """The contract names the very import that breaks it."""
    (text,) = [text for name, text in broken.items() if name.startswith(contract)]
    importer = module.removesuffix(".py").replace("/", ".")
    assert f"{importer} -> {line.removeprefix('import ')} (l." in text


def test_every_contract_has_a_breach() -> None:
    breached = tuple({contract for _, _, contract in BREACHES})
    assert [name for name in CONTRACTS if not name.startswith(breached)] == []


def module_name(path: Path) -> str:
    """The dotted name of a source file: `shared/codec/__init__.py` is `shared.codec`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.Module) -> Iterator[str]:
    """What a module imports while it is being imported itself: nothing inside its functions."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending.extend(ast.iter_child_nodes(node))


def import_cycle(sources: Mapping[str, str]) -> list[str]:
    """A circle of modules that import one another, or nothing.

    Whoever imports `a.b` imports `a` too, unless he stands in `a` himself.
    """
    edges = {name: set(_needed(name, source, sources)) for name, source in sources.items()}
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _needed(name: str, source: str, known: Collection[str]) -> Iterator[str]:
    for target in imported(ast.parse(source)):
        parts = target.split(".")
        chain = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
        modules = [module for module in chain if module in known]
        yield from modules[-1:]
        yield from (package for package in modules[:-1] if not f"{name}.".startswith(f"{package}."))


def test_no_module_needs_another_imported_first() -> None:
    files = [file for top in ("services", "shared") for file in (ROOT / top).rglob("*.py")]
    sources = {module_name(file.relative_to(ROOT)): file.read_text("utf-8") for file in files}
    assert import_cycle(sources) == []


def test_a_circle_through_a_package_is_found() -> None:
    # Given a package whose front room imports a module that imports from its back room
    sources = {
        "shared": "",
        "shared.schemas": "from shared.codec.wire import Avro",
        "shared.codec": "from shared.codec.front import Codec",
        "shared.codec.front": "from shared.schemas import newest",
        "shared.codec.wire": "",
    }
    # Then there is a circle; once the import waits inside a function, there is none
    assert set(import_cycle(sources)) == {"shared.schemas", "shared.codec", "shared.codec.front"}
    sources["shared.schemas"] = "def load():\n    from shared.codec.wire import Avro"
    assert import_cycle(sources) == []
