"""One service as a process: its parts put together, started, watched and stopped in order."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

from sqlalchemy import Engine, text

from shared import db
from shared.clock import clock_from, monotonic
from shared.codec.codec import Codec
from shared.codec.registry import registry_from
from shared.errors import ColophonError, ConfigurationError
from shared.logging import configure, logger
from shared.retry import Backoff, transient_reason
from shared.runtime.desk import RuntimeDesk, WorkerThread
from shared.runtime.health import HealthServer
from shared.runtime.loop import ConsumerLoop
from shared.runtime.relay import Relay
from shared.runtime.service import ServiceSpec
from shared.settings import Settings, read_settings
from shared.topology import SERVICE

_HEARTBEAT_MAX_S = 60.0
_STOP_S = 8.0


class ServiceProcess:
    """The parts of a running service; `run` returns after a clean stop."""

    def __init__(self, spec: ServiceSpec, settings: Settings) -> None:
        spec = spec.bound(settings)
        self._spec, self._settings = spec, settings
        role = SERVICE[spec.name].role
        clock = clock_from(settings.clock_file)
        codec = Codec(registry_from(settings))
        self._engine = db.engine(settings, role, pool_size=2 + len(spec.workers))
        _wait_for_schema(self._engine, spec.name)
        desk = RuntimeDesk(spec, settings, clock, self._engine, codec)
        if spec.start is not None:
            spec.start(desk)
        self._loop = ConsumerLoop(spec, settings, clock, self._engine, codec)
        self._relay = Relay(settings, spec.name)
        self._workers = [WorkerThread(worker, desk, spec.name) for worker in spec.workers]
        port = settings.http_port if settings.http_port is not None else SERVICE[spec.name].port
        self._health = HealthServer(settings.http_host, port or 0, self._live, self._ready)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; then finish, publish, commit and leave. Twice: abort."""
        log = logger()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if self._settings.stop_with_parent:
            threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
        self._health.start()
        self._relay.start()
        for worker in self._workers:
            worker.start()
        log.info("started", port=self._health.port)
        try:
            self._loop.run()
        finally:
            self._stop()
        log.info("stopped")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._loop.is_stopping:
            os._exit(1)
        self._loop.is_stopping = True

    def _stop(self) -> None:
        threads: list[WorkerThread | Relay] = [*self._workers, self._relay]
        for thread in threads:
            thread.stop()
        until = monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        self._health.stop()
        self._engine.dispose()

    def _live(self) -> dict[str, bool]:
        return {"loop": monotonic() - self._loop.heartbeat_at < _HEARTBEAT_MAX_S}

    def _ready(self) -> dict[str, bool]:
        return {
            "assigned": self._loop.assignment.is_claimed,
            "database": self._loop.database_ok,
            "breaker": self._loop.breaker.state == 0,
            "relay": self._relay.is_alive(),
            "workers": all(worker.is_alive() and not worker.failure for worker in self._workers),
        }


def run_service(spec: ServiceSpec) -> NoReturn:
    """Run `spec` against the configured servers; exits 0 when stopped, 1 or 2 with a reason."""
    try:
        settings = read_settings()
        configure(spec.name, settings.log_level)
        ServiceProcess(spec, settings).run()
    except ConfigurationError as error:
        logger().error("refused", reason=str(error))
        sys.exit(2)
    except ColophonError as error:
        logger().error("stopped", reason=str(error), exc_info=error)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 -- logged; whoever runs us starts us again
        logger().critical("crashed", exc_info=error)
        os._exit(1)  # the Kafka client's threads could keep a broken process alive
    sys.exit(0)


def _stop_with_parent() -> None:
    """The parent holds our standard input open; its end, however it came, is ours."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_for_schema(engine: Engine, name: str) -> None:
    """Wait for the database, then insist on a migrated schema."""
    backoff = Backoff()
    rest = threading.Event()
    while True:
        try:
            with engine.connect() as connection:
                found = connection.execute(text("SELECT to_regclass('consumer_offset')")).scalar()
        except Exception as error:
            if transient_reason(error) is None:
                raise
            logger().warning("database does not answer", error=str(error)[:300])
            rest.wait(backoff.next_s())
        else:
            if found is None:
                msg = f"the schema of {name} is not migrated: run colophon migrate {name}"
                raise ConfigurationError(msg)
            return
