"""`colophon up`: the local stack and services, until Ctrl-C."""

from threading import Event

from rich.console import Console
from rich.table import Table

from shared.cli.servers import forget, remember
from shared.local.system import LocalSystem
from shared.runtime.service import load_service
from shared.settings import read_settings
from shared.topology import SERVICE, consumers


def run_up(services: list[str]) -> None:
    """Run `services` (all, if none) on the local stack or on the user's own servers."""
    console = Console()
    names = services or [service.name for service in consumers()]
    for name in names:
        load_service(name)
    settings = read_settings()
    ports = {name: SERVICE[name].port or 0 for name in names}
    own = settings if settings.has_own_servers else None
    with LocalSystem(settings.data_dir, report=console.print, own=own, ports=ports) as system:
        remember(system.settings)
        try:
            system.start_services(names)
            _show(console, system, ports)
            _until_interrupted(system)
        finally:
            forget(system.settings)
            console.print("Stopping.")


def _show(console: Console, system: LocalSystem, ports: dict[str, int]) -> None:
    table = Table("service", "where", title="Running; Ctrl-C stops it.")
    for name, port in ports.items():
        table.add_row(name, f"http://127.0.0.1:{port}/metrics, /livez, /readyz")
    table.add_row("kafka", system.settings.kafka_bootstrap_servers)
    sink = f"127.0.0.1:{system.settings.smtp_port}, files in {system.mail.directory}"
    table.add_row("mail sink", sink)
    console.print(table)


def _until_interrupted(system: LocalSystem) -> None:
    rest = Event()
    try:
        while not rest.wait(1.0):
            for child in system.fleet.children.values():
                child.is_ready()
    except KeyboardInterrupt:
        return
