"""Records that a service holds instead of having applied them, and those that had their effect."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.auditor.domain.findings import Finding, Severity

OPEN: Final = frozenset({"waiting", "dead", "parked"})
Place = tuple[str, int, int]
NOWHERE: Final[Place] = ("", -1, -1)
"""For facts that are found by their message id alone."""


@dataclass(frozen=True, slots=True)
class Held:
    """One held record; `reason` is its code, or the fact that it waits for."""

    service: str
    topic: str
    partition: int
    offset: int
    state: str
    reason: str
    message_id: UUID | None
    message: str | None
    age_s: float

    @property
    def place(self) -> Place:
        """Topic, partition and offset."""
        return self.topic, self.partition, self.offset

    @property
    def look(self) -> str:
        """Where a person finds it."""
        if self.state == "waiting":
            return f"{self.service}.held_record, {self.topic}/{self.partition}@{self.offset}"
        return f"colophon dlq list --service {self.service} --topic {self.topic}"


class Applied:
    """By service and topic: the message ids that had their effect, and what is held instead."""

    def __init__(
        self, inbox: Mapping[tuple[str, str], frozenset[UUID]], held: Iterable[Held]
    ) -> None:
        self.held = tuple(held)
        self._inbox = inbox
        self._by_id = {(h.service, h.message_id): h for h in self.held if h.message_id}
        self._by_place = {(h.service, h.place): h for h in self.held}

    def has(self, service: str, topic: str, message_id: UUID) -> bool:
        """Whether `service` has applied the fact."""
        return message_id in self._inbox.get((service, topic), ())

    def held_at(self, service: str, place: Place) -> Held | None:
        """What `service` holds of the record at `place`."""
        return self._by_place.get((service, place))

    def held_instead(self, service: str, topic: str, message_id: UUID, place: Place) -> Held | None:
        """What `service` holds of a fact that it has not applied."""
        if self.has(service, topic, message_id):
            return None
        by_id = self._by_id.get((service, message_id))
        return by_id or self.held_at(service, place)


def every_record_can_be_published(quarantined: Mapping[str, int]) -> Iterator[Finding]:
    """No record was refused by the broker and put aside (`quarantined`: how many, by service)."""
    for service, count in quarantined.items():
        look = f"{service}.outbox where quarantined is not null"
        yield Finding(f"{service}: outbox", "none put aside", f"{count} records", look)


def held_records(held: Iterable[Held]) -> Iterator[Finding]:
    """Records that wait, failed or queue behind one that does: each has an owner and a reason."""
    for one in held:
        if one.state in OPEN:
            subject = f"{one.service}: {one.topic}/{one.partition}@{one.offset}"
            found = f"{one.state}, {one.reason}" if one.reason else one.state
            detail = f"{found}: {one.message[:400]}" if one.message else found
            yield Finding(subject, "nothing held", detail, one.look, Severity.INFO)
