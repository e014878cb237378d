"""Which tests run here: by folder, by the handbook's data, by the programs on the PATH.

What cannot run here is deselected, and the reason is printed in words; nothing is ever skipped.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.collector import Collector

ROOT = Path(__file__).resolve().parent.parent
HANDBOOK_DATA = ROOT.parent / "shared" / "data"
MARKED_FOLDERS = ("integration", "e2e")

# A slow machine is no failure; a failing example is printed so that it can be pasted back.
hypothesis.settings.register_profile("colophon", deadline=None, print_blob=True)
hypothesis.settings.load_profile("colophon")

_TOLD = "deselected"
_deselected = pytest.StashKey[Counter[str]]()


@pytest.fixture(scope="session")
def handbook_data() -> Path:
    """The folder with the sample job files and bank statements that stands beside the project."""
    return HANDBOOK_DATA


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Collector]":
    """A collector of traces; processes that are started after it export to it."""
    from tests.collector import Collector  # noqa: PLC0415 -- few tests need its packages

    with Collector().listening() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture(scope="session")
def debian_postgres() -> Path:
    """The folder of the programs of a PostgreSQL of Debian's, which speaks TLS; needs `tools`."""
    server = find("postgres")
    assert server
    return Path(server).resolve().parent


def find(program: str) -> str | None:
    """Where a program is: on the PATH, or where Debian keeps PostgreSQL's, the newest first."""
    folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(folders))


def why_not_here(item: pytest.Item, *, handbook: Path) -> str | None:
    """Why a test cannot run on this machine, as half a sentence, or None where it can."""
    if item.get_closest_marker("handbook") and not handbook.is_dir():
        return "marked `handbook`: there is no ../shared/data beside the project"
    wanted = {str(name) for mark in item.iter_markers("tools") for name in mark.args}
    missing = sorted(name for name in wanted if find(name) is None)
    if missing:
        return f"marked `tools`: not on the PATH: {', '.join(missing)}"
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folder and deselect those that cannot run here."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    reasons: Counter[str] = Counter()
    for item in items:
        for folder in MARKED_FOLDERS:
            if (ROOT / "tests" / folder) in item.path.parents:
                item.add_marker(folder)
        item.add_marker(pytest.mark.xdist_group(str(item.path)))  # its tests may share data
        reason = why_not_here(item, handbook=HANDBOOK_DATA)
        if reason is None:
            kept.append(item)
        else:
            left_out.append(item)
            reasons[reason] += 1
    config.stash[_deselected] = reasons
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Of several processes, each that ran tests tells the one that reports."""
    reasons: Counter[str] = session.config.stash.get(_deselected, Counter())
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told[_TOLD] = dict(reasons)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 -- pytest-xdist's own class
    """Keep what one of them tells: each has collected every test."""
    told: Counter[str] = Counter(getattr(node, "workeroutput", {}).get(_TOLD, {}))
    node.config.stash[_deselected] = told


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # noqa: ANN401 -- not public
    """Say in words what was deselected, and why."""
    for why, count in sorted(config.stash.get(_deselected, Counter()).items()):
        terminalreporter.write_line(f"deselected ({count}) {why}")
