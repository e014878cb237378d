"""Imports: each contract of pyproject.toml can fail, and no module needs another imported first."""

import subprocess
import sys
import tomllib
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
}


def broken_contracts(folder: Path, *breach: tuple[str, str]) -> list[str]:
    """The names of the contracts that the toy system breaks once these imports are added to it."""
    for path, source in TOY.items():
        module = folder / path
        module.parent.mkdir(parents=True, exist_ok=True)
        extra = "".join(f"{line}\n" for where, line in breach if where == path)
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
    assert f"{len(CONTRACTS)} kept" in run.stdout or run.returncode == 1, run.stdout + run.stderr
    return [name for name in CONTRACTS if f"{name} BROKEN" in run.stdout]


def test_the_toy_system_keeps_every_contract(tmp_path: Path) -> None:
    assert broken_contracts(tmp_path) == []


@pytest.mark.parametrize(("module", "line", "contract"), BREACHES, ids=lambda one: one)
def test_a_breach_breaks_its_contract(
    tmp_path: Path, module: str, line: str, contract: str
) -> None:
    broken = broken_contracts(tmp_path, (module, line))
    assert [name for name in broken if name.startswith(contract)] != []


def test_every_contract_has_a_breach() -> None:
    breached = tuple({contract for _, _, contract in BREACHES})
    assert [name for name in CONTRACTS if not name.startswith(breached)] == []


# Forks once per module from an interpreter that has the libraries and none of our modules.
IMPORT_EACH = """
import os, sys, traceback
import alembic, confluent_kafka, fastavro, lxml.etree, pydantic, pydantic_settings, sqlalchemy
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            __import__(name)
        except BaseException as error:
            os.write(1, f"{name}: {error!r}\\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
"""


def import_failures(folder: Path, modules: list[str]) -> list[str]:
    """The modules that cannot be the first to be imported, each with its error."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_EACH, *modules],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


def test_every_module_can_be_imported_first() -> None:
    files = [file for top in ("services", "shared") for file in (ROOT / top).rglob("*.py")]
    paths = [file.relative_to(ROOT) for file in files if "migrations" not in file.parts]
    modules = [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__main__"]
    assert import_failures(ROOT, sorted(name.removesuffix(".__init__") for name in modules)) == []


def test_a_circular_import_is_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import two\nvalue = two.value\n", "utf-8")
    (tmp_path / "two.py").write_text("import one\nvalue = 2\n", "utf-8")
    (tmp_path / "four.py").write_text("from three import value\n", "utf-8")
    (tmp_path / "three.py").write_text("from four import value\n", "utf-8")
    assert [line.split(":")[0] for line in import_failures(tmp_path, ["one", "three"])] == ["three"]
