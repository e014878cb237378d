"""The HTTP side of a service: /metrics for Prometheus, /livez and /readyz for whoever runs it.

Liveness is the age of the loop's heartbeat, and a stricter age of it is part of readiness, with
assignment, broker, database, breaker, relay and workers. A dead broker makes a service unready,
never dead; nor does a relay or worker that fails: each of its turns starts anew, as a new process
would.
"""

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.errors import ConfigurationError
from shared.metrics import REGISTRY

Check = Callable[[], dict[str, bool]]


class HealthServer:
    """Serves the three paths from a thread.

    On `inherited`, the descriptor of a socket that listens, or else on `host`:`port` (0: any free
    one, see `port`).
    """

    def __init__(
        self, host: str, port: int, live: Check, ready: Check, *, inherited: int | None = None
    ) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(live, ready), False)  # noqa: FBT003 -- its own parameter
        try:
            if inherited is None:
                self._server.server_bind()
                self._server.server_activate()
            else:
                self._server.socket.close()
                self._server.socket = socket.socket(fileno=inherited)
        except OSError as error:
            self._server.server_close()
            msg = f"cannot listen on {host}:{port} ({error.strerror}): set COLOPHON_HTTP_PORT"
            raise ConfigurationError(msg) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="health", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.socket.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _handler(live: Check, ready: Check) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                ready()  # so that its gauges say what holds now
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY))
            elif self.path in ("/livez", "/readyz"):
                checks = live() if self.path == "/livez" else ready()
                status = 200 if all(checks.values()) else 503
                self._answer(status, "application/json", json.dumps(checks).encode())
            else:
                self._answer(404, "text/plain", b"/metrics, /livez, /readyz\n")

        def _answer(self, status: int, media_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes are not worth a log line."""

    return Handler
