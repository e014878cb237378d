"""What will go wrong, to whom and when: a function of the seed alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from shared.runtime.faults import Point
from shared.topology import consumers


class Kind(StrEnum):
    """What can go wrong."""

    KILL = "SIGKILL"
    KILL_AT = "SIGKILL at a crash point"
    STOP = "SIGSTOP past the session, SIGCONT"
    STOP_AT = "SIGSTOP at a crash point, SIGCONT"
    RESTART = "SIGTERM, restart"
    ABORT = "second SIGTERM"
    CONNECTIONS = "database connections cut"
    DATABASE_STOP = "database stopped"
    DATABASE_CRASH = "database crashed"
    BROKER_STOP = "broker stopped"
    BROKER_KILL = "broker killed"
    CUT = "network cut"
    SWALLOW = "network silent"
    LOCK = "table locked"
    REPLAY = "input sent again, shuffled"
    POISON = "poisoned input"


WEIGHTS = {
    Kind.KILL: 16,
    Kind.STOP: 8,
    Kind.RESTART: 10,
    Kind.ABORT: 6,
    Kind.CONNECTIONS: 14,
    Kind.DATABASE_STOP: 2,
    Kind.DATABASE_CRASH: 2,
    Kind.BROKER_STOP: 1,
    Kind.BROKER_KILL: 2,
    Kind.CUT: 12,
    Kind.SWALLOW: 5,
    Kind.LOCK: 12,
    Kind.REPLAY: 12,
    Kind.POISON: 12,
}
"""How often each strikes. The two at crash points come with restarts: see `armed`."""
SECONDS = {
    Kind.KILL: (0.0, 3.0),
    Kind.STOP: (7.0, 9.0),
    Kind.RESTART: (0.0, 1.0),
    Kind.ABORT: (0.0, 0.3),
    Kind.DATABASE_STOP: (0.0, 3.0),
    Kind.DATABASE_CRASH: (0.0, 2.0),
    Kind.BROKER_STOP: (0.0, 2.0),
    Kind.BROKER_KILL: (0.0, 2.0),
    Kind.CUT: (0.2, 8.0),
    Kind.SWALLOW: (1.0, 9.0),
    Kind.LOCK: (0.5, 5.0),
}
"""How long each lasts, between these; for SIGTERM's second one, how much later it comes."""
RESTARTS = {Kind.KILL, Kind.RESTART, Kind.ABORT}
TABLES = ("consumer_offset", "held_key", "held_record", "inbox", "outbox")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong `at_s` after the start, to an instance or to its service.

    `arm`: the crash point at which the instance is hit next, once it has been restarted.
    `seed`: for what the kind itself draws.
    """

    at_s: float
    kind: Kind
    service: str
    number: int
    seconds: float
    arm: str | None
    seed: int

    @property
    def instance(self) -> str:
        """Whom it hits."""
        return f"{self.service}-{self.number}"


def plan(seed: int, seconds: float, every_s: float, instances: int) -> Sequence[Fault]:
    """Faults on average `every_s` apart for `seconds`: each kind once, then by weight."""
    rng = Random(f"faults/{seed}")
    kinds = list(WEIGHTS)
    rng.shuffle(kinds)
    return list(_faults(rng, kinds, seconds, every_s, instances))


def armed(seed: int, instances: int) -> dict[str, str]:
    """The crash points at which instances are hit in their first life."""
    rng = Random(f"armed/{seed}")
    names = [f"{s.name}-{number}" for s in consumers() for number in range(1, instances + 1)]
    return {name: _arm(rng) for name in names if rng.random() < 0.4}


def _faults(
    rng: Random, first: list[Kind], seconds: float, every_s: float, instances: int
) -> Iterator[Fault]:
    at_s = 0.0
    services = [service.name for service in consumers()]
    while (at_s := at_s + rng.uniform(0.0, 2 * every_s)) < seconds:
        kind = first.pop() if first else rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        yield Fault(
            at_s=at_s,
            kind=kind,
            service=rng.choice(services),
            number=rng.randint(1, instances),
            seconds=rng.uniform(*SECONDS.get(kind, (0.0, 0.0))),
            arm=_arm(rng) if kind in RESTARTS and rng.random() < 0.7 else None,
            seed=rng.getrandbits(32),
        )


def _arm(rng: Random) -> str:
    return f"{rng.choice(list(Point))}:{rng.choices(('kill', 'stop'), (3, 1))[0]}"
