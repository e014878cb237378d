"""Products of a JDF 1.x ticket: items, drops, counted finishing, forms that jobs share."""

from services.ingest.domain.outcome import Produced
from shared.events.production import (
    JobCompleted,
    UsageReported,
)
from tests.unit.ingest.made import (
    ENDED,
    completed,
    jdf,
    kinds,
    plain,
    produced,
)
from tests.unit.ingest.made_jdf import CARDS, MAKES, SILK, audit, link, node


def test_the_product_node_says_what_was_ordered_and_the_audit_what_was_made() -> None:
    made = audit('<ComponentLink rRef="c1" Usage="Output" ActualAmount="1010"/>')
    last = node(MAKES.format('Amount="1000"'), made + ENDED)
    (item,) = completed(jdf(CARDS, MAKES.format('Amount="1000"'), nodes=last)).items
    assert (item.item_id, item.product_class) == ("cards", "business-card")
    assert (plain(item.ordered), plain(item.delivered)) == ("1000", "1010")


def test_the_product_nodes_own_figure_comes_first() -> None:
    made = audit('<ComponentLink rRef="c1" Usage="Output" ActualAmount="1010"/>')
    root = MAKES.format('Amount="1000" ActualAmount="990"')
    (item,) = completed(jdf(CARDS, root, nodes=node(MAKES.format(""), made + ENDED))).items
    assert plain(item.delivered) == "990"


def test_partial_products_that_another_takes_in_are_no_items() -> None:
    cover = '<Component ID="c2" ComponentType="PartialProduct"/>'
    links = MAKES.format('Amount="100"') + '<ComponentLink rRef="c2" Usage="Input"/>'
    child = node(
        '<ComponentLink rRef="c2" Usage="Output" Amount="200" ActualAmount="200"/>',
        ENDED,
        'Type="Product"',
    )
    outcome = produced(jdf(CARDS + cover, links, nodes=child))
    job = _job(outcome)
    assert job.items == ()
    assert outcome.notes == (
        "item cards is left out: nothing says how many were made or delivered",
    )


def _job(outcome: Produced) -> JobCompleted:
    job = outcome.events[-1]
    assert isinstance(job, JobCompleted)
    return job


def test_a_process_alone_sells_its_final_product_and_nothing_that_nobody_ordered() -> None:
    sheet = '<Component ID="c2" ComponentType="Sheet"/>'
    unordered = '<Component ID="c3" ComponentType="FinalProduct"/>'
    links = (
        MAKES.format('ActualAmount="50"') + '<ComponentLink rRef="c2" Usage="Output" Amount="9"/>'
    )
    links += '<ComponentLink rRef="c3" Usage="Output"/>'
    ordered = CARDS.replace("/>", ' Amount="60"/>')
    text = jdf(
        ordered + sheet + unordered, links, ENDED, more='Type="DigitalPrinting" Status="Completed"'
    )
    (item,) = completed(text).items
    assert (plain(item.ordered), plain(item.delivered)) == ("60", "50")


def test_names_of_items_come_from_product_part_or_component() -> None:
    plain_component = '<Component ID="c1" DescriptiveName="Cards, gold"/>'
    text = jdf(plain_component, MAKES.format('Amount="5" ActualAmount="5"'), ENDED)
    (item,) = completed(text).items
    assert (item.item_id, item.description) == ("c1", "Cards, gold")
    (part,) = completed(
        text.replace('ID="n1"', 'ID="n1" JobPartID="0" DescriptiveName="Set"')
    ).items
    assert (part.item_id, part.description) == ("0", "Set")


INTENT = (
    '<DeliveryIntent ID="di"><DropIntent DropID="D1"><Contact><Address CountryCode="AT"'
    ' Region="9"/></Contact><DropItemIntent Amount="400"><ComponentRef rRef="c1"/>'
    '</DropItemIntent></DropIntent><DropIntent><ContactRef rRef="ship"/><ContactRef rRef="no"/>'
    '<DropItemIntent Amount="600"/><Required/></DropIntent></DeliveryIntent>'
    '<Contact ID="ship"><Address Country="DE"/></Contact>'
)


def test_several_drops_are_deliveries_of_one_job() -> None:
    links = MAKES.format('Amount="1000"') + link("di", name="DeliveryIntent")
    job = completed(jdf(CARDS + INTENT, links, ENDED))
    assert [
        (one.delivery_id, one.item_id, plain(one.quantity), one.ship_to_country, one.ship_to_region)
        for one in job.deliveries
    ] == [("D1", "cards", "400", "AT", "9"), ("drop-2", "cards", "600", "DE", None)]
    assert [plain(one.delivered) for one in job.items] == ["1000"]


def test_drops_of_delivery_params_take_what_was_really_delivered() -> None:
    params = (
        '<DeliveryParams ID="dp"><Drop><DropItem Amount="500" ActualAmount="480"/>'
        "<DropItem/></Drop></DeliveryParams>"
    )
    links = MAKES.format('Amount="500"') + link("dp", name="DeliveryParams")
    (drop,) = completed(jdf(CARDS + params, links, ENDED)).deliveries
    assert (plain(drop.quantity), drop.ship_to_country) == ("480", None)


def test_a_drop_of_no_product_is_left_out() -> None:
    assert completed(jdf(INTENT, link("di", name="DeliveryIntent"), ENDED)).deliveries == ()


def test_finishing_is_counted_by_what_left_each_process() -> None:
    pool = '<FoldingParams ID="fp" ProductID="FOLD"/><Component ID="c2"/>'
    links = (
        link("fp", name="FoldingParams") + '<ComponentLink rRef="c2" Usage="Output" Amount="100"/>'
    )
    made = audit('<ComponentLink rRef="c2" Usage="Output" ActualAmount="98"/>')
    combined = 'Type="Combined" Types="Folding Stitching Imposition"'
    job = completed(jdf(pool, nodes=node(links, made + ENDED, combined)))
    assert [
        (one.code, one.section, plain(one.planned), plain(one.actual)) for one in job.operations
    ] == [
        ("FOLD", "print", "100", "98"),
        ("Stitching", "print", "100", "98"),
    ]


def test_groups_carry_out_nothing_themselves() -> None:
    links = '<ComponentLink rRef="c1" Usage="Output" Amount="100"/>'
    group = node(links, ENDED, 'Type="ProcessGroup" Types="Folding"')
    assert completed(jdf(CARDS, nodes=group)).operations == ()


def test_a_gang_form_is_reported_to_the_jobs_on_it() -> None:
    pool = SILK + (
        '<NodeInfo ID="ni"><GangSource JobID="A" AssemblyID="X"/><GangSource JobID="B"'
        ' AssemblyID="Y" Copies="3"/></NodeInfo><StrippingParams SheetName="S1">'
        '<StrippingParams AssemblyIDs="X"><Position RelativeBox="0 0 1 0.5"/></StrippingParams>'
        '<StrippingParams AssemblyIDs="Y"><Position RelativeBox="0 0.5 1 1"/></StrippingParams>'
        "</StrippingParams>"
    )
    used = link("m1", 'ActualAmount="500"')
    outcome = produced(jdf(pool, used, ENDED))
    assert kinds(outcome.events) == ["UsageReported", "UsageReported"]
    first = outcome.events[0]
    assert isinstance(first, UsageReported)
    assert [(s.sheet_id, s.job_id, plain(s.copies)) for s in first.gang_shares] == [
        ("gang", "A", "1"),
        ("gang", "B", "3"),
    ]
    assert [one.section for one in first.resources] == ["gang"]
