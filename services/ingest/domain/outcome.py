"""What a file became: events, nothing for a reason, or faults. It is taken whole or not at all."""

from dataclasses import dataclass

from services.ingest.domain.element import Fault
from shared.events.base import Event


@dataclass(frozen=True, slots=True)
class Found:
    """What a document holds: its events, and why parts of it (or all) gave none."""

    events: tuple[Event, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Produced:
    """Events to publish; `notes` say what was rounded, assumed or left out."""

    source: str
    kind: str
    events: tuple[Event, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """A sound file that says nothing about used material or time, and why."""

    source: str
    kind: str
    reason: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that cannot be taken in; nothing of it is published."""

    source: str
    kind: str
    faults: tuple[Fault, ...]


Outcome = Produced | Nothing | Failed
