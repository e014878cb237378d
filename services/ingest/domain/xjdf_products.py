"""What an XJDF makes and for whom: products, drops, and the finishing that is counted."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from services.ingest.domain.element import Element
from services.ingest.domain.facts import finishing
from services.ingest.domain.parts import common_part
from services.ingest.domain.places import Place, place_of
from services.ingest.domain.reader import Reader
from services.ingest.domain.statement import Amounts, Statement, total
from services.ingest.domain.ticket import Item, dropped_by_item
from services.ingest.domain.words import FINISHING, general, product_class_of
from shared.events.production import Attribution, Delivery, Operation

_PRODUCT_PARTS = ("ProductPart", "Product")


def _products(root: Element) -> Mapping[str, Element]:
    """The ordered products by item id: the root ones with an amount, else all with an amount."""
    listed = [one for one in root.all("ProductList", "Product") if one.text("Amount")]
    roots = [one for one in listed if one.text("IsRoot") == "true"]
    return {
        one.text("ExternalID") or one.text("ID") or str(number): one
        for number, one in enumerate(roots or listed, 1)
    }


def items_of(
    root: Element, r: Reader, actual: Sequence[Statement], drops: Sequence[Delivery]
) -> Iterator[Item]:
    """The products, each with what the audits say was made of it, or else what its drops say."""
    products = _products(root)
    made = _made(actual)
    dropped = dropped_by_item(drops)
    for item_id, product in products.items():
        names = dict.fromkeys((item_id, product.text("ID") or item_id))
        mine = [made[name] for name in names if name in made]
        alone = [made[None]] if len(products) == 1 and None in made else []
        good = sum(mine or alone, Amounts()).actual_good
        yield Item(
            item_id=r.ident(product, "ExternalID") or item_id,
            description=product.text("DescriptiveName") or product.text("ProductType") or item_id,
            product_class=general(product, "ProductClass")
            or product_class_of(r.code(product, "ProductType")),
            ordered=r.amount(product, "Amount") or Decimal(0),
            delivered=dropped.get(item_id) if good is None else good,
            customer_supplied=general(product, "CustomerSupplied") == "true",
        )


def _made(actual: Sequence[Statement]) -> Mapping[str | None, Amounts]:
    """Pieces by the product that they are of; None where their part names none.

    Sheets and signatures of a product are not pieces of it.
    """
    found: dict[str | None, Amounts] = {}
    for one in _outputs(actual):
        if not one.is_sheet:
            of = _product_part(one)
            found[of] = found.get(of, Amounts()) + one.amounts
    return found


def _product_part(one: Statement) -> str | None:
    return next((found for key in _PRODUCT_PARTS if (found := one.part.get(key))), None)


def _outputs(statements: Sequence[Statement]) -> Sequence[Statement]:
    """What left the last of the combined processes."""
    outputs = [one for one in statements if one.name == "Component" and one.output]
    last = max((one.step for one in outputs if one.amounts.stated), default=-1)
    return [one for one in outputs if one.step == last]


def deliveries_of(root: Element, r: Reader) -> tuple[Delivery, ...]:
    """The drops: every `DropItem` with an amount, its address that of the drop's contact."""
    items = {one.text("ID"): item_id for item_id, one in _products(root).items()}
    places = _places(root)
    found = []
    for number, resource in enumerate(_resources(root, "DeliveryParams"), 1):
        drop = common_part(resource).get("DropID")
        place = places.get(drop) or places.get(None) or Place()
        for item in resource.all("DeliveryParams", "DropItem"):
            quantity, reference = r.amount(item, "Amount"), r.ident(item, "ItemRef")
            if quantity is None:
                continue
            found.append(
                Delivery(
                    delivery_id=drop or f"drop-{number}",
                    item_id=items.get(reference) or reference or next(iter(items.values()), "1"),
                    quantity=quantity,
                    ship_to_country=place.country,
                    ship_to_region=place.region,
                )
            )
    return tuple(found)


def _places(root: Element) -> Mapping[str | None, Place]:
    """Where drops go, by drop id; None is where everything goes that names no drop."""
    found: dict[str | None, Place] = {}
    for resource in _resources(root, "Contact"):
        part, contact = common_part(resource), resource.first("Contact")
        types = contact.words("ContactTypes") if contact else ()
        address = contact.first("Address") if contact else None
        if address and "Delivery" in {part.get("ContactType"), *types}:
            found[part.get("DropID")] = place_of(address)
    return found


def _resources(root: Element, name: str) -> Iterator[Element]:
    return (
        resource
        for rset in root.all("ResourceSet")
        if rset.text("Name") == name
        for resource in rset.all("Resource")
    )


def operations_of(
    root: Element,
    section: str | None,
    attribution: Attribution,
    planned: Sequence[Statement],
    actual: Sequence[Statement],
) -> Iterator[Operation]:
    """Each finishing process of the ticket, counted by what left it."""
    counted: Amounts = total(_outputs(planned)) + total(_outputs(actual))
    for process in dict.fromkeys(root.words("Types")):
        if process in FINISHING and counted.stated:
            params = next(_resources(root, f"{process}Params"), None)
            code = params.text("ExternalID") if params else None
            yield finishing(root, process, code, section, counted, attribution)
