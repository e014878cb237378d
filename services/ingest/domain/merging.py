"""Statements about one thing become one resource; a substrate that stood in for another says so."""

from collections.abc import Iterable, Mapping, Sequence

from services.ingest.domain.statement import Amounts
from services.ingest.domain.words import NOTHING_SAID
from shared.events.production import Component, Resource

Unused = Mapping[str | None, Mapping[str | None, Resource]]
"""The substrates that were planned and not used, by section and product."""


def merged(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """One resource for each id, amounts added: partitions and audits of one thing."""
    found: dict[str, Resource] = {}
    for one in resources:
        known = found.get(one.resource_id)
        found[one.resource_id] = one if known is None else _joined(known, one)
    return tuple(found.values())


def _joined(one: Resource, other: Resource) -> Resource:
    unattributed = one.attribution == NOTHING_SAID
    return _with(one, _amounts(one) + _amounts(other)).model_copy(
        update={
            "product_id": one.product_id or other.product_id,
            "description": one.description or other.description,
            "customer_supplied": one.customer_supplied or other.customer_supplied,
            "attribution": other.attribution if unattributed else one.attribution,
        }
    )


def _with(one: Resource, amounts: Amounts) -> Resource:
    """The same with these amounts, validated: a sum may have more digits than a figure holds."""
    return Resource.model_validate(
        {
            **dict(one),
            "planned_good": amounts.planned_good,
            "planned_waste": amounts.planned_waste,
            "actual_good": amounts.actual_good,
            "actual_waste": amounts.actual_waste,
        }
    )


def _amounts(one: Resource) -> Amounts:
    return Amounts(one.planned_good, one.planned_waste, one.actual_good, one.actual_waste)


def substituted(resources: Sequence[Resource]) -> tuple[Resource, ...]:
    """Where a section used one substrate and planned another, the one stands in for the other.

    The plan moves to the substrate that was used (to its first lot); the one that nobody used
    disappears. Where several could be meant, both stay as they are.
    """
    substrates = [one for one in resources if one.component is Component.SUBSTRATE]
    used = {one.product_id for one in substrates if _amounts(one).actual is not None} | {None}
    unused: dict[str | None, dict[str | None, Resource]] = {}
    for one in substrates:
        if one.product_id not in used:
            unused.setdefault(one.section, {}).setdefault(one.product_id, one)
    replaced: set[str] = set()
    result = []
    for one in resources:
        planned = _amounts(one).planned is not None
        free = one.component is Component.SUBSTRATE and not planned and unused
        meant = _meant(one, unused) if free else None
        if meant is None:
            result.append(one)
            continue
        plan = Amounts() if meant.resource_id in replaced else _amounts(meant)
        replaced.add(meant.resource_id)
        stand_in = _with(one, _amounts(one) + plan)
        result.append(stand_in.model_copy(update={"substitute_for": meant.product_id}))
    return tuple(one for one in result if one.resource_id not in replaced)


def _meant(used: Resource, unused: Unused) -> Resource | None:
    """The one unused substrate that was planned for the section of the used one, or for the job."""
    here = unused.get(used.section)
    if here is None:
        here = unused.get(None, {}) if used.section else _everywhere(unused)
    return next(iter(here.values())) if len(here) == 1 else None


def _everywhere(unused: Unused) -> Mapping[str | None, Resource]:
    return {product: one for by_product in unused.values() for product, one in by_product.items()}
