"""The local stack's Kafka: Java found, jars installed and checked, quick start prepared."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from shared.local import jars
from shared.local.archive import archived
from shared.local.broker import JVM, Broker, Runtime
from shared.local.java import find_java


def kafka(data_dir: Path, report: Callable[[str], None]) -> Broker:
    """The broker of a data directory."""
    return Broker(data_dir / "kafka", data_dir / "logs", partial(_runtime, report))


def _runtime(report: Callable[[str], None]) -> Runtime:
    java = find_java()
    class_path = os.pathsep.join(map(str, jars.install(report)))
    plain = Runtime([java.launcher, "-cp", class_path, *JVM])
    return archived(plain, java, report)
