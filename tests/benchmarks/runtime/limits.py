"""How the runtime bears what grows and what breaks: a long inbox, a backlog, starts, a crash."""

import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event as Waiter

from confluent_kafka.admin import AdminClient
from sqlalchemy import text

from shared import db, kafka
from shared.clock import monotonic
from shared.db import OWNER
from shared.settings import Settings
from shared.testing import scratch_database
from shared.topology import role_of
from tests.benchmarks.runtime.race import (
    LIMIT_S,
    Result,
    Target,
    fill,
    prepare,
    race,
    running,
)
from tests.benchmarks.runtime.workload import LINES, SPEC
from tests.benchmarks.usage import usage

COLOPHON = f"{__package__}.colophon"
KEYS = (0, 1_000_000, 10_000_000)
_FEW = 600
_LOOK_S = 0.05
_OWNERS = text("SELECT DISTINCT owner FROM consumer_offset")


@dataclass(frozen=True)
class Backlog:
    """A long queue before the consumer, and its memory when it began and after `consumed`."""

    records: int
    consumed: int
    peak_mb: float


@dataclass(frozen=True)
class Starts:
    """Seconds from a start to the first record out: the first start, after SIGTERM, and a standby.

    `leaving_s` is from SIGTERM to the exit; `failover_s` from SIGKILL of one of two instances until
    records of all partitions have come out of the other.
    """

    first_s: float
    leaving_s: float
    again_s: float
    failover_s: float


def inbox_sizes(settings: Settings, count: int) -> Iterator[tuple[int, Result]]:
    """The race of the large records beside an inbox of ever more keys."""
    for keys in KEYS:
        yield keys, race(settings, COLOPHON, count, LINES["1 KB"], keys=keys)


def backlog(settings: Settings, records: int, consumed: int) -> Backlog:
    """Consume `consumed` of `records` small ones that were there before the start."""
    with scratch_database(settings) as scratch:
        prepare(scratch)
        fill(scratch, records, LINES["300 bytes"])
        with running(scratch, [sys.executable, "-m", COLOPHON]) as children:
            Target(scratch, children).reach(consumed)
            _, peak_mb = usage(children[0].pid)
    return Backlog(records, consumed, peak_mb)


def starts(settings: Settings) -> Starts:
    """Start, stop, start again, and kill one of two."""
    command = [sys.executable, "-m", COLOPHON]
    with scratch_database(settings) as scratch:
        prepare(scratch)
        fill(scratch, _FEW, LINES["300 bytes"])
        _await_nobody(scratch)
        began_at = monotonic()
        with running(scratch, command) as children:
            target = Target(scratch, children)
            first_s = target.reach(1) - began_at
            target.reach(_FEW)
            began_at = monotonic()
            children[0].send_signal(signal.SIGTERM)
            children[0].wait(LIMIT_S)
            leaving_s = monotonic() - began_at
        fill(scratch, _FEW, LINES["300 bytes"], start=_FEW, empty=False)
        began_at = monotonic()
        with running(scratch, command) as children:
            target = Target(scratch, children)
            again_s = target.reach(_FEW + 1) - began_at
            target.reach(2 * _FEW)
        failover_s = _failover(scratch, command)
    return Starts(first_s, leaving_s, again_s, failover_s)


def _await_nobody(settings: Settings) -> None:
    """Wait until the group has forgotten whoever was killed before: a session's time."""
    admin = AdminClient(kafka.client(settings, role_of(SPEC.name)))
    deadline, rest = monotonic() + LIMIT_S, Waiter()
    while admin.describe_consumer_groups([SPEC.name])[SPEC.name].result(LIMIT_S).members:
        if monotonic() > deadline:
            msg = f"the group {SPEC.name} is not empty"
            raise RuntimeError(msg)
        rest.wait(_LOOK_S)


def _failover(settings: Settings, command: list[str]) -> float:
    """Kill one of two that share the partitions, then have work for all of them."""
    before = _owners(settings)
    with running(settings, command, 2) as children:
        deadline, rest = monotonic() + LIMIT_S, Waiter()
        while len(now := _owners(settings)) < len(children) or now & before:
            if monotonic() > deadline:
                msg = "the two instances do not share the partitions"
                raise RuntimeError(msg)
            rest.wait(_LOOK_S)
        began_at = monotonic()
        children[0].kill()
        children[0].wait()
        fill(settings, _FEW, LINES["300 bytes"], start=2 * _FEW, empty=False)
        return Target(settings, children[1:]).reach(3 * _FEW) - began_at


def _owners(settings: Settings) -> set[str]:
    """The instances that hold partitions."""
    with db.transaction(settings, OWNER, search_path=SPEC.name) as connection:
        return set(connection.execute(_OWNERS).scalars())
