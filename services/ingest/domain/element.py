"""An element of a job file: what the mapping reads, whatever parsed it.

Names are local names: elements and attributes of other namespaces are left out when parsing, as
CIP4 asks of consumers that do not know them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.errors import ColophonError


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, for a person: in which line and element where that is known."""

    message: str
    line: int | None = None
    element: str | None = None

    def __str__(self) -> str:
        """The place, then the sentence."""
        place = f"line {self.line}: " if self.line is not None else ""
        return f"{place}<{self.element}> {self.message}" if self.element else place + self.message


class Unreadable(ColophonError):
    """The file cannot be taken in as it is: mend what the faults name and ingest it again."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Element:
    """One XML element: local name, line in its file, attributes, child elements."""

    name: str
    line: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: tuple["Element", ...] = ()

    def text(self, attribute: str) -> str | None:
        """The attribute with its white space collapsed; None where it is absent or empty."""
        return " ".join(self.attributes.get(attribute, "").split()) or None

    def words(self, attribute: str) -> tuple[str, ...]:
        """The attribute as a list of tokens."""
        return tuple(self.attributes.get(attribute, "").split())

    def all(self, *path: str) -> Iterator["Element"]:
        """The descendants down this path of child names, in document order."""
        head, *rest = path
        for child in self.children:
            if child.name == head:
                yield from child.all(*rest) if rest else (child,)

    def first(self, *path: str) -> "Element | None":
        """The first descendant down this path."""
        return next(self.all(*path), None)

    def walk(self) -> Iterator["Element"]:
        """This element and all below it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def unreadable(self, message: str) -> Unreadable:
        """The error that says what is wrong with this element."""
        return Unreadable(Fault(message, self.line, self.name))
