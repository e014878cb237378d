"""`make chaos [SEED=] [MINUTES=]`: exit 1 where the pipeline did not survive random faults."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.local.signals import signals_interrupt
from shared.tools import tool
from tests.chaos.run import Chaos, Options, Result


def main() -> int:
    """Run and print what happened; 1 where anything differs from what should have."""
    arguments = argparse.ArgumentParser(prog="make chaos")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--minutes", type=float, default=5.0)
    arguments.add_argument("--every", type=float, default=2.5, help="seconds between two faults")
    arguments.add_argument("--rate", type=float, default=4.0, help="jobs a second")
    arguments.add_argument("--keep", type=Path, help="a new folder for all data, which is kept")
    asked = arguments.parse_args()
    options = Options(asked.seed, asked.minutes * 60, asked.every, asked.rate)
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="colophon-chaos-") as scratch, signals_interrupt():
        result = Chaos(asked.keep or Path(scratch), options, console.print).run()
    _print(console, result)
    console.print(
        f"Again: make chaos SEED={asked.seed} MINUTES={asked.minutes:g}"
        f" ARGS='--every {asked.every:g} --rate {asked.rate:g}'"
    )
    return 1 if result.wrong else 0


def _print(console: Console, result: Result) -> None:
    if result.verified is not None:
        tool("auditor").print_summary(result.verified, console)
        tool("auditor").print_report(result.verified, console)
        console.print("What is held or dead above is this run's poison; the oracle knows each.")
    table = Table("fault", "times", title="Faults survived", title_justify="left")
    for kind, count in sorted(result.survived.items()):
        table.add_row(kind, str(count))
    table.add_row("all", str(result.survived.total()))
    console.print(table)
    points = ", ".join(f"{point} {count}" for point, count in sorted(result.points.items()))
    console.print(f"Crash points: {points}")
    console.print(
        f"{result.jobs} jobs, {result.seconds:.0f} s of faults,"
        f" settled {result.settled_s:.0f} s after them."
    )
    for line in result.wrong:
        console.print(f"WRONG: {line}", style="bold red", markup=False)
    if not result.wrong:
        console.print("Nothing lost, nothing twice, nothing out of order.")


if __name__ == "__main__":
    sys.exit(main())
