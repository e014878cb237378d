"""What can happen to a record: each fate of the runtime on real Kafka and real PostgreSQL."""

from tests.integration.runtime.conftest import Echo
from tests.integration.runtime.echo import DECIDED, policy, request


def test_a_record_is_applied_once_and_its_event_published(echo: Echo) -> None:
    """Given one request, when it is consumed, then its effect and its event are there once."""
    echo.publish(request("s1", 1))
    echo.until(lambda: echo.subjects() == {"s1": "1,"} and len(echo.published(DECIDED)) == 1)
    assert echo.held() == []


def test_waits(echo: Echo) -> None:
    echo.publish(request("s1", 1, "wait:p1"), request("s1", 2), request("s2", 1))
    echo.until(lambda: echo.subjects() == {"s2": "1,"})
    echo.publish(policy("p1"))
    echo.until(lambda: echo.subjects() == {"s1": "1,2,", "s2": "1,"})
    assert echo.held() == []
