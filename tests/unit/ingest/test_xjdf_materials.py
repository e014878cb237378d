"""Materials of an XJDF: planned and actual, good and waste, substitutes, and who pays."""

import pytest

from shared.events.production import (
    Attribution,
    Cause,
    Component,
    CostType,
    UsageReported,
    WorkType,
)
from tests.unit.ingest.made import (
    LEAFLET,
    PRINTING,
    RUN,
    amount,
    audited,
    completed,
    fault,
    figures,
    output,
    paper,
    plain,
    produced,
    reason,
    report,
    resource_set,
    sheets,
    xjdf,
)


# ---------------------------------------------------------------- materials
def test_plan_and_actual_of_one_material_are_one_resource() -> None:
    plan = paper(amount("Amount=500 Waste=40"), 'ExternalID="SILK" DescriptiveName="Silk 135"')
    job = completed(xjdf(plan, audited(paper(amount("Amount=510 Waste=33"))) + RUN))
    (used,) = job.resources
    assert used.resource_id == "SUBSTRATE/SILK/-"
    assert (used.component, used.product_id, used.unit) == (Component.SUBSTRATE, "SILK", "ST")
    assert used.description == "Silk 135"
    assert figures(used) == ("500", "40", "510", "33")


def test_amounts_finer_than_nine_decimals_are_rounded_half_up_aloud() -> None:
    outcome = produced(xjdf(audits=audited(paper(amount("Amount=0.0000000015 Waste=2e-9")))))
    (event,) = outcome.events
    assert isinstance(event, UsageReported)
    assert figures(event.resources[0]) == (None, None, "0.000000002", "0.000000002")
    note = "line 1: @Amount 0.0000000015 rounded half up to nine decimals"
    assert outcome.notes[1:] == (note,)


def test_two_audits_of_one_material_add_up() -> None:
    """An audit covers a run or a part of one; the second does not repeat the first."""
    first = audited(paper(amount("Amount=300 Waste=5")), header='ID="r1"')
    second = audited(paper(amount("Amount=200")), header='ID="r2"')
    (used,) = report(xjdf(audits=first + second)).resources
    assert figures(used) == (None, None, "500", "5")


def test_lots_stay_apart_and_waste_details_add_up() -> None:
    details = '<PartWaste Waste="8" WasteDetails="Sample"/><PartWaste Waste="2.5"/>'
    pool = (
        f'<AmountPool><PartAmount Amount="300"><Part LotID="L1"/>{details}</PartAmount>'
        '<PartAmount Amount="200" Waste="1"><Part LotID="L2"/></PartAmount></AmountPool>'
    )
    found = report(xjdf(audits=audited(paper(pool)))).resources
    assert {one.lot_id: figures(one) for one in found} == {
        "L1": (None, None, "300", "10.5"),
        "L2": (None, None, "200", "1"),
    }
    assert {one.resource_id for one in found} == {
        "SUBSTRATE/SILK/-/lot%3DL1",
        "SUBSTRATE/SILK/-/lot%3DL2",
    }


def test_ink_is_by_separation_sheet_and_side() -> None:
    inks = "".join(
        f'<Resource ExternalID="INK">{amount(grams)}'
        f'<Part SheetName="S1" Side="{side}" Separation="Cyan"/><Ink/></Resource>'
        for side, grams in (("Front", "Amount=12"), ("Back", "Amount=7"))
    )
    found = report(xjdf(audits=audited(resource_set("Ink", inks)))).resources
    assert [(one.separation, one.side, one.section, one.unit) for one in found] == [
        ("Cyan", "Front", "S1", "GRM"),
        ("Cyan", "Back", "S1", "GRM"),
    ]
    assert found[0].resource_id == "INK/Cyan/S1/side%3DFront"


def test_units_come_from_the_set_and_distinguish() -> None:
    roll = resource_set(
        "Media", f"<Resource>{amount('Amount=3.5')}<Media/></Resource>", more='Unit="m2"'
    )
    (used,) = report(xjdf(audits=audited(roll))).resources
    assert (used.unit, used.resource_id) == ("MTK", "SUBSTRATE/-/-/unit%3DMTK")
    assert 'unit "furlong" is not known' in fault(
        xjdf(audits=audited(roll.replace("m2", "furlong")))
    )


def test_countable_paper_is_sheets() -> None:
    counted = resource_set(
        "Media", f"<Resource>{amount('Amount=3')}<Media/></Resource>", more='Unit="count"'
    )
    (used,) = report(xjdf(audits=audited(counted))).resources
    assert used.unit == "ST"


def test_the_sheet_of_a_job_part_is_its_section() -> None:
    pool = amount("Amount=5", '<Part SheetName="S1"/>')
    (used,) = report(
        xjdf(audits=audited(paper(pool)), attributes='JobPartID="Body" Types="Product"')
    ).resources
    assert used.section == "Body/S1"


def test_an_amount_of_several_parts_is_of_what_they_share() -> None:
    pool = amount("Amount=5", '<Part SheetName="S1" LotID="L"/><Part SheetName="S2" LotID="L"/>')
    (used,) = report(xjdf(audits=audited(paper(pool)))).resources
    assert (used.section, used.lot_id) == (None, "L")


def test_customer_supplied_paper_is_marked() -> None:
    supplied = '<GeneralID IDUsage="CustomerSupplied" IDValue="true"/>'
    plan = paper(amount("Amount=500") + supplied)
    job = completed(xjdf(plan, audited(paper(amount("Amount=500"))) + RUN))
    assert [one.customer_supplied for one in job.resources] == [True]


def test_outputs_and_descriptions_are_no_material() -> None:
    made = resource_set("Media", f"<Resource>{amount('Amount=9')}<Media/></Resource>", "Output")
    told = paper("")
    assert "no material used" in reason(xjdf(told, audited(made + told)))


def test_plates_are_counted_and_planned_ones_alone_are_not() -> None:
    plates = '<Resource ExternalID="PLATE">{}<Media MediaType="Plate"/></Resource>'
    plan = resource_set("Media", plates.format(amount("Amount=4")))
    done = audited(resource_set("Media", plates.format(amount("Amount=5"))))
    (work,) = completed(xjdf(plan, done + RUN)).operations
    assert (work.component, work.code, plain(work.actual)) == (Component.SERVICES, "PLATE", "5")
    assert completed(xjdf(plan)).operations == ()


def test_other_consumables_are_counted_under_their_type() -> None:
    glue = f'<Resource>{amount("Amount=2.25")}<MiscConsumable Type="Glue"/></Resource>'
    (work,) = report(
        xjdf(audits=audited(resource_set("MiscConsumable", glue, more='Unit="kg"')))
    ).operations
    assert (work.component, work.code, work.unit) == (Component.FINISHING, "Glue", "KGM")
    assert plain(work.actual) == "2.25"


def test_toner_is_ink() -> None:
    toner = f'<Resource>{amount("Amount=80")}<MiscConsumable Type="Toner"/></Resource>'
    event = report(xjdf(audits=audited(resource_set("MiscConsumable", toner))))
    assert [one.component for one in event.resources] == [Component.INK]
    assert event.operations == ()


# ---------------------------------------------------------------- substitution
def test_another_stock_than_planned_stands_in_for_it() -> None:
    plan = paper(amount("Amount=500 Waste=40"), 'ExternalID="SILK"')
    used = audited(paper(amount("Amount=505 Waste=30"), 'ExternalID="GLOSS"'))
    (found,) = completed(xjdf(plan, used + RUN)).resources
    assert (found.product_id, found.substitute_for) == ("GLOSS", "SILK")
    assert figures(found) == ("500", "40", "505", "30")


def test_two_lots_of_a_substitute_carry_the_plan_once() -> None:
    plan = paper(amount("Amount=500"), 'ExternalID="SILK"')
    pool = (
        '<AmountPool><PartAmount Amount="300"><Part LotID="L1"/></PartAmount>'
        '<PartAmount Amount="200"><Part LotID="L2"/></PartAmount></AmountPool>'
    )
    found = completed(xjdf(plan, audited(paper(pool, 'ExternalID="GLOSS"')) + RUN)).resources
    assert [one.substitute_for for one in found] == ["SILK", "SILK"]
    assert [plain(one.planned_good) for one in found] == ["500", None]


@pytest.mark.parametrize(
    ("planned", "used"), [("", '<Part SheetName="S1"/>'), ('<Part SheetName="S1"/>', "")]
)
def test_a_plan_for_the_job_covers_its_sheets_and_the_other_way_round(
    planned: str, used: str
) -> None:
    plan = paper(amount("Amount=500", planned), 'ExternalID="SILK"')
    audit = audited(paper(amount("Amount=505", used), 'ExternalID="GLOSS"'))
    (found,) = completed(xjdf(plan, audit + RUN)).resources
    assert (found.product_id, found.substitute_for) == ("GLOSS", "SILK")


def test_a_plan_for_one_sheet_says_nothing_of_another() -> None:
    plan = paper(amount("Amount=500", '<Part SheetName="S1"/>'), 'ExternalID="SILK"')
    audit = audited(paper(amount("Amount=5", '<Part SheetName="S2"/>'), 'ExternalID="GLOSS"'))
    found = completed(xjdf(plan, audit + RUN)).resources
    assert [(one.product_id, one.substitute_for) for one in found] == [
        ("SILK", None),
        ("GLOSS", None),
    ]


def test_a_stock_used_beside_the_planned_one_replaces_nothing() -> None:
    plan = paper(amount("Amount=500"), 'ExternalID="SILK"')
    used = audited(paper(amount("Amount=400"), 'ExternalID="SILK"')) + audited(
        paper(amount("Amount=90"), 'ExternalID="GLOSS"'), header='ID="r2"'
    )
    found = completed(xjdf(plan, used + RUN)).resources
    assert [(one.product_id, one.substitute_for) for one in found] == [
        ("SILK", None),
        ("GLOSS", None),
    ]


def test_where_two_stocks_could_be_meant_nothing_is_guessed() -> None:
    plans = paper(amount("Amount=5"), 'ExternalID="A"') + paper(
        amount("Amount=5"), 'ExternalID="B"'
    )
    found = completed(
        xjdf(plans, audited(paper(amount("Amount=5"), 'ExternalID="C"')) + RUN)
    ).resources
    assert {one.substitute_for for one in found} == {None}


def test_an_audit_that_names_less_than_the_plan_means_the_planned_paper() -> None:
    plan = paper(amount("Amount=500"), 'ExternalID="SILK"', 'MediaType="Paper" Weight="135"')
    for told in ("", 'MediaType="Paper" Weight="135.0"'):
        used = audited(paper(amount("Amount=490"), "", told))
        (found,) = completed(xjdf(plan, used + RUN)).resources
        assert (found.product_id, found.substitute_for) == ("SILK", None)


def test_an_audit_of_what_the_plan_leaves_open_means_the_planned_paper() -> None:
    plan = paper(amount("Amount=500"), 'ExternalID="SILK"')
    used = audited(paper(amount("Amount=490"), "", 'MediaType="Paper" Weight="135"'))
    (found,) = completed(xjdf(plan, used + RUN)).resources
    assert (found.product_id, found.substitute_for) == ("SILK", None)


def test_an_audit_that_could_mean_several_planned_papers_means_none() -> None:
    plans = "".join(paper(amount("Amount=5"), f'ExternalID="{name}"') for name in "ABC")
    found = completed(xjdf(plans, audited(paper(amount("Amount=5"), "")) + RUN)).resources
    assert [one.product_id for one in found] == ["A", "B", "C", None]


def test_an_audit_of_another_weight_is_a_substitute_even_without_an_id() -> None:
    plan = paper(amount("Amount=500"), 'ExternalID="SILK"', 'MediaType="Paper" Weight="135"')
    used = audited(paper(amount("Amount=490"), "", 'MediaType="Paper" Weight="170"'))
    (found,) = completed(xjdf(plan, used + RUN)).resources
    assert (found.product_id, found.substitute_for) == ("Paper-170", "SILK")


def test_sheets_that_go_into_a_press_are_its_paper() -> None:
    media = resource_set(
        "Media", '<Resource ID="m1" ExternalID="SILK"><Part SheetName="S1"/><Media/></Resource>'
    )
    plan = media + sheets("Amount=400", 'MediaRef="m1"')
    used = audited(sheets("Amount=410 Waste=12"))
    (found,) = completed(xjdf(plan, used + RUN, attributes=PRINTING)).resources
    assert (found.product_id, found.section) == ("SILK", "S1")
    assert figures(found) == ("400", None, "410", "12")


def test_sheets_that_go_into_a_folder_are_no_paper_again() -> None:
    media = resource_set("Media", '<Resource ID="m1" ExternalID="SILK"><Media/></Resource>')
    plan = media + sheets("Amount=400", 'MediaRef="m1"')
    job = completed(xjdf(plan, audited(sheets("Amount=410")) + RUN, attributes='Types="Folding"'))
    assert job.resources == ()


def test_sheets_whose_paper_nobody_names_are_left_out() -> None:
    two = "".join(f'<Resource ID="m{n}" ExternalID="S{n}"><Media/></Resource>' for n in (1, 2))
    plan = resource_set("Media", two) + sheets("Amount=400")
    assert completed(xjdf(plan, attributes=PRINTING)).resources == ()


# ---------------------------------------------------------------- who pays
def test_rework_stays_apart_from_the_original_work() -> None:
    details = (
        '<MISDetails CostType="NonChargeable" WorkType="Rework"'
        ' WorkTypeDetails="EquipmentMalfunction"/>'
    )
    original = audited(paper(amount("Amount=500")))
    again = audited(paper(amount("Waste=60")), details, 'ID="r2"')
    first, second = report(xjdf(audits=original + again)).resources
    assert first.attribution == Attribution()
    assert second.attribution == Attribution(
        cost_type=CostType.NON_CHARGEABLE, work_type=WorkType.REWORK, cause=Cause.SHOP
    )
    assert first.resource_id != second.resource_id


def test_an_alteration_carries_its_change_order() -> None:
    details = (
        '<MISDetails WorkType="Alteration" CostType="Chargeable"'
        ' WorkTypeDetails="CustomerRequest"/>'
    )
    order = '<GeneralID IDUsage="ChangeOrderID" IDValue="CO-1"/>'
    (found,) = report(xjdf(audits=audited(paper(order + amount("Amount=5")), details))).resources
    assert found.attribution == Attribution(
        cost_type=CostType.CHARGEABLE,
        work_type=WorkType.ALTERATION,
        cause=Cause.CUSTOMER,
        change_order_ref="CO-1",
    )


def test_what_holds_for_the_node_holds_for_its_facts_and_items() -> None:
    details = '<MISDetails CostType="Chargeable" WorkType="Original"/>'
    info = resource_set("NodeInfo", f"<Resource><NodeInfo>{details}</NodeInfo></Resource>")
    used = audited(paper(amount("Amount=5")) + output(amount("Amount=990")))
    job = completed(xjdf(LEAFLET + info, used + RUN))
    expected = Attribution(cost_type=CostType.CHARGEABLE, work_type=WorkType.ORIGINAL)
    assert job.resources[0].attribution == job.items[0].attribution == expected
