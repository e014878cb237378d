"""One run: start, let things go wrong by plan while work comes in, wait until settled, judge."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import Signals
from threading import Event as Waiter
from typing import Any, Final

from shared.clock import monotonic
from shared.documents import DocumentStore
from shared.errors import Transient
from shared.local.system import LocalSystem
from shared.tools import tool
from shared.topology import SERVICE, consumers
from tests.chaos.crew import Crew, Instance, Waker
from tests.chaos.feed import Feed
from tests.chaos.oracle.judge import judge
from tests.chaos.plan import TABLES, Fault, Kind, armed, plan
from tests.chaos.servers import Servers
from tests.integration.runtime.proxy import lines_to
from tests.leases import let_leases_run_out

SETTLE_S: Final = 300.0
FEED_S: Final = 300.0
QUIET_S: Final = 10.0
"""After so long without a change, what a crash has left behind may be taken up again."""
ABORTED: Final = (0, 1)
Report = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What to do: a function of these, the plan and the input are the same in every run."""

    seed: int
    seconds: float
    every_s: float = 2.5
    rate: float = 4.0
    instances: int = 2

    @property
    def jobs(self) -> int:
        """How many jobs are told."""
        return max(30, int(self.seconds * self.rate))


@dataclass
class Result:
    """What happened, and what is wrong with it: nothing, if all is well."""

    survived: Counter[Kind] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    seconds: float = 0.0
    settled_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    verified: Any = None


class Chaos:
    """Servers, services and work, and who disturbs them."""

    def __init__(self, folder: Path, options: Options, report: Report) -> None:
        self._folder, self._options, self._report = folder, options, report
        self._away = Waiter()
        """Set when nobody need stay away any longer."""
        self.result = Result()

    def run(self) -> Result:
        """The whole run; raises only what keeps it from running."""
        with ExitStack() as stack:
            self._servers = stack.enter_context(Servers(self._folder))
            own = self._servers.settings
            self._system = stack.enter_context(
                LocalSystem(self._folder, report=self._report, own=own)
            )
            for logo in tool("simulator").logos():
                DocumentStore(own.documents_dir).put(logo.content)
            self._crew = stack.enter_context(Crew(self._instances(stack)))
            options = self._options
            feed = Feed(own, seed=options.seed, jobs=options.jobs, rate=options.rate)
            self._feed = feed
            stack.callback(feed.join)
            stack.callback(feed.stop)
            stack.callback(self._away.set)
            self._disturb()
            self._settle()
            self._judge()
        return self.result

    def _instances(self, stack: ExitStack) -> Iterator[Instance]:
        options = self._options
        waker = stack.enter_context(Waker())
        first = armed(options.seed, options.instances)
        self._report(f"Starting {options.instances} instances of every service.")
        for service in consumers():
            for number in range(1, options.instances + 1):
                lines = stack.enter_context(lines_to(self._system.settings))
                one = Instance(service.name, number, self._system.settings, lines, waker)
                one.start(first.get(one.name))
                yield one

    def _disturb(self) -> None:
        """Let the plan happen while work comes in."""
        self._feed.start()
        self._feed.is_known.wait(FEED_S)
        started = monotonic()
        asked = self._options
        faults = plan(asked.seed, asked.seconds, asked.every_s, asked.instances)
        with ThreadPoolExecutor(16) as pool:
            try:
                self._strike(pool, faults, started)
            finally:
                self._away.set()
        self.result.seconds = monotonic() - started

    def _strike(self, pool: ThreadPoolExecutor, faults: Sequence[Fault], started: float) -> None:
        under_way: list[tuple[Fault, Future[bool]]] = []
        rest = Waiter()
        for fault in faults:
            rest.wait(max(0.0, started + fault.at_s - monotonic()))
            self._report(f"{fault.at_s:7.1f} s  {fault.instance:22} {fault.kind}")
            under_way.append((fault, pool.submit(_ACTIONS[fault.kind], self, fault)))
        for fault, future in under_way:
            if error := future.exception():
                self.result.wrong.append(f"{fault}: {error!r}")
            elif future.result():
                self.result.survived[fault.kind] += 1

    def _settle(self) -> None:
        """Wait until all is told and nothing is in flight."""
        self._feed.join(FEED_S)
        if self._feed.failure or self._feed.is_alive():
            self.result.wrong.append(f"the work was not told to its end: {self._feed.failure!r}")
        self.result.jobs = self._feed.jobs
        self._report("Waiting until nothing is in flight.")
        started, rest = monotonic(), Waiter()
        since, before = started, ""
        while said := self._said_settled():
            if said != before:
                since, before = monotonic(), said
            elif monotonic() - since > QUIET_S:
                with self._servers.superuser() as connection:
                    let_leases_run_out(connection)
                since = monotonic()
            if monotonic() - started > SETTLE_S:
                self.result.wrong.append(f"not settled in {SETTLE_S:.0f} s: {said}")
                break
            rest.wait(0.5)
        self.result.settled_s = monotonic() - started

    def _said_settled(self) -> str:
        """Why it is not settled; empty when it is."""
        try:
            now = tool("auditor").status(self._system.settings)
        except Transient as error:
            return str(error)
        return "" if now.is_settled else now.explanation or "moving"

    def _judge(self) -> None:
        """Hold the books against the rules and the oracle, then stop the services and sum up."""
        result = self.result
        result.verified = tool("auditor").verify(self._system.settings)
        result.wrong += judge(self._servers.settings, self._system.clock.now())
        self._crew.dismiss()
        for (kind, arm), count in self._crew.struck.items():
            result.survived[kind] += count
            result.points[arm] += count
        result.wrong += self._crew.wrong
        result.wrong += [f"verify: {finding}" for finding in result.verified.errors]

    def _kill(self, fault: Fault) -> bool:
        with self._crew.hold(fault.instance) as one:
            one.kill()
            self._away.wait(fault.seconds)
            one.start(fault.arm)
        return True

    def _stop(self, fault: Fault) -> bool:
        with self._crew.hold(fault.instance) as one:
            one.send(Signals.SIGSTOP)
            self._away.wait(fault.seconds)
            one.send(Signals.SIGCONT)
        return True

    def _restart(self, fault: Fault) -> bool:
        with self._crew.hold(fault.instance) as one:
            one.ask_to_stop()
            self._expect(one, 0)
            self._away.wait(fault.seconds)
            one.start(fault.arm)
        return True

    def _abort(self, fault: Fault) -> bool:
        with self._crew.hold(fault.instance) as one:
            one.ask_to_stop()
            self._away.wait(fault.seconds)
            one.send(Signals.SIGTERM)
            self._expect(one, *ABORTED)
            one.start(fault.arm)
        return True

    def _expect(self, one: Instance, *codes: int) -> None:
        """The end of a life; a crash point on the way may have been first."""
        code = one.end()
        if code is None:
            self.result.wrong.append(f"{one.name} did not end after SIGTERM")
        elif code == -Signals.SIGKILL and one.arm and one.arm.endswith(":kill"):
            self._crew.struck[Kind.KILL_AT, one.arm] += 1
        elif code not in codes:
            self.result.wrong.append(f"{one.name} ended with {code} after SIGTERM")

    def _connections(self, fault: Fault) -> bool:
        return self._servers.cut_connections(SERVICE[fault.service].role) > 0

    def _database(self, fault: Fault) -> bool:
        crashes = fault.kind is Kind.DATABASE_CRASH
        self._servers.stop_database(self._away, fault.seconds, crashes=crashes)
        return True

    def _broker(self, fault: Fault) -> bool:
        crashes = fault.kind is Kind.BROKER_KILL
        self._servers.stop_broker(self._away, fault.seconds, crashes=crashes)
        return True

    def _network(self, fault: Fault) -> bool:
        with self._crew.hold(fault.instance) as one:
            lines = one.lines
            proxy = lines.broker if fault.seed % 2 else lines.database
        (proxy.cut if fault.kind is Kind.CUT else proxy.swallow)()
        self._away.wait(fault.seconds)
        proxy.restore()
        return True

    def _lock(self, fault: Fault) -> bool:
        table = Random(fault.seed).choice(TABLES)
        return self._servers.lock(fault.service, table, self._away, fault.seconds)

    def _replay(self, fault: Fault) -> bool:
        return self._feed.send_again(fault.seed) > 0

    def _poison(self, fault: Fault) -> bool:
        return self._feed.poison(fault.seed) > 0


_ACTIONS: Final[dict[Kind, Callable[[Chaos, Fault], bool]]] = {
    Kind.KILL: Chaos._kill,
    Kind.STOP: Chaos._stop,
    Kind.RESTART: Chaos._restart,
    Kind.ABORT: Chaos._abort,
    Kind.CONNECTIONS: Chaos._connections,
    Kind.DATABASE_STOP: Chaos._database,
    Kind.DATABASE_CRASH: Chaos._database,
    Kind.BROKER_STOP: Chaos._broker,
    Kind.BROKER_KILL: Chaos._broker,
    Kind.CUT: Chaos._network,
    Kind.SWALLOW: Chaos._network,
    Kind.LOCK: Chaos._lock,
    Kind.REPLAY: Chaos._replay,
    Kind.POISON: Chaos._poison,
}
