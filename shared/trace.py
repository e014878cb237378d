"""W3C trace context: which chain of events a record belongs to (https://www.w3.org/TR/trace-context).

Ids derive from message ids, so that a record sent again is the same span again.
"""

import re
from typing import Final, NamedTuple
from uuid import UUID

_FORM: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


class Context(NamedTuple):
    """A span's place: its trace, its own id, its flags; all in hex."""

    trace: str
    span: str
    flags: str


def parsed(header: str | None) -> Context | None:
    """What a `traceparent` says; a malformed one says nothing, as the standard has it."""
    found = _FORM.fullmatch(header or "")
    return Context(*found.groups()) if found else None


def traceparent(identity: UUID, cause: str | None = None) -> str:
    """The `traceparent` of the event `identity`: in the trace of its cause, or a trace of its own.

    `cause` is the `traceparent` of the record that brought the event about.
    """
    found = parsed(cause)
    trace, flags = (found.trace, found.flags) if found else (identity.hex, "01")
    return f"00-{trace}-{identity.hex[16:]}-{flags}"
