"""The rows that a tick has claimed, one by one: what breaks on one holds up no other."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.bounds import out_of_bounds
from shared.errors import Rejected
from shared.events.base import Event
from shared.logging import logger
from shared.metrics import CONSUMER_RETRIES
from shared.retry import is_bug
from shared.store import Store

T = TypeVar("T")


def one_by_one(
    service: str,
    store: Store,
    claimed: Iterable[T],
    work: Callable[[T], Iterable[Event]],
    hold: Callable[[T, Rejected], Iterable[Event]] | None = None,
) -> list[Event]:
    """The events of `work` on each of the rows `claimed`; of a row that breaks nothing is kept.

    What is rejected, or out of bounds, goes to `hold`, which puts down why and sees to it that the
    row is not claimed again at once. A bug is logged and counted, once for all rows of this turn;
    its rows stay as they were, to be claimed again.
    """
    events: list[Event] = []
    broken: list[Exception] = []
    for row in claimed:
        store.begin()
        try:
            events += _of_row(store, row, work, hold)
        except Exception as error:
            if not is_bug(error):
                raise
            store.undo()
            broken.append(error)
    if broken:
        CONSUMER_RETRIES.labels(service, "bug").inc()
        logger().error("rows failed", rows=len(broken), exc_info=broken[0])
    return events


def _of_row(
    store: Store,
    row: T,
    work: Callable[[T], Iterable[Event]],
    hold: Callable[[T, Rejected], Iterable[Event]] | None,
) -> list[Event]:
    try:
        return list(work(row))
    except Exception as error:
        why = error if isinstance(error, Rejected) else out_of_bounds(error)
        if why is None or hold is None:
            raise
        store.undo()
        logger().warning("held", code=why.code, reason=why.message)
        return list(hold(row, why))
