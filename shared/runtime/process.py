"""One service as a process: its parts put together, started, watched and stopped in order."""

import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from sqlalchemy import text

from shared import db, kafka, tracing
from shared.clock import clock_from, monotonic
from shared.codec.codec import Codec
from shared.codec.registry import registry_from
from shared.errors import ColophonError, ConfigurationError, headline
from shared.logging import configure, logger
from shared.metrics import READY
from shared.retry import Backoff, transient_reason
from shared.runtime import faults
from shared.runtime.desk import RuntimeDesk, WorkerThread
from shared.runtime.health import HealthServer
from shared.runtime.loop import ConsumerLoop
from shared.runtime.patience import PatientThread
from shared.runtime.relay import Relay
from shared.runtime.service import ServiceSpec
from shared.settings import Settings, read_settings
from shared.topology import SERVICE, consumed_by, produced_by

_HEARTBEAT_MAX_S = 60.0
_TURN_MAX_S = 5.0  # longer than any batch should take: a server hangs that does not refuse
_THREADS_END_S = 8.0
_STOP_S = 9.0
_COLLECT_AFTER = 50_000  # new objects that outlive the old: more than a usual batch has
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ServiceProcess:
    """The parts of a running service; `run` returns after a clean stop.

    It answers probes from the first moment: a database or broker that is away makes it unready.
    """

    def __init__(self, spec: ServiceSpec, settings: Settings) -> None:
        self._spec, self._settings = spec.bound(settings), settings
        self._loop: ConsumerLoop | None = None
        self._relay = Relay(settings, spec.name)
        self._workers: list[WorkerThread] = []
        role = SERVICE[spec.name].role
        self._engine = db.engine(settings, role, pool_size=2 + len(spec.workers))
        clock, self._codec = clock_from(settings.clock_file), Codec(registry_from(settings))
        self._desk = RuntimeDesk(self._spec, settings, clock, self._engine, self._codec)
        self._bell, self._ring = os.pipe()
        os.set_blocking(self._ring, False)
        self._stop_asked = threading.Event()
        port = settings.http_port if settings.http_port is not None else SERVICE[spec.name].port
        self.health = HealthServer(
            settings.http_host,
            port or 0,
            self._live,
            self._ready,
            inherited=settings.http_socket,
        )

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; then finish, publish, commit and leave. Twice: abort."""
        signal.set_wakeup_fd(self._ring)
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._watch_stop, name="stop", daemon=True).start()
        if self._settings.stop_with_parent:
            threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
        self.health.start()
        try:
            checks = (self._check_schema, self._learn_schemas, self._check_service)
            if all(self._patiently(check) for check in checks):
                self._start()
                collect_seldom()
                logger().info("started", port=self.health.port)
                self._consume()
        finally:
            self._stop()
        logger().info("stopped")

    def _start(self) -> None:
        spec, desk = self._spec, self._desk
        self._loop = ConsumerLoop(spec, self._settings, desk.clock, self._engine, self._codec)
        self._workers = [WorkerThread(worker, desk, spec.name) for worker in spec.workers]
        self._relay.start()
        for worker in self._workers:
            worker.start()

    def _consume(self) -> None:
        if self._loop is not None:
            if self._stop_asked.is_set():
                self._loop.is_stopping = True
            self._loop.run()

    def _patiently(self, check: Callable[[], None]) -> bool:
        """Check until the servers answer; False when told to stop."""
        backoff = Backoff()
        while not self._stop_asked.is_set():
            try:
                check()
            except Exception as error:
                reason = transient_reason(error)
                if reason is None:
                    raise
                logger().warning("cannot start yet", reason=reason, error=headline(error))
                self._stop_asked.wait(backoff.next_s())
            else:
                return True
        return False

    def _check_schema(self) -> None:
        with db.answering(self._settings), self._engine.connect() as connection:
            found = connection.execute(text("SELECT to_regclass('inbox')")).scalar()
        if found is None:
            name = self._spec.name
            msg = f"the schema of {name} is not migrated: run colophon migrate {name}"
            raise ConfigurationError(msg)

    def _learn_schemas(self) -> None:
        """Before the first batch: a registry that is away later then stops nothing of ours."""
        self._codec.learn((*consumed_by(self._spec.name), *produced_by(self._spec.name)))

    def _check_service(self) -> None:
        if self._spec.start is not None:
            self._spec.start(self._desk)

    def _watch_stop(self) -> None:
        """Act on signals at once, also while the main thread is inside a client's call.

        Whatever hangs (a client without its broker, say): what counts is in the database.
        """
        until: float | None = None
        while True:
            left = None if until is None else max(0.0, until - monotonic())
            if not select.select([self._bell], [], [], left)[0]:
                logger().warning("not stopped in time: left as it stands")
                os._exit(0)
            heard = os.read(self._bell, 64)
            if not heard:
                os.close(self._bell)
                return
            for _ in filter(_STOP_SIGNALS.__contains__, heard):
                if until is not None:
                    os._exit(1)
                until = monotonic() + _STOP_S
                self._ask_stop()

    def _ask_stop(self) -> None:
        logger().info("stop asked")
        self._stop_asked.set()
        if self._loop is not None:
            self._loop.is_stopping = True

    def _stop(self) -> None:
        threads: list[PatientThread] = [*self._workers, self._relay]
        for thread in threads:
            thread.stop()
        until = monotonic() + _THREADS_END_S
        for thread in threads:
            if thread.is_alive():
                thread.join(max(0.0, until - monotonic()))
        if tracing.export is not None:
            tracing.export.stop()
        self.health.stop()
        self._engine.dispose()
        signal.set_wakeup_fd(-1)
        os.close(self._ring)  # the bell falls silent: whoever still listens ends

    def _live(self) -> dict[str, bool]:
        return {"loop": self._loop is None or _turned_within(self._loop, _HEARTBEAT_MAX_S)}

    def _ready(self) -> dict[str, bool]:
        checks = self._checks()
        for check, holds in checks.items():
            READY.labels(self._spec.name, check).set(holds)
        return checks

    def _checks(self) -> dict[str, bool]:
        loop = self._loop
        if loop is None:
            return {"started": False}
        return {
            "started": True,
            "loop": _turned_within(loop, _TURN_MAX_S),
            "assigned": loop.assignment.is_claimed,
            "broker": loop.assignment.broker_answers(),
            "authorized": loop.assignment.is_authorized and not self._relay.is_refused,
            "database": loop.database_ok,
            "breaker": loop.breaker.state == 0,
            "relay": _works(self._relay),
            "workers": all(map(_works, self._workers)),
        }


def _works(thread: PatientThread) -> bool:
    return thread.is_alive() and thread.failure is None


def _turned_within(loop: ConsumerLoop, seconds: float) -> bool:
    return monotonic() - loop.heartbeat_at < seconds


def run_service(spec: ServiceSpec) -> NoReturn:
    """Run `spec` against the configured servers; exits 0 when stopped, 1 or 2 with a reason."""
    configure(spec.name, "INFO")
    try:
        settings = read_settings()
        configure(spec.name, settings.log_level)
        kafka.LOG.sink = _warn
        faults.arm(settings)
        tracing.arm(settings, spec.name)
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


def _warn(facility: str, text: str, left_out: int) -> None:
    told = {"facility": facility, "text": text[:300], "left_out": left_out}
    if facility == "FAIL":
        told["advice"] = kafka.advice(text)
    logger().warning("kafka client", **told)


def collect_seldom() -> None:
    """Look for cycles less often: a batch is many objects without one, which are soon gone."""
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


def _stop_with_parent() -> None:
    """The parent holds our standard input open; its end, however it came, is ours."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
