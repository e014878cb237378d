"""The node tree of a JDF 1.x ticket: nodes, the resources they link to, and how far they are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.ingest.domain.element import Element
from services.ingest.domain.reader import Reader
from services.ingest.domain.words import ENDED

_INFO_STEPS = 20
_GROUPS = frozenset({"Product", "ProcessGroup"})


@dataclass(frozen=True, slots=True)
class Node:
    """One JDF node; `section` is its job part, or that of the node above it."""

    at: Element
    section: str | None
    resources: Mapping[str, Element]
    r: Reader

    @property
    def product(self) -> bool:
        """Whether the node describes what is sold rather than how it is made."""
        return self.at.text("Type") == "Product"

    @property
    def processes(self) -> tuple[str, ...]:
        """The processes that this node itself carries out."""
        kind = self.at.text("Type") or ""
        if kind == "Combined":
            return self.at.words("Types")
        return () if kind in _GROUPS else (kind,)

    def links(self, name: str | None = None) -> Iterator[tuple[Element, Element]]:
        """The resource links, of this resource name, each with its resource."""
        for pool in self.at.all("ResourceLinkPool"):
            for link in pool.children:
                resource = self.resources.get(link.text("rRef") or "")
                if resource is not None and name in {None, link.name.removesuffix("Link")}:
                    yield link, resource

    def infos(self, name: str) -> Iterator[Element]:
        """NodeInfo or CustomerInfo: linked (JDF 1.3 and later) or as a child (before)."""
        yield from self.at.all(name)
        for link, resource in self.links(name):
            for one in resource.walk():
                self.r.spend(link, _INFO_STEPS)
                if one.name == name:
                    yield one

    def audits(self) -> list[Element]:
        """The node's audits, less those that a later one corrects (@refID)."""
        pool = [audit for audits in self.at.all("AuditPool") for audit in audits.children]
        corrected = {audit.text("refID") for audit in pool} - {None}
        return [audit for audit in pool if audit.text("ID") not in corrected]


def nodes_of(root: Element, r: Reader) -> list[Node]:
    """The root node and all below it, in document order."""
    resources = {
        id_: resource
        for pool in root.walk()
        if pool.name == "ResourcePool"
        for resource in pool.children
        if (id_ := resource.text("ID"))
    }
    return list(_nodes(root, None, resources, r))


def _nodes(
    at: Element, above: str | None, resources: Mapping[str, Element], r: Reader
) -> Iterator[Node]:
    section = at.text("JobPartID") or above
    yield Node(at, section, resources, r)
    for child in at.all("JDF"):
        yield from _nodes(child, section, resources, r)


def why_open(root: Node) -> str:
    """Why the ticket's root node is not over; empty where it is.

    A node whose state its partitions hold (Pool, Part) is over when all of them are.
    """
    status = root.at.text("Status")
    if status in ENDED or status is None:
        return ""
    if status in {"Pool", "Part"}:
        parts = [one.text("Status") for one in root.at.all("StatusPool", "PartStatus")]
        parts += [one.text("NodeStatus") for one in root.infos("NodeInfo")]
        stated = {one for one in parts if one}
        if stated and stated <= ENDED:
            return ""
    return f'the root node is at @Status "{status}"'
