"""Fetches jars from Maven Central through jgo; loaded only when a jar or the lock is missing."""

import logging
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from jgo.maven import Artifact, MavenContext

from shared.local.errors import LocalStackError
from shared.local.jars import Jar, sha256

FETCH_THREADS = 6
FETCH_ATTEMPTS = 3
FETCH_TIMEOUT_SECONDS = 20


def fetch(jars: Iterable[Jar], folder: Path) -> None:
    """Fetch beside the cache, check, then move into it: no reader ever sees half a jar.

    Raises:
        LocalStackError: A jar cannot be fetched, or what came has another sum than is locked.
        OSError: It cannot be stored.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        maven = _maven(Path(scratch))

        def fetch_one(jar: Jar) -> None:
            file = _download(maven.create_dependency(jar.coordinate).artifact)
            if (actual := sha256(file)) != jar.sha256:
                raise LocalStackError(
                    f"The jar {jar.coordinate} that was fetched has the SHA-256 {actual}, not "
                    f"{jar.sha256} as locked, and is not used: see what stands between this "
                    "machine and Maven Central."
                )
            file.replace(folder / jar.filename)

        with ThreadPoolExecutor(FETCH_THREADS) as pool:
            list(pool.map(fetch_one, jars))


def resolve(roots: Sequence[str]) -> list[Jar]:
    """Walk the dependency graph from `roots` and fetch every jar of it, to learn their sums."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(FETCH_THREADS) as pool:
        maven = _maven(Path(scratch))
        named, others = maven.resolver.resolve([maven.create_dependency(root) for root in roots])
        needed = [*named, *(dep for dep in others if dep.scope in {"compile", "runtime"})]
        artifacts = [dependency.artifact for dependency in needed]
        sums = pool.map(lambda artifact: sha256(_download(artifact)), artifacts)
        return sorted(
            Jar(f"{a.groupId}:{a.artifactId}:{a.version}", digest)
            for a, digest in zip(artifacts, sums, strict=True)
        )


def _maven(repository: Path) -> MavenContext:
    logging.getLogger("jgo").setLevel(logging.ERROR)
    return MavenContext(repo_cache=repository, timeout=FETCH_TIMEOUT_SECONDS)


def _download(artifact: Artifact) -> Path:
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
        f"Kafka's jar {artifact.filename} is not in the cache and cannot be fetched from Maven "
        "Central: see that this machine reaches it (HTTPS_PROXY names a proxy), or set "
        f"COLOPHON_KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own. Cause: {reason}"
    ) from reason
