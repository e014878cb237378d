"""The local schema registry: fetched once, unpacked safely, its ids kept, stopped for good."""

import io
import os
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from shared.codec.registry import HttpRegistry
from shared.local import maven, registry
from shared.local.downloads import Download
from shared.local.errors import LocalStackError
from shared.local.locks import try_lock
from shared.local.registry import ARCHIVE, PRODUCT, Registry, installed, unpack
from shared.schemas import newest
from shared.topology import TOPICS


def ignore(_text: str) -> None:
    pass


def test_ids_outlive_a_stop(tmp_path: Path) -> None:
    """Given ids that were given out, when it starts anew, then they mean what they meant."""
    started, schema = Registry(tmp_path), newest(TOPICS[0].name)
    try:
        url = started.start()
        number = HttpRegistry(url).register(schema)
        started.stop()
        assert started.has_data()
        assert started.start() == url
        assert HttpRegistry(url).plain_schema(number) is schema.plain
    finally:
        started.stop()
    lock = try_lock(tmp_path / "registry" / "lock")
    assert lock is not None, "a process of it still runs"
    os.close(lock)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and the file that comes from Maven Central."""
    served = tmp_path / "served"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(maven, "_download", lambda _artifact, _product: served)
    return served


def test_it_is_fetched_and_unpacked_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an empty cache, then it is fetched, unpacked whole, and nothing else stays."""
    content, said = packed(("app/one.jar", tarfile.REGTYPE)), list[str]()
    fresh.write_bytes(content)
    locked = Download(ARCHIVE.coordinate, sha256(content).hexdigest())
    monkeypatch.setattr(registry, "ARCHIVE", locked)
    folder = installed(said.append)
    assert (folder / "app" / "one.jar").read_bytes() == b"content"
    assert list(PRODUCT.folder.iterdir()) == [folder]
    assert installed(said.append) == folder
    assert len(said) == 1


def test_what_has_another_sum_is_not_unpacked(fresh: Path) -> None:
    fresh.write_bytes(packed(("app/one.jar", tarfile.REGTYPE)))
    with pytest.raises(LocalStackError, match="not used"):
        installed(ignore)
    assert list(PRODUCT.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../outside", tarfile.REGTYPE),
        ("/outside", tarfile.REGTYPE),
        ("lib/../../outside", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE),
        ("pipe", tarfile.FIFOTYPE),
    ],
)
def test_nothing_is_written_elsewhere(tmp_path: Path, name: str, kind: bytes) -> None:
    archive = tmp_path / "archive.tar.gz"
    archive.write_bytes(packed((name, kind)))
    with pytest.raises(LocalStackError, match="not unpacked"):
        unpack(archive, tmp_path / "inside")
    assert list(tmp_path.iterdir()) == [archive]


def packed(*members: tuple[str, bytes]) -> bytes:
    """An archive of members by name and kind; files hold `content`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = len(b"content") if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"content"))
    return buffer.getvalue()
