"""`make bench`: the runtime beside its peers, then the whole pipeline; prints what it saw."""

import argparse
import os
import platform
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.clock import monotonic
from shared.local.system import LocalSystem
from shared.topology import consumers
from tests.benchmarks.pipeline import Latency, Throughput, light_load, throughput
from tests.benchmarks.runtime.contest import OURS, contest, contestants
from tests.benchmarks.runtime.limits import backlog, inbox_sizes, starts

_VERSIONS = ("confluent-kafka", "fastavro", "psycopg", "pydantic", "sqlalchemy")


@dataclass(frozen=True)
class _Size:
    """How much of everything; `consumed` of the backlog's records, None for all."""

    records: int
    keys_records: int
    backlog: int
    consumed: int | None
    jobs: int
    light: int


_SIZES = {
    "": _Size(30_000, 20_000, 1_000_000, 50_000, 2_000, 100),
    "full": _Size(200_000, 100_000, 1_000_000, None, 10_000, 500),
}


def main() -> None:
    """Run what is asked for, one thing at a time."""
    arguments = argparse.ArgumentParser(prog="make bench [BENCH=full] ARGS=...")
    arguments.add_argument("--only", choices=("contest", "limits", "pipeline"))
    arguments.add_argument("--size", choices=tuple(_SIZES), default="", help="by BENCH=")
    wanted = arguments.parse_args()
    size, console = _SIZES[wanted.size], Console()
    parts = {"contest": _contest, "limits": _limits, "pipeline": _pipeline}
    _print_machine(console)
    for name, part in parts.items():
        if wanted.only in (None, name):
            started = monotonic()
            part(console, size)
            console.print(f"{name}: {monotonic() - started:.0f} s", style="dim")


def _print_machine(console: Console) -> None:
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    console.print(
        f"{platform.platform()}, {os.cpu_count()} cores, load {load},"
        f" Python {platform.python_version()}"
    )
    console.print(", ".join(f"{name} {version(name)}" for name in _VERSIONS))
    console.print(f"one core adds {_additions_per_s() / 1e6:.0f} million times a second in Python")


def _additions_per_s() -> float:
    """How fast this machine is just now: virtual ones differ by the hour, five times and more."""
    count, total, started = 2_000_000, 0, monotonic()
    for number in range(count):
        total += number
    return count / (monotonic() - started)


def _contest(console: Console, size: _Size) -> None:
    title = "One consumer, effect once: records in, state, records out"
    table = Table("records", "contender", "a second", "(a) is", "CPU each", "memory", title=title)
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="colophon-bench-") as folder:
        for kind, one, seen in contest(Path(folder), size.records):
            if one is OURS:
                best[kind] = seen.per_s
            row = (f"{seen.per_s:,.0f}", f"{best[kind] / seen.per_s:.2f} times")
            usage = (f"{seen.cpu_us:,.0f} µs", f"{seen.peak_mb:.0f} MB")
            table.add_row(kind, one.name, *row, *usage)
            console.print(f"{kind}, {one.name}: {row[0]} a second")
    console.print(table)


def _limits(console: Console, size: _Size) -> None:
    table = Table("figure", "seen", title="What grows and what breaks")
    with (
        tempfile.TemporaryDirectory(prefix="colophon-bench-") as folder,
        contestants(Path(folder)) as settings,
    ):
        for keys, seen in inbox_sizes(settings, size.keys_records):
            table.add_row(f"1 KB records a second, {keys:,} keys known", f"{seen.per_s:,.0f}")
            console.print(f"{keys:,} keys: {seen.per_s:,.0f} a second")
        queue = backlog(settings, size.backlog, size.consumed or size.backlog)
        table.add_row(
            f"peak memory, {queue.consumed:,} of {queue.records:,} waiting records consumed",
            f"{queue.peak_mb:.0f} MB",
        )
        seconds = starts(settings)
    table.add_row("start to first record", f"{seconds.first_s:.1f} s")
    table.add_row("SIGTERM to exit", f"{seconds.leaving_s:.1f} s")
    table.add_row("the next start to first record", f"{seconds.again_s:.1f} s")
    table.add_row(
        "SIGKILL of one of two to its records by the other", f"{seconds.failover_s:.1f} s"
    )
    console.print(table)


def _pipeline(console: Console, size: _Size) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="colophon-bench-") as folder,
        LocalSystem(Path(folder), report=console.print) as system,
    ):
        system.start_services(service.name for service in consumers())
        _print_pipeline(console, throughput(system, size.jobs), light_load(system, size.light))


def _print_pipeline(console: Console, loaded: Throughput, light: Latency) -> None:
    table = Table(
        "figure", "seen", title="The whole pipeline, broker, database, PDF, mail included"
    )
    table.add_row("jobs, posted invoices", f"{loaded.jobs}, {loaded.posted}")
    table.add_row("first event to last posting", f"{loaded.seconds:.1f} s")
    table.add_row("jobs per second", f"{loaded.jobs / loaded.seconds:.0f}")
    table.add_row("first event to last mail", f"{loaded.delivered_s:.1f} s")
    table.add_row("one job's way at light load, p50", f"{light.p50_ms:.0f} ms")
    table.add_row("one job's way at light load, p99", f"{light.p99_ms:.0f} ms ({light.jobs} jobs)")
    for topic, hop_ms in light.hops_ms.items():
        table.add_row(f"  of it up to {topic}, median", f"{hop_ms:.0f} ms")
    whole = sum(loaded.cpu_s.values())
    for name, cpu in sorted(loaded.cpu_s.items(), key=lambda item: -item[1]):
        peak = f", peak {loaded.peak_mb[name]:.0f} MB" if name in loaded.peak_mb else ""
        each = cpu / loaded.jobs * 1000
        table.add_row(f"CPU: {name}", f"{cpu / whole:.0%}, {each:.1f} ms a job{peak}")
    console.print(table)


if __name__ == "__main__":
    main()
