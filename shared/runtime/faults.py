"""Named points of the runtime at which a test may have its process killed or stopped.

Off in production: `reach` does nothing until `arm` replaces it, and `arm` serves the children of
a test alone.
"""

import signal
from collections.abc import Callable
from enum import StrEnum

from shared.errors import ConfigurationError
from shared.settings import Settings


class Point(StrEnum):
    """Between two steps of the consumer, of taking up what was held, or of the relay."""

    LOOKED_UP = "looked-up"
    """Kafka has said where new partitions begin, their epochs are not raised yet."""
    CLAIMED = "claimed"
    """The epochs are raised, nothing is read yet."""
    POLLED = "polled"
    BEGUN = "begun"
    FENCED = "fenced"
    HANDLED = "handled"
    """The service's own rows are written, inbox and outbox are not."""
    WRITTEN = "written"
    """Before COMMIT."""
    COMMITTED = "committed"
    COPIED = "copied"
    """After the offsets' copy to Kafka."""
    TAKEN_UP = "taken-up"
    """Held records have met their fate, before COMMIT."""
    SELECTED = "selected"
    PRODUCED = "produced"
    PUBLISHED = "published"
    """After Kafka's commit, before DELETE."""
    DELETED = "deleted"


_ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def _pass(_: Point) -> None:
    """Go on: production."""


reach: Callable[[Point], None] = _pass


def arm(settings: Settings) -> None:
    """Do what the setting `fault` says, "POINT:kill" or "POINT:stop", when first there.

    Raises `ConfigurationError` where it says anything else, or where no test is our parent.
    """
    global reach  # noqa: PLW0603 -- a call costs nothing that way, and nobody arms twice
    if settings.fault is None:
        return
    name, _, action = settings.fault.partition(":")
    if name not in set(Point) or action not in _ACTIONS or not settings.stop_with_parent:
        raise ConfigurationError(
            f"COLOPHON_FAULT={settings.fault}: it is for tests, which start the process with"
            f" COLOPHON_STOP_WITH_PARENT; one of {', '.join(Point)}, then {' or '.join(_ACTIONS)}"
        )
    reach = _fault(Point(name), _ACTIONS[action])


def _fault(at: Point, number: signal.Signals) -> Callable[[Point], None]:
    def strike(point: Point) -> None:
        global reach  # noqa: PLW0603 -- once
        if point is at:
            reach = _pass
            signal.raise_signal(number)  # to this thread: it goes no step further

    return strike
