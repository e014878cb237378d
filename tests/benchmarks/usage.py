"""What processes use, from /proc: CPU seconds, also of a whole tree by who is who, and memory."""

import os
from collections import defaultdict
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SERVICE = "services."


def usage(pid: int) -> tuple[float, float]:
    """CPU seconds and peak memory in MB so far."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return _parent_and_cpu(pid)[1], int(peak) / 1024


def cpu_by_role() -> dict[str, float]:
    """CPU seconds so far of this process and all below it: by service, broker, database, us."""
    pids = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    found: dict[int, tuple[int, float]] = {}
    for pid in pids:
        try:
            found[pid] = _parent_and_cpu(pid)
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
    seconds: defaultdict[str, float] = defaultdict(float)
    for pid, (_, cpu_s) in found.items():
        if _is_ours(pid, found):
            seconds[_role(pid)] += cpu_s
    return seconds


def _is_ours(pid: int, found: dict[int, tuple[int, float]]) -> bool:
    while pid in found and pid != os.getpid():
        pid = found[pid][0]
    return pid == os.getpid()


def _role(pid: int) -> str:
    if pid == os.getpid():
        return "the benchmark itself"
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return "ended"
    services = [word.removeprefix(_SERVICE) for word in words if word.startswith(_SERVICE)]
    if services:
        return services[0]
    return "broker" if words[0].endswith("java") else "database"


def _parent_and_cpu(pid: int) -> tuple[int, float]:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS
