"""Every record against every consumer: decoded or a dead letter, applied or held, said once."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from services.auditor.domain.facts import Seen
from services.auditor.domain.findings import Finding
from services.auditor.domain.held import Applied, Place
from shared.topology import BY_NAME, consumers


class Records:
    """What must be remembered of every record while the topics pass by."""

    def __init__(self, applied: Applied) -> None:
        built = {service.name for service in consumers()}
        self._readers = {
            name: tuple(reader for reader in topic.consumers if reader in built)
            for name, topic in BY_NAME.items()
        }
        self._applied = applied
        self._first: dict[UUID, tuple[bytes, str, int, int]] = {}
        self.unreadable: list[Seen] = []
        self.differing: list[tuple[Place, Seen]] = []
        self.repeats = 0
        self.read = 0
        self.owed = 0
        self._without_effect: dict[tuple[str, UUID], tuple[Place, int]] = {}
        self.mended: list[Seen] = []

    def take(self, seen: Seen) -> bool:
        """Note a record; False where it says nothing new: unreadable, or said before."""
        self.read += 1
        if seen.message_id is None:
            self.unreadable.append(seen)
            return False
        if seen.mended_by:
            self.mended.append(seen)
        first = self._first.setdefault(seen.message_id, (seen.digest, *seen.place))
        if first[1:] != seen.place:
            self.repeats += 1
            if first[0] != seen.digest:
                self.differing.append((first[1:], seen))
            return False
        for reader in self._readers[seen.topic]:
            self.owed += 1
            if not self._applied.has(reader, seen.topic, seen.message_id):
                self._without_effect[reader, seen.message_id] = seen.place, seen.at_ms
        return True

    def places_that_differ(self) -> list[Place]:
        """The records to be read in full, in order to say whether they differ in content."""
        pairs = ((first, other.place) for first, other in self.differing)
        places = {place for pair in pairs for place in pair}
        return sorted(places | {one.place for one in self.mended if any(self._as_it_stands(one))})

    def unreadable_records_are_dead_letters(self) -> Iterator[Finding]:
        """What is no event of its topic is a dead letter of each of its consumers."""
        for seen in self.unreadable:
            for reader in self._readers[seen.topic]:
                if self._applied.held_at(reader, seen.place) is None:
                    yield Finding(
                        f"{reader}: {_name(seen.place)}",
                        f"a dead letter ({seen.problem})",
                        "nothing held",
                        f"{reader}.held_record",
                        cause_ms=seen.at_ms,
                    )

    def every_record_has_its_effect(self) -> Iterator[Finding]:
        """Every fact on a topic is applied by each of its consumers, or held by it."""
        for (reader, message_id), (place, at_ms) in self._without_effect.items():
            if self._applied.held_instead(reader, place[0], message_id, place) is None:
                yield Finding(
                    f"{reader}: {_name(place)}",
                    f"in the inbox or held (message id {message_id})",
                    "neither",
                    f"{reader}.inbox, {reader}.held_record",
                    cause_ms=at_ms,
                )

    def repeats_say_the_same(
        self, contents: Mapping[Place, Any], corrected: Mapping[Place, Mapping[str, Any]]
    ) -> Iterator[Finding]:
        """A record sent again says the same; what does not is a dead letter of each consumer.

        `contents` are the whole values of `places_that_differ` that are still there, `corrected`
        by place and service those that were applied in place of them. A service of ours never
        differs; what was compacted away since can be compared no more.
        """
        built = {service.name for service in consumers()}
        for first, again in self.differing:
            other = again.place
            if not {first, other} <= contents.keys():
                continue
            if contents[other] in (contents[first], *corrected.get(first, {}).values()):
                continue
            topic = BY_NAME[first[0]]
            if built.intersection(topic.producers):
                what = f"the same content as {_name(first)}"
                look = f"message id {again.message_id}"
                yield Finding(_name(other), what, _difference(contents, first, other), look)
                continue
            for reader in self._readers[topic.name]:
                held = self._applied.held_at(reader, other) or self._applied.held_at(reader, first)
                if held is None:
                    yield Finding(
                        f"{reader}: {_name(other)}",
                        f"a dead letter: it contradicts {_name(first)}",
                        "nothing held",
                        f"{reader}.held_record, message id {again.message_id}",
                        cause_ms=again.at_ms,
                    )

    def mended_records_say_the_same(
        self,
        contents: Mapping[Place, Any],
        corrected: Mapping[Place, Mapping[str, Any]],
    ) -> Iterator[Finding]:
        """What was mended has one content, for every service that applied the record."""
        for seen in self.mended:
            said: dict[str, Any] = dict(corrected[seen.place])
            if seen.place in contents:
                said |= dict.fromkeys(self._as_it_stands(seen), contents[seen.place])
            (first, content), *others = said.items()
            for reader, other in others:
                if other != content:
                    fields = [name for name in content if content[name] != (other or {}).get(name)]
                    yield Finding(
                        f"{reader}: {_name(seen.place)}",
                        f"mended as in {first}",
                        f"other {', '.join(fields) or 'content'}",
                        f"colophon dlq list --all --service {reader} --topic {seen.topic}",
                    )

    def _as_it_stands(self, seen: Seen) -> Iterator[str]:
        """Who applied a mended record as the topic has it."""
        for reader in self._readers[seen.topic]:
            held = self._applied.held_at(reader, seen.place)
            is_own = held is None or held.state == "replayed"
            is_applied = self._applied.has(reader, seen.topic, seen.identity)
            if is_own and is_applied and reader not in seen.mended_by:
                yield reader


def _name(place: Place) -> str:
    return "{}/{}@{}".format(*place)


def _difference(contents: Mapping[Place, Any], first: Place, other: Place) -> str:
    one, two = contents[first] or {}, contents[other] or {}
    fields = [name for name in one if one[name] != two.get(name)]
    return f"differs in {', '.join(fields) or 'all of it'}"
