"""Apache Kafka's jars: fetched once per user, checked against the committed lock at every start.

The lock (kafka-jars.lock) names every jar by its Maven coordinate and SHA-256 and no host. A start
whose jars are all in the cache reads them and touches no network; a missing or altered one is
fetched again by its coordinate, without resolving anything. Resolving happens only when a
maintainer writes the lock anew: `python -m shared.local.jars lock`.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.local.downloads import Download, Product, sha256

ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:2.0.17")
LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")
KAFKA = Product("kafka", 50, "COLOPHON_KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own")
READ_THREADS = 4
_HEADER = """\
# The jars of the local broker: SHA-256 and Maven coordinate.
# Written by `python -m shared.local.jars lock`.
"""


def read_lock(file: Path = LOCK_FILE) -> list[Download]:
    """The jars that the lock names."""
    lines = file.read_text(encoding="ascii").splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return [Download(coordinate, digest) for digest, coordinate in pairs]


def install(report: Callable[[str], None]) -> list[Path]:
    """The class path: every locked jar, in the cache and with the sum that the lock states.

    Raises:
        LocalStackError: A jar cannot be fetched or stored, or what was fetched has another sum.
    """
    folder, jars = KAFKA.folder, read_lock()
    try:
        missing = _missing(jars, folder)
        if missing:
            from shared.local.maven import fetch  # noqa: PLC0415 -- a warm start needs no HTTP

            report(f"fetching Apache Kafka, {len(missing)} files, once per user")
            fetch(missing, folder, KAFKA)
    except OSError as error:
        raise KAFKA.cannot_be_kept(error) from error
    return [folder / jar.filename for jar in jars]


def _missing(jars: list[Download], folder: Path) -> list[Download]:
    def is_intact(jar: Download) -> bool:
        try:
            return sha256(folder / jar.filename) == jar.sha256
        except FileNotFoundError:
            return False

    with ThreadPoolExecutor(READ_THREADS) as pool:
        return [jar for jar, good in zip(jars, pool.map(is_intact, jars), strict=True) if not good]


def main(arguments: list[str]) -> int:
    """`python -m shared.local.jars lock`: resolve anew and write the lock file."""
    if arguments != ["lock"]:
        sys.stderr.write("usage: python -m shared.local.jars lock\n")
        return 2
    from shared.local.maven import resolve  # noqa: PLC0415 -- as above

    jars = resolve(ROOTS, KAFKA)
    text = _HEADER + "".join(f"{jar.sha256}  {jar.coordinate}\n" for jar in jars)
    LOCK_FILE.write_text(text, encoding="ascii")
    sys.stdout.write(f"{len(jars)} jars locked\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
