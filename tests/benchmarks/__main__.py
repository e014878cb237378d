"""`make bench`: the whole pipeline on this machine, everything included; prints what it saw."""

import argparse
import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.local.system import LocalSystem
from shared.topology import consumers
from tests.benchmarks.pipeline import Latency, Throughput, light_load, throughput


def main() -> None:
    """Run the pipeline at full load, then at light load."""
    arguments = argparse.ArgumentParser(prog="bench")
    arguments.add_argument("--jobs", type=int, default=2000)
    arguments.add_argument("--light", type=int, default=100)
    wanted = arguments.parse_args()
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="colophon-bench-") as folder,
        LocalSystem(Path(folder), report=console.print) as system,
    ):
        system.start_services(service.name for service in consumers())
        loaded = throughput(system, wanted.jobs)
        light = light_load(system, wanted.light)
    _print(console, loaded, light)


def _print(console: Console, loaded: Throughput, light: Latency) -> None:
    cores = os.cpu_count()
    console.print(f"{platform.platform()}, {cores} cores, Python {platform.python_version()}")
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
