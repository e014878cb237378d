"""Substrate, ink and finishing materials: what reports and the completed job say, put together."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from services.metrics_extractor.domain.sources import Source, Told
from services.metrics_extractor.domain.units import canonical, canonical_unit
from services.metrics_extractor.domain.usage import Kind, Subject, Usage, attributed
from shared.events.production import Component, Resource

Material = tuple[Component, str, str | None]
Figures = Mapping[str, Decimal | None]

_FIGURES: Final = ("planned_good", "planned_waste", "actual_good", "actual_waste")
_PLANS: Final = frozenset(_FIGURES[:2])
_TEXT_MAX: Final = 2000


def materials(sources: Sequence[Source]) -> Iterator[Usage]:
    """The job's materials in canonical units.

    Of a plan told again the newest report holds. Use is a running total under its sender's
    resource id: a newer report of it restates it, different ones add up. Where the completed job
    states a figure of the same material in the same section, reports of it are not heard.
    """
    completed, *reports = sources
    for resource in completed.facts.resources:
        yield from _usage(resource, completed, _stated(resource))
    reporting = [report for report in reports if report.facts.resources]
    if reporting:
        yield from _reported(completed, reporting)


def _reported(completed: Source, reports: Sequence[Source]) -> Iterator[Usage]:
    closed = {
        (_material(resource, completed), figure)
        for resource in completed.facts.resources
        for figure, value in _stated(resource).items()
        if value is not None
    }
    told = Told()
    for number, report in enumerate(reports):
        for resource in report.facts.resources:
            material = _material(resource, report)
            total = (report.sender, resource.resource_id, material, resource.side, resource.lot_id)
            heard: dict[str, Decimal | None] = {}
            for figure, value in _stated(resource).items():
                known = value is None or (material, figure) in closed
                thing = (material if figure in _PLANS else total, figure)
                heard[figure] = value if not known and told.holds(thing, number) else None
            yield from _usage(resource, report, heard)


def _stated(resource: Resource) -> Figures:
    return {figure: getattr(resource, figure) for figure in _FIGURES}


def _material(resource: Resource, source: Source) -> Material:
    """By what a material is recognised: ink by its separation first, other things by product."""
    name = resource.product_id or resource.resource_id
    if resource.component is Component.INK and resource.separation:
        name = resource.separation
    return resource.component, name, resource.section or source.section


def _usage(resource: Resource, source: Source, figures: Figures) -> Iterator[Usage]:
    if all(value is None for value in figures.values()):
        return
    used = resource.product_id or resource.separation or resource.resource_id
    unit = resource.unit
    section, share = source.place(resource.section)
    subject = Subject(
        kind=Kind.MATERIAL,
        component=resource.component,
        code=resource.substitute_for or used,
        unit=canonical_unit(unit),
        section=section,
        separation=resource.separation,
        customer_supplied=resource.customer_supplied,
    )
    attribution, words = attributed(resource.attribution), _described(resource, used)
    planned_good, planned_waste, good, waste = (
        None if value is None else canonical(value, unit) for value in figures.values()
    )
    yield Usage(
        subject, attribution, used, words, planned_good, planned_waste, good, waste, share=share
    )


def _described(resource: Resource, code: str) -> str:
    words = resource.description or code
    if resource.separation and resource.separation != words:
        return f"{words}, {resource.separation}"[:_TEXT_MAX]
    return words
