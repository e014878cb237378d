"""A real Prometheus over a running fleet, with the rules and jobs that we ship."""

import json
import subprocess
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event as Waiter
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import pytest
import yaml

from shared.clock import monotonic
from shared.local.ports import free_port

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
LIMIT_S = 60.0


class Prometheus:
    """Scrapes `ports`, by job, every second; runs inside the `with` block."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self._folder = folder
        config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text("utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(SHIPPED / pattern) for pattern in config["rule_files"]]
        for job in config["scrape_configs"]:
            target = f"127.0.0.1:{ports[job['job_name']]}"
            job["static_configs"] = [{"targets": [target]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")

    def __enter__(self) -> Self:
        self._port = free_port()
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 -- whatever it answers
        """What its API answers; None while it does not."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(parameters)}")
            answer = json.loads(connection.getresponse().read())
        except (OSError, HTTPException, ValueError):
            return None
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """The series that an expression gives now."""
        data = self.ask("query", query=expression)
        return data["result"] if data else []

    def until(self, expression: str) -> None:
        """Wait until `expression` gives something; fails after a minute."""
        deadline, rest = monotonic() + LIMIT_S, Waiter()
        while not self.query(expression):
            if monotonic() > deadline:
                pytest.fail(f"Prometheus has nothing for {expression}")
            rest.wait(0.5)
