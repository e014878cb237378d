"""What is fetched from Maven Central once per user: its coordinate, its sum, its place."""

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from shared.local.errors import LocalStackError


@dataclass(frozen=True, order=True)
class Download:
    """One file: `group:artifact:version[:classifier:packaging]`, and the SHA-256 of it, in hex."""

    coordinate: str
    sha256: str

    @property
    def parts(self) -> tuple[str, str, str, str, str]:
        """Group, artifact, version, classifier (or nothing) and packaging (jar, if not said)."""
        group, artifact, version, *rest = self.coordinate.split(":")
        classifier, packaging = rest or ("", "jar")
        return group, artifact, version, classifier, packaging

    @property
    def filename(self) -> str:
        """`<artifact>-<version>[-<classifier>].<packaging>`, as Maven names it."""
        _group, artifact, version, classifier, packaging = self.parts
        return f"{'-'.join(filter(None, (artifact, version, classifier)))}.{packaging}"


@dataclass(frozen=True)
class Product:
    """A server that is fetched: the name of its folder, its size, and how to do without it."""

    name: str
    megabytes: int
    instead: str

    @property
    def folder(self) -> Path:
        """Where it is kept for this user; XDG_CACHE_HOME moves it."""
        return platformdirs.user_cache_path("colophon") / self.name

    def cannot_be_kept(self, error: OSError) -> LocalStackError:
        """What to say where it cannot be stored."""
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            needed = f"what is fetched for {self.name} needs {self.megabytes} MB in {self.folder}"
            return LocalStackError(f"The disk is full: {needed}.")
        return LocalStackError(
            f"What is fetched for {self.name} cannot be kept in {self.folder} ({error.strerror}): "
            "set XDG_CACHE_HOME to a folder of yours."
        )


def sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
