"""The statements of JDF resource links: @Amount is the plan, @ActualAmount what was used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from services.ingest.domain.context import Context
from services.ingest.domain.element import Element
from services.ingest.domain.jdf_nodes import Node
from services.ingest.domain.parts import common_part
from services.ingest.domain.reader import Reader
from services.ingest.domain.statement import Amounts, Statement
from services.ingest.domain.words import attribution_of, general, under

_WASTE = "Waste"


@dataclass(frozen=True, slots=True)
class Work:
    """One node and what it states."""

    node: Node
    context: Context
    statements: tuple[Statement, ...]


def of_node(node: Node, context: Context) -> Iterator[Statement]:
    """The statements of a node's links, then those of its resource audits, which win.

    What an audit says was used of a resource replaces what the node's link says of it.
    """
    audited = list(_audited(node, context))
    told = {(one.name, one.trait("ID")) for one in audited if one.amounts.actual is not None}
    for link, resource in node.links():
        for one in of_link(link, resource, context):
            known = (one.name, one.trait("ID")) in told
            planned = Amounts(one.amounts.planned_good, one.amounts.planned_waste)
            yield replace(one, amounts=planned) if known else one
    yield from audited


def _audited(node: Node, context: Context) -> Iterator[Statement]:
    """The first link of each audit: a second one is the link as it was before."""
    for audit in node.audits():
        links = [one for one in audit.children if one.name.endswith("Link")]
        if audit.name != "ResourceAudit" or not links:
            continue
        resource = node.resources.get(links[0].text("rRef") or "", Element("Resource"))
        details = attribution_of(audit.first("MISDetails"), context.attribution)
        order = general(audit, "ChangeOrderID")
        read_at = context.r.instant(audit, "TimeStamp")
        now = replace(context, attribution=under(details, order), actual=True, read_at=read_at)
        yield from of_link(links[0], resource, now)


def of_link(link: Element, resource: Element, context: Context) -> Iterator[Statement]:
    """One statement for each amount of a link, or for the link itself."""
    steps = link.words("CombinedProcessIndex")
    whole = Statement(
        at=link,
        name=link.name.removesuffix("Link"),
        traits=partition(resource, common_part(link), context.r),
        part=common_part(link),
        output=link.text("Usage") == "Output",
        unit=link.text("Unit") or resource.text("Unit"),
        section=context.section,
        attribution=attribution_of(link.first("MISDetails"), context.attribution),
        device=context.device,
        read_at=context.read_at,
        step=int(steps[-1]) if steps and steps[-1].isdecimal() else -1,
    )
    parts = list(link.all("AmountPool", "PartAmount"))
    yield from of_amounts(whole, resource, parts, context)


def of_amounts(
    whole: Statement, resource: Element, parts: list[Element], context: Context
) -> Iterator[Statement]:
    """`whole` once for each `PartAmount`, or once with the amounts that stand at it itself."""
    for one in parts:
        part = {**whole.part, **common_part(one)}
        traits = {**whole.traits, **partition(resource, part, context.r)}
        amounts = _amounts(one, part, context)
        yield replace(whole, at=one, part=part, traits=traits, amounts=amounts)
    if not parts:
        yield replace(whole, amounts=_amounts(whole.at, whole.part, context))


def _amounts(at: Element, part: Mapping[str, str], context: Context) -> Amounts:
    """Good and waste are parts of their own (`Part/@Condition`). Old audits know @Amount alone."""
    planned, actual = context.r.amount(at, "Amount"), context.r.amount(at, "ActualAmount")
    if context.actual:
        planned, actual = None, planned if actual is None else actual
    if part.get("Condition") == _WASTE:
        return Amounts(None, planned, None, actual)
    return Amounts(planned, None, actual, None)


def partition(resource: Element, part: Mapping[str, str], r: Reader) -> Mapping[str, str]:
    """A resource's attributes, with those of its partitions that the part names on top."""
    r.spend(resource, len(resource.children))
    traits = dict(resource.attributes)
    supplied = general(resource, "CustomerSupplied")
    if supplied:
        traits["CustomerSupplied"] = supplied
    for child in resource.children:
        keys = child.attributes.keys() & part.keys() if child.name == resource.name else set()
        if keys and all(child.attributes[key] == part[key] for key in keys):
            return {**traits, **partition(child, part, r)}
    return traits
