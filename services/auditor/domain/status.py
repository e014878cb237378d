"""How far the pipeline is: what each service has still to do, and whether anything is under way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Place(NamedTuple):
    """A partition."""

    topic: str
    partition: int


@dataclass(frozen=True)
class Ends:
    """Where the topics end, and how far each group told Kafka it has read (past markers too).

    `unknown`: partitions that told no end when they were asked.
    """

    end: Mapping[Place, int]
    committed: Mapping[str, Mapping[Place, int]]
    unknown: frozenset[Place] = frozenset()


@dataclass(frozen=True)
class Tables:
    """What one service's tables say at one moment.

    `due` counts work that the service will do now without any further record, by what it is;
    `later` what it will do at its time. `waiting` is by the kind of the missing fact, `dead` by
    reason code. Ages in seconds.
    """

    next_offsets: Mapping[Place, int]
    outbox: int = 0
    outbox_oldest_s: float | None = None
    quarantined: int = 0
    lanes_ready: int = 0
    parked: int = 0
    waiting: Mapping[str, int] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)
    oldest_held_s: float | None = None
    due: Mapping[str, int] = field(default_factory=dict)
    later: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ServiceStatus:
    """One service: its tables (None before they are migrated), and its lag by topic, in records."""

    name: str
    tables: Tables | None
    lag: Mapping[str, int]
    consumed: int
    unknown: int = 0

    @property
    def under_way(self) -> Mapping[str, int]:
        """What this service is working on or is about to, by what it is; empty at rest."""
        counts = {f"{topic} to read": records for topic, records in self.lag.items()}
        counts["partitions without a known end"] = self.unknown
        if self.tables:
            counts |= {
                "records to publish": self.tables.outbox,
                "held keys to take up": self.tables.lanes_ready,
                **self.tables.due,
            }
        return {what: count for what, count in counts.items() if count}


class Imbalance(NamedTuple):
    """Debits less credits of one legal entity in one currency: anything but zero is a defect."""

    legal_entity_id: str
    currency: str
    amount: str


@dataclass(frozen=True)
class Status:
    """The whole pipeline. `moved` says that it was seen working while it was looked at."""

    services: tuple[ServiceStatus, ...]
    imbalances: tuple[Imbalance, ...] = ()
    moved: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether nothing is in flight: all read, published, rendered and sent that can be now."""
        missing = any(service.tables is None for service in self.services)
        return not (self.moved or missing or any(s.under_way for s in self.services))

    @property
    def done(self) -> int:
        """Pieces of work done: records read, by every service."""
        return sum(service.consumed for service in self.services)

    @property
    def expected(self) -> int:
        """`done`, and what is known to be still to do."""
        return self.done + sum(sum(service.under_way.values()) for service in self.services)

    @property
    def explanation(self) -> str:
        """Why it is not settled, in words; what is settled needs none."""
        reasons = [
            f"{service.name}: {count} {what}"
            for service in self.services
            for what, count in service.under_way.items()
        ]
        reasons += [f"{s.name}: not migrated" for s in self.services if s.tables is None]
        if self.moved and not reasons:
            return "records were read while the status was taken"
        return "; ".join(reasons)


def assess(
    name: str, topics: Iterable[str], before: Tables | None, after: Tables | None, ends: Ends
) -> ServiceStatus:
    """One service, looked at `before` and `after` the `ends` of its `topics` were asked for.

    A partition is read to its end when either the table or Kafka's copy says so: the table knows
    records, the copy also knows the transaction markers behind the last of them.
    """
    known = before.next_offsets if before else {}
    committed = ends.committed.get(name, {})
    consumed, lag = 0, dict.fromkeys(topics, 0)
    for place, end in ends.end.items():
        if place.topic in lag:
            reached = max(known[place], committed.get(place, 0)) if place in known else 0
            lag[place.topic] += max(0, end - reached)
            consumed += min(end, reached)
    unknown = sum(place.topic in lag for place in ends.unknown)
    return ServiceStatus(name, after, lag, consumed, unknown)


def has_moved(before: Mapping[str, Tables], after: Mapping[str, Tables]) -> bool:
    """Whether any service read, published or worked between the two looks.

    Without this, a record could be consumed after the first look and its result be published
    before the second: neither would see it.
    """
    return any(_position(before[name]) != _position(now) for name, now in after.items())


def _position(tables: Tables) -> object:
    return tables.next_offsets, tables.outbox, tables.lanes_ready, tables.due
