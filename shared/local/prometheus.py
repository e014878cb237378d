"""Prometheus beside the services of a local stack, where its program is on the PATH.

It runs under a supervisor like both servers, with the rules that we ship, and keeps its series in
the data directory.
"""

import json
import shutil
import signal
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

from shared.local.ports import LOOPBACK, http_status, remembered_ports
from shared.local.server import ENVIRONMENT, Launch, Server

PROGRAM: Final = "prometheus"
RULES: Final = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "rules"
_EVERY: Final = "1s"
_STOP_S: Final = 10.0


class Prometheus:
    """Scrapes services at `ports`, each a job of its name, once a second."""

    def __init__(self, data_dir: Path, ports: Mapping[str, int]) -> None:
        self._folder = data_dir.resolve() / PROGRAM
        self._ports = ports
        self._server = Server("Prometheus", self._folder, data_dir.resolve() / "logs")

    def start(self) -> str | None:
        """Start it and return its address, or None where there is no program of that name.

        Raises `LocalStackError` when it dies or does not answer.
        """
        program = shutil.which(PROGRAM)
        if program is None:
            return None
        launch = self._server.run(partial(self._prepare, program))
        return f"http://{LOOPBACK}:{launch.port}"

    def stop(self) -> None:
        """Stop it, in bounded time; what it has recorded stays."""
        self._server.stop()

    def end_orphans(self) -> None:
        """See that nothing of an earlier session runs any more; LocalStackError if it does."""
        self._server.end_orphans()

    def _prepare(self, program: str) -> Launch:
        (port,) = remembered_ports(self._folder / "ports", 1)
        config = self._folder / "prometheus.yml"
        config.write_text(json.dumps(self._config(), indent=2), "utf-8")  # JSON is YAML too
        return Launch(
            command=[
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={LOOPBACK}:{port}",
            ],
            cwd=self._folder,
            env=ENVIRONMENT,
            port=port,
            ready=partial(_is_ready, port),
            stop=[(signal.SIGTERM, _STOP_S)],
        )

    def _config(self) -> Mapping[str, object]:
        return {
            "global": {"scrape_interval": _EVERY, "evaluation_interval": _EVERY},
            "rule_files": [str(RULES / "*.yml")],
            "scrape_configs": [
                {"job_name": name, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}
                for name, port in self._ports.items()
            ],
        }


def _is_ready(port: int) -> bool:
    return http_status(port, "/-/ready") == HTTPStatus.OK
