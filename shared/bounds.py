"""What grew beyond its type while it was worked on: no bug, but extreme values of a record."""

from decimal import InvalidOperation
from typing import Final

from pydantic import ValidationError

from shared.errors import Rejected, headline
from shared.events.base import OutOfBounds, faults_of

_NO_FIGURE: Final = ("ConversionSyntax", "DivisionUndefined")
"""What `InvalidOperation` names where nothing has grown: Decimal("abc"), or nothing by nothing."""


def out_of_bounds(error: Exception) -> Rejected | None:
    """The `figure-out-of-bounds` that `error` comes to, if that is what it was.

    A figure with more digits than any event has, or a date after the year 9999.
    """
    words = _too_large(error)
    if words is None:
        return None
    grown = Rejected("figure-out-of-bounds", f"what comes of it is too large: {words}")
    grown.__cause__ = error
    return grown


def _too_large(error: Exception) -> str | None:
    if isinstance(error, ValidationError):
        found = [one.get("ctx", {}).get("error") for one in error.errors()]
        is_too_large = all(isinstance(one, OutOfBounds) for one in found)
        return ": ".join(next(faults_of(error))) if is_too_large else None
    is_bug = isinstance(error, InvalidOperation) and any(kind in str(error) for kind in _NO_FIGURE)
    has_grown = isinstance(error, OverflowError | InvalidOperation) and not is_bug
    return headline(error) if has_grown else None
