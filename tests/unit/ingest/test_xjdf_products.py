"""Products of an XJDF: items, drops, counted finishing, and forms that several jobs share."""

from decimal import Decimal

from services.ingest.domain.outcome import Produced
from shared.events.production import (
    Component,
    JobCompleted,
    UsageReported,
)
from tests.unit.ingest.made import (
    LEAFLET,
    RUN,
    amount,
    audited,
    completed,
    contact,
    drops,
    fault,
    kinds,
    output,
    paper,
    plain,
    produced,
    reason,
    resource_set,
    status,
    xjdf,
)


# ---------------------------------------------------------------- products, drops, finishing
def test_a_product_is_an_item_with_what_the_audits_say_was_made() -> None:
    job = completed(xjdf(LEAFLET, audited(output(amount("Amount=1010 Waste=20"))) + RUN))
    (item,) = job.items
    assert (item.item_id, item.description, item.product_class) == (
        "leaflet",
        "Cards",
        "business-card",
    )
    assert (plain(item.ordered), plain(item.delivered), item.unit) == ("1000", "1010", "H87")


def test_an_item_of_which_nothing_says_how_many_is_left_out_aloud() -> None:
    outcome = produced(xjdf(LEAFLET))
    (job,) = outcome.events
    assert isinstance(job, JobCompleted)
    assert job.items == ()
    assert "item leaflet is left out" in outcome.notes[0]


def test_sheets_are_not_pieces() -> None:
    sheet = output(amount("Amount=125", '<Part SheetName="S1"/>'))
    assert completed(xjdf(LEAFLET, audited(sheet) + RUN)).items == ()


def test_only_the_last_of_combined_processes_counts() -> None:
    outputs = output(amount("Amount=125"), "0") + output(amount("Amount=990"), "0 1")
    (item,) = completed(xjdf(LEAFLET, audited(outputs) + RUN)).items
    assert plain(item.delivered) == "990"


def test_products_are_told_apart_by_their_part() -> None:
    products = (
        "<ProductList>"
        '<Product IsRoot="true"/><Product ID="A" Amount="10" ProductType="Book"/>'
        '<Product Amount="20" DescriptiveName="Second">'
        '<GeneralID IDUsage="ProductClass" IDValue="sign"/></Product>'
        "</ProductList>"
    )
    pool = (
        '<AmountPool><PartAmount Amount="11"><Part ProductPart="A"/></PartAmount>'
        '<PartAmount Amount="22"><Part Product="2"/></PartAmount>'
        '<PartAmount Amount="99"/></AmountPool>'
    )
    job = completed(xjdf(products, audited(output(pool)) + RUN))
    assert [
        (one.item_id, one.description, one.product_class, plain(one.delivered)) for one in job.items
    ] == [
        ("A", "Book", "book", "11"),
        ("2", "Second", "sign", "22"),
    ]


def test_several_drops_are_deliveries_of_one_job() -> None:
    body = (
        LEAFLET
        + drops('Amount="400"', 'Amount="600"', "")
        + contact('DropID="D1"', 'CountryCode="de"')
    )
    body += contact('DropID="D2"', 'Country="FR" Region="IDF"') + contact(
        'DropID="D3"', "", "Billing"
    )
    job = completed(xjdf(body))
    assert [
        (d.delivery_id, d.item_id, plain(d.quantity), d.ship_to_country, d.ship_to_region)
        for d in job.deliveries
    ] == [
        ("D1", "leaflet", "400", "DE", None),
        ("D2", "leaflet", "600", "FR", "IDF"),
    ]
    (item,) = job.items
    assert (plain(item.delivered), item.ship_to_country) == ("1000", None)


def test_drops_to_one_place_are_the_items_place() -> None:
    body = LEAFLET + drops('Amount="1000"') + contact("", 'Country="Germany"')
    body += contact('ContactType="Delivery"', 'CountryCode="AT"', "")
    (item,) = completed(xjdf(body)).items
    assert item.ship_to_country == "AT"


def test_a_country_that_is_no_code_is_not_guessed() -> None:
    body = LEAFLET + drops('Amount="1000"') + contact("", 'Country="Germany" Region="BY"')
    (delivery,) = completed(xjdf(body)).deliveries
    assert (delivery.ship_to_country, delivery.ship_to_region) == (None, None)


def test_drops_that_disagree_with_what_was_made_are_kept_and_noted() -> None:
    outcome = produced(
        xjdf(LEAFLET + drops('Amount="400"'), audited(output(amount("Amount=990"))) + RUN)
    )
    assert outcome.notes == ("item leaflet: the drops do not add up to 990 delivered",)


def test_drops_without_a_name_or_a_known_item() -> None:
    unnamed = drops('Amount="5"').replace('<Part DropID="D1"/>', "").replace('ItemRef="P1" ', "")
    (first,) = completed(xjdf(LEAFLET + unnamed)).deliveries
    assert (first.delivery_id, first.item_id) == ("drop-1", "leaflet")
    (second,) = completed(xjdf(unnamed)).deliveries
    assert second.item_id == "1"
    (third,) = completed(xjdf(drops('Amount="5"', reference="X"))).deliveries
    assert third.item_id == "X"


def test_finishing_is_counted_by_what_left_it_under_the_shops_code() -> None:
    params = resource_set(
        "FoldingParams", '<Resource ExternalID="FOLD"><FoldingParams/></Resource>'
    )
    plan = params + output(amount("Amount=1000"))
    job = completed(
        xjdf(
            plan,
            audited(output(amount("Amount=990 Waste=8"))) + RUN,
            'Types="Folding Trimming Folding"',
        )
    )
    assert [(one.code, plain(one.planned), plain(one.actual)) for one in job.operations] == [
        ("FOLD", "1000", "990"),
        ("Trimming", "1000", "990"),
    ]
    assert {one.component for one in job.operations} == {Component.FINISHING}


def test_finishing_that_nobody_counted_is_no_operation() -> None:
    assert completed(xjdf(attributes='Types="Folding"')).operations == ()


# ---------------------------------------------------------------- gangs
GANG = (
    resource_set(
        "NodeInfo",
        '<Resource><NodeInfo><GangSource JobID="A" Copies="2" BinderySignatureID="BA"/>'
        '<GangSource JobID="B" BinderySignatureID="BB"/>'
        '<GangSource JobID="B" BinderySignatureID="BB"/></NodeInfo></Resource>',
    )
    + '<ResourceSet Name="Layout"><Resource><Part SheetName="S1"/><Layout>'
    '<Position BinderySignatureID="BA" RelativeBox="0 0 0.5 0.5"/>'
    '<Position BinderySignatureID="BA" RelativeBox="0.5 0 1 0.5"/>'
    '<Position BinderySignatureID="BB" AbsoluteBox="0 50 1 50.5"/>'
    '<Position BinderySignatureID="BC"/></Layout></Resource></ResourceSet>'
)
GANGED = audited(paper(amount("Amount=500", '<Part SheetName="S1"/>'))) + status(
    'Status="InProgress" StartTime="2026-03-02T06:00:00Z"'
)


def gang_events(body: str, audits: str = GANGED + RUN) -> Produced:
    return produced(xjdf(body, audits, 'JobPartID="g" Types="ConventionalPrinting"'))


def test_a_gang_is_reported_to_every_job_on_it_and_billed_to_none_itself() -> None:
    outcome = gang_events(GANG)
    assert outcome.notes == ("gang J1 is billed through the jobs on it: A, B",)
    assert [event.job_id for event in outcome.events if isinstance(event, UsageReported)] == [
        "A",
        "B",
    ]
    for event in outcome.events:
        assert isinstance(event, UsageReported)
        assert [one.section for one in event.resources] == ["g/S1"]
        assert {
            (share.sheet_id, share.job_id, plain(share.copies), plain(share.area))
            for share in event.gang_shares
        } == {
            ("g/S1", "A", "2", "0.250000000"),
            ("g/S1", "B", "1", "0.500000000"),
            ("g", "A", "2", "0.250000000"),
            ("g", "B", "1", "0.500000000"),
        }


def test_a_gang_that_is_one_of_the_jobs_completes_it_too() -> None:
    outcome = gang_events(GANG.replace('JobID="A"', 'JobID="J1"'))
    assert kinds(outcome.events) == ["UsageReported", "UsageReported", "JobCompleted"]
    job = outcome.events[-1]
    assert isinstance(job, JobCompleted)
    assert {share.job_id for share in job.gang_shares} == {"J1", "B"}


def test_a_job_is_told_only_of_the_sheets_on_which_it_stands() -> None:
    layout = GANG.replace(
        '<Position BinderySignatureID="BB" AbsoluteBox="0 50 1 50.5"/>',
        "",
    ) + (
        '<ResourceSet Name="Layout"><Resource><Part SheetName="S2"/><Layout>'
        '<Position BinderySignatureID="BB" RelativeBox="0 0 1 1"/></Layout></Resource>'
        "</ResourceSet>"
    )
    used = audited(
        paper(
            '<AmountPool><PartAmount Amount="5"><Part SheetName="S1"/></PartAmount>'
            '<PartAmount Amount="7"><Part SheetName="S2"/></PartAmount></AmountPool>'
        )
    )
    first, second = gang_events(layout, used).events
    assert isinstance(first, UsageReported)
    assert isinstance(second, UsageReported)
    assert [(one.section, plain(one.actual_good)) for one in first.resources] == [("g/S1", "5")]
    assert [(one.section, plain(one.actual_good)) for one in second.resources] == [("g/S2", "7")]


def test_without_an_area_for_each_copies_count_as_equal_aloud() -> None:
    outcome = gang_events(
        GANG.replace('"BC"', '"BD"').replace('"BB" AbsoluteBox', '"BX" AbsoluteBox')
    )
    assert "taken as equal" in outcome.notes[1]
    event = outcome.events[0]
    assert isinstance(event, UsageReported)
    assert {share.area for share in event.gang_shares} == {Decimal(1)}


def test_a_gang_source_must_name_its_job() -> None:
    assert "whose share this is" in fault(xjdf(GANG.replace('JobID="A"', "")))


def test_a_gang_of_which_nothing_was_used_is_a_plan() -> None:
    assert "a plan" in reason(xjdf(GANG, ""))
