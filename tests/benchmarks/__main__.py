"""`make bench`: the runtime beside its peers, then the whole pipeline; prints what it saw."""

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.clock import monotonic
from shared.local.system import LocalSystem
from shared.topology import consumers
from tests.benchmarks.pipeline import Latency, Throughput, light_load, throughput
from tests.benchmarks.runtime.contest import OURS, contest

_VERSIONS = ("confluent-kafka", "fastavro", "psycopg", "pydantic", "sqlalchemy")


def main() -> None:
    """Run what is asked for, one thing at a time."""
    arguments = argparse.ArgumentParser(prog="make bench ARGS=...")
    arguments.add_argument("--jobs", type=int, default=2000, help="of the whole pipeline")
    arguments.add_argument("--light", type=int, default=100, help="jobs at light load")
    arguments.add_argument("--records", type=int, default=30_000, help="of the runtime's contest")
    arguments.add_argument("--only", choices=("runtime", "pipeline"))
    wanted = arguments.parse_args()
    console = Console()
    _print_machine(console)
    if wanted.only != "pipeline":
        _runtime(console, wanted.records)
    if wanted.only != "runtime":
        _pipeline(console, wanted.jobs, wanted.light)


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


def _runtime(console: Console, records: int) -> None:
    title = "One consumer, effect once: records in, state, records out"
    table = Table("records", "contender", "a second", "(a) is", "CPU each", "memory", title=title)
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="colophon-bench-") as folder:
        for size, one, seen in contest(Path(folder), records):
            if one is OURS:
                best[size] = seen.per_s
            row = (f"{seen.per_s:,.0f}", f"{best[size] / seen.per_s:.2f} times")
            usage = (f"{seen.cpu_us:,.0f} µs", f"{seen.peak_mb:.0f} MB")
            table.add_row(size, one.name, *row, *usage)
            console.print(f"{size}, {one.name}: {row[0]} a second")
    console.print(table)


def _pipeline(console: Console, jobs: int, light: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="colophon-bench-") as folder,
        LocalSystem(Path(folder), report=console.print) as system,
    ):
        system.start_services(service.name for service in consumers())
        _print_pipeline(console, throughput(system, jobs), light_load(system, light))


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
    for name, peak in loaded.peak_mb.items():
        cpu = loaded.cpu_s.get(name, 0.0)
        table.add_row(f"{name}: peak memory, CPU", f"{peak:.0f} MB, {cpu:.1f} s")
    console.print(table)


if __name__ == "__main__":
    main()
