"""The contest: everybody on the same machine, broker, database, records and guarantee."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared import topics
from shared.local.environment import local_settings
from shared.local.stack import LocalStack
from shared.settings import Settings
from tests.benchmarks.runtime.race import Result, race
from tests.benchmarks.runtime.workload import LINES

ROOT = Path(__file__).resolve().parents[3]
BATCH_SIZE = 2000


@dataclass(frozen=True)
class Contender:
    """Who runs, how many records of the full number it gets, and in which environment."""

    name: str
    module: str
    share: float = 1.0
    processes: int = 1
    peer: str | None = None

    @property
    def python(self) -> str:
        """Its interpreter; ours where it needs none of its own."""
        return str(ROOT / ".venv" / "peers" / self.peer / "bin" / "python") if self.peer else ""


OURS = Contender("(a) Colophon's runtime", "colophon")
BARE = Contender("(e) the bare limit", "bare")
CONTENDERS = (
    OURS,
    Contender("(a) the same, two processes", "colophon", processes=2),
    Contender("(b) FastStream, per message", "faststream_app", 0.1, peer="faststream"),
    Contender("(c) Quix Streams, per message", "quixstreams_app", 0.1, peer="quixstreams"),
    Contender("(d) confluent-kafka, per message", "plain", 0.1),
    BARE,
    Contender("(f) fastavro's decimals, executemany", "executemany", 0.5),
    Contender("(g) the bare limit without models", "unchecked"),
)


@contextmanager
def contestants(data_dir: Path) -> Iterator[Settings]:
    """Servers with every topic, and the settings that everybody has."""
    with LocalStack(data_dir) as endpoints:
        settings = local_settings(endpoints).model_copy(update={"batch_size": BATCH_SIZE})
        topics.apply(settings, topics.plan(settings))
        yield settings


def contest(data_dir: Path, count: int) -> Iterator[tuple[str, Contender, Result]]:
    """Race everybody with the large records, ourselves and the bare limit with the small ones."""
    with contestants(data_dir) as settings:
        for size, contenders in (("1 KB", CONTENDERS), ("300 bytes", (OURS, BARE))):
            for one in contenders:
                records = max(1000, int(count * one.share))
                module = f"{__package__}.{one.module}"
                result = race(
                    settings,
                    module,
                    records,
                    LINES[size],
                    processes=one.processes,
                    python=one.python,
                )
                yield size, one, result
