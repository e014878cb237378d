"""`colophon up`: the local stack and services, until Ctrl-C or another request to stop."""

from contextlib import suppress
from threading import Event

from rich.console import Console
from rich.table import Table

from shared.cli.servers import noted
from shared.local.signals import signals_interrupt
from shared.local.system import LocalSystem
from shared.runtime.service import load_service
from shared.settings import read_settings, shown
from shared.topology import SERVICE, consumers


def run_up(services: list[str]) -> None:
    """Run `services` (all, if none) on the local stack or on the user's own servers.

    Returns after an ordered stop, whenever it was asked for: services first, then servers.
    """
    names = services or [service.name for service in consumers()]
    for name in names:
        load_service(name)
    console = Console()
    with suppress(KeyboardInterrupt), signals_interrupt():
        _run(names, console)


def _run(names: list[str], console: Console) -> None:
    settings = read_settings()
    own = settings if settings.has_own_servers else None
    ports = {name: SERVICE[name].port or 0 for name in names}
    with LocalSystem(settings.data_dir, report=console.print, own=own, ports=ports) as system:
        try:
            with noted(system.settings):
                system.start_services(names)
                _show(console, system, system.start_prometheus())
                _watch(system)
        finally:
            with suppress(OSError):  # the terminal may be gone
                console.print("Stopping.")


def _show(console: Console, system: LocalSystem, prometheus: str | None) -> None:
    table = Table("service", "where", title="Running; Ctrl-C stops it.")
    for name, child in system.fleet.children.items():
        usual = SERVICE[name].port
        taken = "" if child.port == usual else f" ({usual} is taken)"
        table.add_row(name, f"http://127.0.0.1:{child.port}/metrics, /livez, /readyz{taken}")
    table.add_row("kafka", system.settings.kafka_bootstrap_servers)
    if (registry := system.settings.schema_registry_url) is not None:
        table.add_row("schema registry", shown(registry))
    sink = f"127.0.0.1:{system.settings.smtp_port}, files in {system.mail.directory}"
    table.add_row("mail sink", sink)
    table.add_row("prometheus", prometheus or "none on the PATH: the metrics are not recorded")
    console.print(table)


def _watch(system: LocalSystem) -> None:
    """Until interrupted; raises `LocalStackError` when a service ends by itself."""
    rest = Event()
    while not rest.wait(1.0):
        for child in system.fleet.children.values():
            child.is_ready()
