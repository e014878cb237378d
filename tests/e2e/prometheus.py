"""Questions to a real Prometheus that records a running fleet."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Event as Waiter
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from shared.clock import monotonic

LIMIT_S = 60.0


@dataclass(frozen=True)
class Prometheus:
    """The Prometheus at `address`."""

    address: str

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 -- whatever it answers
        """What its API answers; None while it does not."""
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=10)
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
