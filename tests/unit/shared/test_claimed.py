"""The rows of a tick one by one: what becomes of one that breaks."""

from collections.abc import Callable, Iterable

import pytest
from sqlalchemy import create_engine
from structlog.testing import capture_logs

from shared.errors import ConfigurationError, Rejected, Transient
from shared.events.base import Event
from shared.runtime.claimed import one_by_one
from shared.store import Store


class Noted(Event):
    """What became of a row."""

    words: str


class NotingStore(Store):
    """Counts what is undone."""

    undone = 0

    def undo(self) -> None:
        """Count it."""
        self.undone += 1


@pytest.fixture
def store() -> Iterable[NotingStore]:
    """A store without tables."""
    with create_engine("sqlite://").connect() as connection:
        yield NotingStore(connection)


def failing(error: Exception) -> Callable[[int], list[Event]]:
    """Work that breaks on row 2."""

    def work(row: int) -> list[Event]:
        if row == 2:
            raise error
        return [Noted(words=str(row))]

    return work


def hold(row: int, why: Rejected) -> list[Event]:
    return [Noted(words=f"{row} {why.code}")]


def told(events: Iterable[Event]) -> list[str]:
    return [event.words for event in events if isinstance(event, Noted)]


@pytest.mark.parametrize(
    ("error", "code"),
    [(Rejected("too-odd", "odd"), "too-odd"), (OverflowError("year"), "figure-out-of-bounds")],
)
def test_what_breaks_a_rule_is_held_and_the_others_go_on(
    store: NotingStore, error: Exception, code: str
) -> None:
    events = one_by_one("pricer", store, (1, 2, 3), failing(error), hold)
    assert told(events) == ["1", f"2 {code}", "3"]
    assert store.undone == 1


def test_a_bug_leaves_its_row_and_is_told(store: NotingStore) -> None:
    bug = LookupError("none")
    with capture_logs() as lines:
        events = one_by_one("pricer", store, (1, 2, 3, 2), failing(bug), hold)
    assert told(events) == ["1", "3"]
    assert store.undone == 2
    assert [(line["event"], line["rows"], line["exc_info"]) for line in lines] == [
        ("rows failed", 2, bug)
    ]


def test_a_hold_that_breaks_is_a_bug(store: NotingStore) -> None:
    def broken(row: int, why: Rejected) -> list[Event]:
        raise LookupError(f"{row} {why}")

    with capture_logs() as lines:
        events = one_by_one("pricer", store, (1, 2), failing(Rejected("odd", "odd")), broken)
    assert told(events) == ["1"]
    assert [line["event"] for line in lines] == ["held", "rows failed"]


@pytest.mark.parametrize("error", [Transient("echo", "not yet"), ConfigurationError("no key")])
def test_what_is_no_fault_of_the_row_ends_the_turn(store: NotingStore, error: Exception) -> None:
    with pytest.raises(type(error)):
        one_by_one("pricer", store, (1, 2, 3), failing(error), hold)
