"""The statements in XJDF resource sets: planned in the body, actual in audits and messages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from services.ingest.domain.context import Context
from services.ingest.domain.element import Element
from services.ingest.domain.parts import common_part
from services.ingest.domain.statement import Amounts, Statement
from services.ingest.domain.words import attribution_of, general, under


def statements_of_info(info: Element, context: Context) -> Iterator[Statement]:
    """The statements of a `ResourceInfo`, in an audit or a message."""
    details = attribution_of(info.first("MISDetails"), context.attribution)
    for rset in info.all("ResourceSet"):
        yield from statements(rset, replace(context, attribution=details))


def statements(rset: Element, context: Context) -> Iterator[Statement]:
    """One statement for each amount of a resource set; one without amounts where there is none."""
    for resource in rset.all("Resource"):
        whole = _statement(rset, resource, context)
        amounts = list(resource.all("AmountPool", "PartAmount"))
        for one in amounts:
            part = {**whole.part, **common_part(one)}
            yield replace(whole, at=one, part=part, amounts=_amounts(one, context))
        if not amounts:
            yield whole


def _statement(rset: Element, resource: Element, context: Context) -> Statement:
    name, steps = rset.text("Name") or "", rset.words("CombinedProcessIndex")
    order = general(resource, "ChangeOrderID") or general(rset, "ChangeOrderID")
    return Statement(
        at=resource,
        name=name,
        traits=_traits(resource, resource.first(name)),
        part=common_part(resource),
        output=rset.text("Usage") == "Output",
        unit=rset.text("Unit"),
        section=context.section,
        attribution=under(context.attribution, order),
        device=context.device,
        read_at=context.read_at,
        step=int(steps[-1]) if steps and steps[-1].isdecimal() else -1,
    )


def _traits(resource: Element, specific: Element | None) -> Mapping[str, str]:
    traits = {**resource.attributes, **(specific.attributes if specific else {})}
    own = {
        "ProductID": resource.text("ExternalID"),
        "CustomerSupplied": general(resource, "CustomerSupplied"),
    }
    return {**traits, **{name: value for name, value in own.items() if value}}


def _amounts(at: Element, context: Context) -> Amounts:
    good, waste = context.r.amount(at, "Amount"), context.r.amount(at, "Waste")
    if waste is None:
        details = [context.r.amount(one, "Waste") for one in at.all("PartWaste")]
        stated = [one for one in details if one is not None]
        waste = sum(stated[1:], stated[0]) if stated else None
    return Amounts(None, None, good, waste) if context.actual else Amounts(good, waste)


def named_as_planned(
    actual: Sequence[Statement], planned: Sequence[Statement]
) -> Iterator[Statement]:
    """Audited media that say less than the plan are the planned ones, no substitutes."""
    paper = [one for one in planned if one.substrate and one.stated_id]
    for one in actual:
        like = {
            plan.stated_id: plan
            for plan in paper
            if plan.whole_section in {one.whole_section, one.section, None}
            and one.described_id in {plan.described_id, None}
        }
        known = one.stated_id is not None or not one.substrate
        yield one if known or len(like) != 1 else one.called(next(iter(like.values())))


def with_paper(
    planned: Sequence[Statement], actual: Sequence[Statement]
) -> tuple[list[Statement], list[Statement]]:
    """The same, the sheets that go into a press being its paper where no amount of paper is stated.

    The planned paper is what the component's @MediaRef names. An audited medium without amounts
    is what the sheets were really of.
    """
    media = [one for one in planned if one.substrate]
    audited = [one for one in actual if one.substrate]
    return (
        [*planned, *_sheets_of(planned, media)],
        [*actual, *_sheets_of(actual, audited or media)],
    )


def _sheets_of(known: Sequence[Statement], media: Sequence[Statement]) -> Iterator[Statement]:
    if any(one.substrate and one.amounts.stated for one in known):
        return
    for sheet in known:
        if sheet.name == "Component" and not sheet.output and sheet.amounts.stated:
            paper = _paper_of(sheet, media)
            if paper is not None:
                yield replace(sheet, name="Media", traits=paper.traits)


def _paper_of(sheet: Statement, media: Sequence[Statement]) -> Statement | None:
    """The medium that the sheet refers to, else the only one that its part allows."""
    reference = sheet.trait("MediaRef")
    referred = [one for one in media if reference and one.trait("ID") == reference]
    allowed = referred or [
        one for one in media if one.whole_section in {sheet.whole_section, sheet.section}
    ]
    return allowed[0] if len(allowed) == 1 else None
