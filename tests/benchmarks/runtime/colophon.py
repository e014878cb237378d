"""Colophon's runtime on the workload, as a process."""

from shared.runtime.process import run_service
from tests.benchmarks.runtime.workload import SPEC

if __name__ == "__main__":
    run_service(SPEC)
