"""The whole system on one machine: servers, mail sink, schemas, topics, services."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from shared import topics
from shared.clock import OffsetClock
from shared.local.environment import local_settings
from shared.local.errors import LocalStackError
from shared.local.fleet import Fleet
from shared.local.mailsink import MailSink
from shared.local.prometheus import Prometheus
from shared.local.registry import Registry
from shared.local.stack import LocalStack
from shared.migrate import migrate
from shared.settings import LOCAL_REGISTRY, Settings

Report = Callable[[str], None]


class LocalSystem:
    """Starts what is needed in `data_dir`, or uses `own` servers; stops what it started.

    `settings`, `clock`, `fleet` and `mail` stand ready inside the `with` block.
    """

    settings: Settings
    clock: OffsetClock
    fleet: Fleet
    mail: MailSink

    def __init__(
        self,
        data_dir: Path,
        *,
        report: Report = lambda _: None,
        own: Settings | None = None,
        ports: dict[str, int] | None = None,
        settings: dict[str, object] | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._report = report
        self._own = own
        self._ports = ports
        self._changes = settings or {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def start_services(self, names: Iterable[str]) -> None:
        """Start services and wait until they are ready."""
        self._report("Starting the services.")
        self.fleet.start_all(names)

    def start_prometheus(self) -> str | None:
        """Have the services' metrics recorded: where, or None where no Prometheus will do that.

        Whatever keeps it from running is reported; nothing else depends on it.
        """
        ports = {child.name: child.port for child in self.fleet.children.values()}
        prometheus = Prometheus(self.settings.data_dir, ports)
        self._stack.callback(prometheus.stop)
        try:
            return prometheus.start()
        except LocalStackError as error:
            self._report(str(error))
            return None

    def _start(self) -> None:
        if self._own is None:
            self._report("Starting Kafka and PostgreSQL.")
            endpoints = self._stack.enter_context(LocalStack(self._data_dir, self._report))
            base = self._with_registry(local_settings(endpoints))
        else:
            base = self._own
        self.mail = MailSink(base.data_dir / "mail").start()
        self._stack.callback(self.mail.stop)
        clock_file = base.clock_file or base.data_dir / "clock"
        self.settings = base.model_copy(
            update={"smtp_port": self.mail.port, "clock_file": clock_file, **self._changes}
        )
        self.clock = OffsetClock(clock_file)
        self._report("Preparing schemas, roles and topics.")
        migrate(self.settings)
        topics.apply(self.settings, topics.plan(self.settings))
        self.fleet = Fleet(self.settings, ports=self._ports)
        self._stack.callback(self.fleet.stop)

    def _with_registry(self, settings: Settings) -> Settings:
        """Settings with the local registry, where that is wanted or its ids stand in records."""
        registry = Registry(self._data_dir, self._report)
        url = settings.schema_registry_url
        if url == LOCAL_REGISTRY or (url is None and registry.has_data()):
            self._report("Starting the schema registry.")
            self._stack.callback(registry.stop)
            return settings.model_copy(update={"schema_registry_url": registry.start()})
        return settings
