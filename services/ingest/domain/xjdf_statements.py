"""The statements in XJDF resource sets: planned in the body, actual in audits and messages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    attribution = under(context.attribution, general(rset, "ChangeOrderID"))
    of_set = replace(context, attribution=attribution)
    for resource in rset.all("Resource"):
        whole = _statement(rset, resource, of_set)
        amounts = list(resource.all("AmountPool", "PartAmount"))
        for one in amounts:
            part = {**whole.part, **common_part(one)}
            yield replace(whole, at=one, part=part, amounts=_amounts(one, context))
        if not amounts:
            yield whole


def _statement(rset: Element, resource: Element, context: Context) -> Statement:
    name, steps = rset.text("Name") or "", rset.words("CombinedProcessIndex")
    return Statement(
        at=resource,
        name=name,
        traits=_traits(resource, resource.first(name)),
        part=common_part(resource),
        output=rset.text("Usage") == "Output",
        unit=rset.text("Unit"),
        section=context.section,
        attribution=under(context.attribution, general(resource, "ChangeOrderID")),
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
    paper = _Planned(one for one in planned if one.substrate and one.stated_id)
    for one in actual:
        known = one.stated_id is not None or not one.substrate
        meant = None if known else paper.meant(one)
        yield one.called(meant) if meant else one


class _Planned:
    """Planned media by where they are planned and what they are, one for each of the shop's ids."""

    def __init__(self, media: Iterable[Statement]) -> None:
        self._by_place: dict[str | None, dict[str | None, Statement]] = {}
        self._by_kind: dict[tuple[str | None, str | None], dict[str | None, Statement]] = {}
        for one in media:
            here = one.whole_section
            _first_two(self._by_place.setdefault(here, {}), one)
            _first_two(self._by_kind.setdefault((here, one.described_id), {}), one)

    def meant(self, one: Statement) -> Statement | None:
        """The only planned medium where this one was used that it does not contradict."""
        found: dict[str | None, Statement] = {}
        for place in dict.fromkeys((one.whole_section, one.section, None)):
            kinds = dict.fromkeys((one.described_id, None))
            exact = (self._by_kind.get((place, kind), {}) for kind in kinds)
            near = exact if one.described_id else [self._by_place.get(place, {})]
            for media in near:
                found.update(media)
        return next(iter(found.values())) if len(found) == 1 else None


def _first_two(media: dict[str | None, Statement], one: Statement) -> None:
    """Keep the last of each of two ids: that there are two is all that matters."""
    if len(media) <= 1 or one.stated_id in media:
        media[one.stated_id] = one


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
    by_id = {one.trait("ID"): one for one in media}
    by_place: dict[str | None, list[Statement]] = {}
    for one in media:
        by_place.setdefault(one.whole_section, []).append(one)
    for sheet in known:
        if sheet.name == "Component" and not sheet.output and sheet.amounts.stated:
            reference = sheet.trait("MediaRef")
            places = dict.fromkeys((sheet.whole_section, sheet.section))
            allowed = [one for place in places for one in by_place.get(place, [])[:2]]
            alone = allowed[0] if len(allowed) == 1 else None
            paper = by_id.get(reference) if reference in by_id and reference else alone
            if paper is not None:
                yield replace(sheet, name="Media", traits=paper.traits)
