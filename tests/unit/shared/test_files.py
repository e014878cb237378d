"""Files written whole or not at all."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.files import put_whole


def test_a_file_is_whole_alone_and_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    target = tmp_path / "C-1" / "DE01" / "R-1.pdf"
    before = os.umask(0o027)
    try:
        put_whole(tmp_path, target, b"one")
        put_whole(tmp_path, target, b"two")
    finally:
        os.umask(before)
    assert target.read_bytes() == b"two"
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(target.parent.iterdir()) == [target]


def test_a_full_disk_leaves_what_stood_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "R-1.pdf"
    put_whole(tmp_path, target, b"one")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        put_whole(tmp_path, target, b"two")
    assert target.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [target]


def test_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    target, contents = tmp_path / "R-1.pdf", [bytes([n]) * 100_000 for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: put_whole(tmp_path, target, content), contents))
    assert target.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [target]


def test_every_folder_on_the_way_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync

    def noted(number: int) -> None:
        synced.append(os.fstat(number).st_ino)
        real(number)

    monkeypatch.setattr(os, "fsync", noted)
    put_whole(tmp_path, tmp_path / "a" / "b" / "file", b"one")
    way = (tmp_path / "a" / "b" / "file", tmp_path / "a" / "b", tmp_path / "a", tmp_path)
    assert synced == [each.stat().st_ino for each in way]
