"""Apache Kafka's jars: fetched once per user, checked against the committed lock at every start.

The lock (kafka-jars.lock) names every jar by its Maven coordinate and SHA-256 and no host. A start
whose jars are all in the cache reads them and touches no network; a missing or altered one is
fetched again by its coordinate, without resolving anything. Resolving happens only when a
maintainer writes the lock anew: `python -m shared.local.jars lock`.
"""

import errno
import hashlib
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import requests
from jgo.maven import Artifact, MavenContext

from shared.local.errors import LocalStackError

ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:2.0.17")
LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")
FETCH_THREADS = 6
FETCH_ATTEMPTS = 3
FETCH_TIMEOUT_SECONDS = 20
_HEADER = """\
# The jars of the local broker: SHA-256 and Maven coordinate.
# Written by `python -m shared.local.jars lock`.
"""


@dataclass(frozen=True, order=True)
class Jar:
    """One jar: its coordinate `group:artifact:version` and the SHA-256 of its bytes, in hex."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        """`<artifact>-<version>.jar`, as Maven names it."""
        _group, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def cache_folder() -> Path:
    """Where the jars are kept for this user; XDG_CACHE_HOME moves it."""
    return platformdirs.user_cache_path("colophon") / "kafka"


def read_lock(file: Path = LOCK_FILE) -> list[Jar]:
    """The jars that the lock names."""
    lines = file.read_text(encoding="ascii").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return [Jar(coordinate, sha256) for sha256, coordinate in pairs]


def install(report: Callable[[str], None]) -> list[Path]:
    """The class path: every locked jar, in the cache and with the sum that the lock states.

    Raises:
        LocalStackError: A jar cannot be fetched or stored, or what was fetched has another sum.
    """
    folder, jars = cache_folder(), read_lock()
    try:
        with ThreadPoolExecutor(FETCH_THREADS) as pool:
            intact = pool.map(lambda jar: _is_intact(folder / jar.filename, jar), jars)
            missing = [jar for jar, good in zip(jars, intact, strict=True) if not good]
            if missing:
                report(f"fetching Apache Kafka, {len(missing)} files, once per user")
                _fetch(missing, folder, pool)
    except OSError as error:
        raise LocalStackError(_cannot_store(folder, error)) from error
    return [folder / jar.filename for jar in jars]


def _is_intact(file: Path, jar: Jar) -> bool:
    try:
        return _sha256(file) == jar.sha256
    except FileNotFoundError:
        return False


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fetch(jars: Iterable[Jar], folder: Path, pool: ThreadPoolExecutor) -> None:
    """Fetch beside the cache, check, then move into it: no reader ever sees half a jar."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        maven = _maven(Path(scratch))

        def fetch(jar: Jar) -> None:
            file = _download(maven.create_dependency(jar.coordinate).artifact)
            if (actual := _sha256(file)) != jar.sha256:
                raise LocalStackError(
                    f"The jar {jar.coordinate} that was fetched has the SHA-256 {actual}, not "
                    f"{jar.sha256} as locked: do not use it; see what stands between this machine "
                    "and Maven Central."
                )
            file.replace(folder / jar.filename)

        list(pool.map(fetch, jars))


def _maven(repository: Path) -> MavenContext:
    logging.getLogger("jgo").setLevel(logging.ERROR)
    return MavenContext(repo_cache=repository, timeout=FETCH_TIMEOUT_SECONDS)


def _download(artifact: Artifact) -> Path:
    """Fetch one file from Maven Central, a few times if the line is bad."""
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
        "Central: see that this machine reaches it (proxies by HTTPS_PROXY), or set "
        f"COLOPHON_KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own. Cause: {reason}"
    ) from reason


def _cannot_store(folder: Path, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk is full: Kafka's jars need 50 MB in {folder}."
    return (
        f"Kafka's jars cannot be kept in {folder} ({error.strerror}): "
        "set XDG_CACHE_HOME to a folder of yours."
    )


def _resolve() -> list[Jar]:
    """Walk the dependency graph from ROOTS and fetch every jar of it, to learn their sums."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(FETCH_THREADS) as pool:
        maven = _maven(Path(scratch))
        roots, others = maven.resolver.resolve([maven.create_dependency(root) for root in ROOTS])
        needed = [*roots, *(dep for dep in others if dep.scope in {"compile", "runtime"})]
        artifacts = [dependency.artifact for dependency in needed]
        sums = pool.map(lambda artifact: _sha256(_download(artifact)), artifacts)
        return sorted(
            Jar(f"{a.groupId}:{a.artifactId}:{a.version}", sha256)
            for a, sha256 in zip(artifacts, sums, strict=True)
        )


def main(arguments: list[str]) -> int:
    """`python -m shared.local.jars lock`: resolve anew and write the lock file."""
    if arguments != ["lock"]:
        sys.stderr.write("usage: python -m shared.local.jars lock\n")
        return 2
    jars = _resolve()
    text = _HEADER + "".join(f"{jar.sha256}  {jar.coordinate}\n" for jar in jars)
    LOCK_FILE.write_text(text, encoding="ascii")
    sys.stdout.write(f"{len(jars)} jars locked\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
