"""Fetches from Maven Central through jgo; loaded only when something or the lock is missing."""

import logging
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from jgo.maven import Artifact, MavenContext

from shared.local.downloads import Download, Product, sha256
from shared.local.errors import LocalStackError

FETCH_THREADS = 6
FETCH_ATTEMPTS = 3
FETCH_TIMEOUT_SECONDS = 20


def fetch(wanted: Iterable[Download], folder: Path, product: Product) -> None:
    """Fetch beside the folder, check, then move into it: no reader ever sees half a file.

    Raises:
        LocalStackError: One cannot be fetched, or what came has another sum than is locked.
        OSError: It cannot be stored.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        maven = _maven(Path(scratch))

        def fetch_one(one: Download) -> None:
            group, name, version, classifier, packaging = one.parts
            component = maven.project(group, name).at_version(version)
            file = _download(component.artifact(classifier, packaging), product)
            if (actual := sha256(file)) != one.sha256:
                raise LocalStackError(
                    f"{one.coordinate} that was fetched has the SHA-256 {actual}, not "
                    f"{one.sha256} as locked, and is not used: see what stands between this "
                    "machine and Maven Central."
                )
            file.replace(folder / one.filename)

        with ThreadPoolExecutor(FETCH_THREADS) as pool:
            list(pool.map(fetch_one, wanted))


def resolve(roots: Sequence[str], product: Product) -> list[Download]:
    """Walk the dependency graph from `roots` and fetch every jar of it, to learn their sums."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(FETCH_THREADS) as pool:
        maven = _maven(Path(scratch))
        named, others = maven.resolver.resolve([maven.create_dependency(root) for root in roots])
        needed = [*named, *(dep for dep in others if dep.scope in {"compile", "runtime"})]
        artifacts = [dependency.artifact for dependency in needed]
        sums = pool.map(lambda artifact: sha256(_download(artifact, product)), artifacts)
        return sorted(
            Download(f"{a.groupId}:{a.artifactId}:{a.version}", digest)
            for a, digest in zip(artifacts, sums, strict=True)
        )


def _maven(repository: Path) -> MavenContext:
    logging.getLogger("jgo").setLevel(logging.ERROR)
    return MavenContext(repo_cache=repository, timeout=FETCH_TIMEOUT_SECONDS)


def _download(artifact: Artifact, product: Product) -> Path:
    """Fetch one file, a few times if the line is bad; jgo says RuntimeError for any bad answer."""
    reason: Exception | None = None
    for _ in range(FETCH_ATTEMPTS):
        try:
            return artifact.resolve()
        except (requests.RequestException, RuntimeError) as error:
            reason = error
            if artifact.cached_path:
                artifact.cached_path.unlink(missing_ok=True)
    raise LocalStackError(
        f"{artifact.filename} is not in the cache and cannot be fetched from Maven Central: see "
        "that this machine reaches it (HTTPS_PROXY names a proxy), or set "
        f"{product.instead}. Cause: {reason}"
    ) from reason
