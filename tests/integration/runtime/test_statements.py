"""The number of SQL statements of a batch does not grow with the batch, whatever its fates."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event

from shared.events.base import Event
from tests.integration.runtime.bench import Echo
from tests.integration.runtime.conftest import MakeEcho
from tests.integration.runtime.echo import policy, request

SIZES = (10, 100, 1000)
STATEMENTS_MAX = 20


@pytest.fixture
def echo(make_echo: MakeEcho) -> Echo:
    """The echo service, joined, with batches of up to the largest size."""
    return make_echo(batch_size=max(SIZES)).joined()


@pytest.fixture
def seen(echo: Echo) -> Iterator[list[str]]:
    """Every statement of the service, as it is executed."""
    found: list[str] = []

    def note(*args: object) -> None:
        found.append(str(args[2]))

    event.listen(echo.engine, "before_cursor_execute", note)
    yield found
    event.remove(echo.engine, "before_cursor_execute", note)


def of_every_fate(name: str, size: int) -> list[Event]:
    """Tens of records: applied, duplicate, conflict, rejected, parked, waiting, and a fact."""
    return [
        each
        for n in range(size // 10)
        for each in (
            request(f"{name}-a{n}", 1),
            request(f"{name}-a{n}", 1),
            request(f"{name}-a{n}", 1, note="conflict"),
            request(f"{name}-b{n}", 1, "reject"),
            request(f"{name}-b{n}", 2),
            request(f"{name}-c{n}", 1, f"wait:{name}-{n}"),
            request(f"{name}-d{n}", 1),
            request(f"{name}-e{n}", 1),
            request(f"{name}-f{n}", 1),
            policy(f"{name}-other{n}"),
        )
    ]


def applied_in(echo: Echo, seen: list[str], events: list[Event]) -> list[str]:
    """The statements of one batch over `events`, all of them."""
    echo.publish(*events)
    echo.gather(len(events))
    records = echo.loop._intake.take(0.0)
    assert len(records) == len(events)
    seen.clear()
    assert echo.loop._work(records) == []
    statements = list(seen)
    assert len([sql for sql in statements if sql.startswith("UPDATE consumer_offset")]) == 1
    return statements


def test_statements_do_not_grow_with_the_batch(echo: Echo, seen: list[str]) -> None:
    """Given 10, 100 and 1,000 records of every fate in one batch, then the same statements."""
    runs = [applied_in(echo, seen, of_every_fate(f"n{size}", size)) for size in SIZES]
    assert runs[0] == runs[1] == runs[2]
    assert len(runs[0]) <= STATEMENTS_MAX
    tens = sum(SIZES) // 10
    assert len(echo.subjects()) == 4 * tens
    states = [state for state, _ in echo.held()]
    assert {state: states.count(state) for state in states} == {
        "dead": 2 * tens,
        "parked": tens,
        "waiting": tens,
    }


def test_plain_batches_take_the_fewest(echo: Echo, seen: list[str]) -> None:
    """Given records that are just applied, first and again, then fewer statements, and the same."""
    for version in (1, 2):
        runs = [
            applied_in(echo, seen, [request(f"n{size}-{n}", version) for n in range(size)])
            for size in SIZES
        ]
        assert runs[0] == runs[1] == runs[2]
        assert len(runs[0]) <= STATEMENTS_MAX // 2


def waiters(size: int, version: int) -> list[Event]:
    """Records of so many keys, each waiting for a fact of its own."""
    return [request(f"n{size}-{n}", version, f"wait:n{size}-{n}") for n in range(size)]


def test_taking_up_takes_as_many_statements_for_many_keys(echo: Echo, seen: list[str]) -> None:
    """Given 1, 10 and 100 keys whose facts have come, then they are taken up by the same."""
    runs = []
    for size in (1, 10, 100):
        echo.publish(*waiters(size, 1), *waiters(size, 2))
        echo.until(lambda n=size: len(echo.held()) == 2 * n)  # type: ignore[misc]
        echo.publish(*(policy(f"n{size}-{n}") for n in range(size)))
        echo.gather(size)
        echo.loop._intake.done(echo.loop._work(echo.loop._intake.take(0.0)))
        seen.clear()
        echo.loop.chores._take_up_held()
        runs.append(list(seen))
        assert echo.held() == []
    assert runs[0] == runs[1] == runs[2]
    assert len(runs[0]) <= STATEMENTS_MAX
