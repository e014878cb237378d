"""What a JDF 1.x ticket makes and for whom: products, drops, and the finishing that is counted."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from services.ingest.domain.element import Element
from services.ingest.domain.facts import finishing
from services.ingest.domain.jdf_nodes import Node
from services.ingest.domain.jdf_statements import Work
from services.ingest.domain.places import Place, place_of
from services.ingest.domain.reader import Reader
from services.ingest.domain.statement import Amounts, total
from services.ingest.domain.ticket import Item, dropped_by_item
from services.ingest.domain.words import FINISHING, product_class_of
from shared.events.production import Delivery, Operation

_FINAL = "FinalProduct"


def products_of(nodes: Sequence[Node]) -> dict[str, tuple[Node, Element]]:
    """The components that are sold, by resource id, each with the node that puts it out.

    They are what product nodes put out and none of them takes in; without product nodes, what
    calls itself a final product.
    """
    products = [node for node in nodes if node.product]
    taken = {
        _id(one) for node in products for link, one in node.links("Component") if not _out(link)
    }
    found = {
        _id(one): (node, one)
        for node in products or nodes
        for link, one in node.links("Component")
        if _out(link) and (products or _FINAL in one.words("ComponentType"))
    }
    return {id_: one for id_, one in found.items() if id_ not in taken}


def _id(resource: Element) -> str:
    return resource.text("ID") or ""


def _out(link: Element) -> bool:
    return link.text("Usage") == "Output"


def _item_id(node: Node, component: Element) -> str:
    return component.text("ProductID") or node.at.text("JobPartID") or _id(component)


def items_of(
    works: Sequence[Work], r: Reader, drops: Sequence[Delivery], *, customer_supplied: bool
) -> Iterator[Item]:
    """The products that somebody ordered, with what was made of them, or else what drops say."""
    outputs = _outputs(works)
    dropped = dropped_by_item(drops)
    for id_, (node, component) in products_of([work.node for work in works]).items():
        stated = outputs.get(id_, {})
        own = stated.get(id(node), Amounts())
        ordered = own.planned_good or r.amount(component, "Amount")
        if ordered is None:
            continue
        item_id = _item_id(node, component)
        told = (one.actual_good for one in (own, *reversed(stated.values())))
        made = next((one for one in told if one is not None), None)
        yield Item(
            item_id=r.ident(component, "ProductID") or item_id,
            description=node.at.text("DescriptiveName")
            or component.text("DescriptiveName")
            or item_id,
            product_class=product_class_of(r.code(component, "ProductType")),
            ordered=ordered,
            delivered=dropped.get(item_id) if made is None else made,
            customer_supplied=customer_supplied,
        )


def _outputs(works: Sequence[Work]) -> Mapping[str, dict[int, Amounts]]:
    """What each node states of what it puts out, by resource id and node; sheets are no pieces.

    Several nodes may state the same pieces, so they are not added up.
    """
    found: dict[str, dict[int, Amounts]] = {}
    for work in works:
        for one in work.statements:
            if one.output and not one.is_sheet:
                stated = found.setdefault(one.trait("ID") or "", {})
                stated[id(work.node)] = stated.get(id(work.node), Amounts()) + one.amounts
    return found


def deliveries_of(nodes: Sequence[Node], r: Reader) -> tuple[Delivery, ...]:
    """The drops of all delivery intents and parameters.

    A drop item that names no component is of its node's own product.
    """
    products = products_of(nodes)
    items = {id_: _item_id(node, component) for id_, (node, component) in products.items()}
    owned = {id(node): items[id_] for id_, (node, _) in reversed(products.items())}
    found: list[Delivery] = []
    for node in nodes:
        own = owned.get(id(node))
        for drop in _drops(node):
            place = _place(drop, node)
            number = drop.text("DropID") or f"drop-{len(found) + 1}"
            for one in (one for one in drop.children if one.name in {"DropItemIntent", "DropItem"}):
                reference = next((ref.text("rRef") for ref in one.all("ComponentRef")), None)
                item_id = items.get(reference or "") or own
                quantity = r.amount(one, "ActualAmount") or r.amount(one, "Amount")
                if item_id is not None and quantity is not None:
                    found.append(_delivery(number, item_id, quantity, place))
    return tuple(found)


def _delivery(number: str, item_id: str, quantity: Decimal, place: Place) -> Delivery:
    return Delivery(
        delivery_id=number,
        item_id=item_id,
        quantity=quantity,
        ship_to_country=place.country,
        ship_to_region=place.region,
    )


def _drops(node: Node) -> Iterator[Element]:
    for name, drop in (("DeliveryIntent", "DropIntent"), ("DeliveryParams", "Drop")):
        for _, resource in node.links(name):
            yield from resource.all(drop)


def _place(drop: Element, node: Node) -> Place:
    """The address of the drop's contact, inline or referred to."""
    referred = (node.resources.get(ref.text("rRef") or "") for ref in drop.all("ContactRef"))
    contacts = [*drop.all("Contact"), *(one for one in referred if one is not None)]
    address = next((one for contact in contacts for one in contact.all("Address")), None)
    return place_of(address) if address else Place()


def operations_of(work: Work) -> Iterator[Operation]:
    """Each finishing process of a node, counted by what left it."""
    node, attribution = work.node, work.context.attribution
    outputs = [one for one in work.statements if one.name == "Component" and one.output]
    last = max((one.step for one in outputs if one.amounts.stated), default=-1)
    counted = total(one for one in outputs if one.step == last)
    for process in dict.fromkeys(node.processes):
        if process in FINISHING and counted.stated:
            params = next((one for _, one in node.links(f"{process}Params")), None)
            code = params.text("ProductID") if params else None
            yield finishing(node.at, process, code, node.section, counted, attribution)
