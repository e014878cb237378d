"""What end-to-end tests do with a running pipeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Event as Waiter
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from shared import db
from shared.clock import monotonic, system_now
from shared.db import AUDITOR
from shared.events.base import Event
from shared.local.hours import working_hour
from shared.local.system import LocalSystem
from shared.producer import publish
from shared.tools import tool
from tests.leases import let_leases_run_out

SETTLE_S = 240.0


@dataclass
class Pipeline:
    """A running pipeline and what may be asked of it."""

    system: LocalSystem

    def simulate(self, jobs: int, seed: int = 7) -> None:
        """Publish the work of `jobs` jobs, all past."""
        simulator = tool("simulator")
        starting = simulator.starting_for(jobs, system_now().date())
        self.publish(simulator.simulate(jobs, seed, starting=starting))

    def special_cases(self, seed: int = 7) -> dict[str, Any]:
        """Publish one job for everything that can go differently; the stories by name."""
        simulator = tool("simulator")
        starting = simulator.starting_for(1, system_now().date())
        stories: dict[str, Any] = dict(simulator.special_cases(seed, starting=starting))
        self.publish(arrival.event for story in stories.values() for arrival in story.arrivals)
        return stories

    def publish(self, events: Iterable[Event]) -> None:
        """Publish events, all acknowledged."""
        publish(self.system.settings, events, "test")

    def settle(self) -> None:
        """Wait until nothing is in flight; fails after four minutes with what still is."""
        status, rest = tool("auditor").status, Waiter()
        deadline = monotonic() + SETTLE_S
        while not (now := status(self.system.settings)).is_settled:
            if monotonic() > deadline:
                pytest.fail(f"not settled in {SETTLE_S} s: {now.explanation}")
            rest.wait(0.3)

    def let_leases_run_out(self) -> None:
        """What killed services had in their hands is taken up now, not in ten minutes."""
        url = self.system.settings.database_url.get_secret_value()
        with psycopg.connect(url, autocommit=True) as connection:
            let_leases_run_out(connection)

    def let_reminders_fall_due(self) -> None:
        """Let 45 days pass, to an hour at which reminders are sent, and what comes of it settle."""
        clock = self.system.clock
        clock.advance(working_hour(clock.now() + timedelta(days=45)) - clock.now())
        self.until("SELECT count(*) FROM dunning_scheduler.reminder")
        self.settle()

    def verify(self) -> Any:  # noqa: ANN401 -- the auditor's report
        """The auditor's report."""
        return tool("auditor").verify(self.system.settings)

    def query(self, sql: str, **parameters: object) -> Sequence[Any]:
        """Rows, under the auditor's role."""
        with db.transaction(self.system.settings, AUDITOR) as connection:
            return connection.execute(text(sql), parameters).all()

    def until(self, sql: str) -> None:
        """Wait until the query's first value is true."""
        deadline, rest = monotonic() + SETTLE_S, Waiter()
        while not self.query(sql)[0][0]:
            assert monotonic() < deadline, f"still nothing: {sql}"
            rest.wait(0.1)

    def until_more(self, service: str) -> None:
        """Wait until the service has applied more records, or nothing is in flight any more."""
        before = self._applied(service)
        deadline, rest = monotonic() + SETTLE_S, Waiter()
        while self._applied(service) == before:
            if tool("auditor").status(self.system.settings).is_settled:
                return
            assert monotonic() < deadline, f"{service} makes no progress"
            rest.wait(0.02)

    def _applied(self, service: str) -> int:
        with db.transaction(self.system.settings, AUDITOR, search_path=service) as connection:
            return int(connection.execute(text("SELECT count(*) FROM inbox")).scalar_one())
