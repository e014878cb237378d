"""What is refused, by which code, and that the message names the field and its value."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.metrics_extractor.domain.checks import (
    REPORTS_MAX,
    check_completed,
    check_decision,
    check_report,
)
from services.metrics_extractor.domain.masterdata import check_entity, check_rates, entity_at
from shared.errors import Invalid, Rejected
from shared.events.production import (
    Component,
    Counter,
    Delivery,
    GangShare,
    PhaseStatus,
    PlannedTime,
    Quality,
)
from tests.unit.metrics_extractor.builders import (
    EIGHT,
    NOON,
    cost_rate,
    decision,
    entity,
    ink,
    item,
    job,
    operation,
    phase,
    rate,
    report,
    sheets,
)

MINUS = Decimal(-1)


def refusal(check: Callable[..., None], *args: object) -> Rejected:
    with pytest.raises(Rejected) as refused:
        check(*args)
    return refused.value


def drop(quantity: int, item_id: str = "1") -> Delivery:
    return Delivery(delivery_id="d", item_id=item_id, quantity=Decimal(quantity))


def share(job_id: str = "J-1", copies: int = 1, area: int = 1) -> GangShare:
    return GangShare(sheet_id="g", job_id=job_id, copies=Decimal(copies), area=Decimal(area))


def counter(**changes: Any) -> Counter:  # noqa: ANN401 - any field of the counter
    fields = {
        "counter_id": "c", "device_id": "HP7900", "kind": "clicks", "unit": "ZP",
        "reading": Decimal(1), "read_at": EIGHT,
    }  # fmt: skip
    return Counter.model_validate(fields | changes)


def planned(hours: Decimal, section: str | None = None) -> PlannedTime:
    return PlannedTime(status=PhaseStatus.RUN, section=section, hours=hours)


A_MONTH = phase("08:00", None).model_copy(update={"end": EIGHT + timedelta(days=32)})

FACTS: list[tuple[dict[str, Any], str, str, object]] = [
    ({"resources": (sheets(1), sheets(-1))}, "negative-quantity",
     "resources[1].actual_good", MINUS),
    ({"resources": (sheets(waste="-1"),)}, "negative-quantity", "resources[0].actual_waste", MINUS),
    ({"resources": (sheets(planned=(-1, 0)),)}, "negative-quantity",
     "resources[0].planned_good", MINUS),
    ({"resources": (sheets(planned=(0, -1)),)}, "negative-quantity",
     "resources[0].planned_waste", MINUS),
    ({"resources": (sheets(1, unit="box"),)}, "unit-unknown", "resources[0].unit", "box"),
    ({"resources": (sheets(1, unit="HUR"),)}, "unit-unsuitable", "resources[0].unit", "HUR"),
    ({"resources": (ink(1, unit="ST"),)}, "unit-unsuitable", "resources[0].unit", "ST"),
    ({"resources": (sheets(1, component=Component.MACHINE),)}, "component-unsuitable",
     "resources[0].component", "MACHINE"),
    ({"phases": (phase("09:00", "08:59"),)}, "times-disagree", "phases[0].end",
     EIGHT + timedelta(minutes=59)),
    ({"phases": (A_MONTH,)}, "times-disagree",
     "phases[0].end", EIGHT + timedelta(days=32)),
    ({"phases": (phase("08:00", None, good=MINUS),)}, "negative-quantity", "phases[0].good", MINUS),
    ({"planned_times": (planned(MINUS),)}, "negative-quantity", "planned_times[0].hours", MINUS),
    ({"operations": (operation(1, unit="box"),)}, "unit-unknown", "operations[0].unit", "box"),
    ({"operations": (operation(1, component=Component.INK),)}, "component-unsuitable",
     "operations[0].component", "INK"),
    ({"operations": (operation(-1),)}, "negative-quantity", "operations[0].actual", MINUS),
    ({"operations": (operation(1, cost=MINUS),)}, "negative-quantity", "operations[0].cost", MINUS),
    ({"operations": (operation(None, cost=Decimal(9)),)}, "quantity-missing",
     "operations[0].actual", None),
    ({"counters": (counter(unit="box"),)}, "unit-unknown", "counters[0].unit", "box"),
    ({"counters": (counter(reading=MINUS),)}, "negative-quantity", "counters[0].reading", MINUS),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "code", "field", "value"), FACTS)
def test_a_fact_that_cannot_be_is_refused_in_a_report_and_in_a_completed_job(
    facts: dict[str, Any], code: str, field: str, value: object
) -> None:
    for error in (
        refusal(check_report, report(**facts), 0),
        refusal(check_completed, job(**facts)),
    ):
        assert isinstance(error, Invalid)
        assert (error.code, error.facts["field"], error.facts["value"]) == (code, field, str(value))


def test_sound_facts_are_taken() -> None:
    """Every branch of the checks that lets something through."""
    facts: dict[str, Any] = {
        "resources": (
            sheets(1), ink(1), ink(1, unit="MLT"), sheets(1, unit="CMK"),
            sheets(1, component=Component.FINISHING, unit="LS"),
        ),
        "phases": (phase("08:00", None), phase("08:00", "08:00"),
                   phase("08:00", "09:00", good=Decimal(5))),
        "planned_times": (planned(Decimal(1)),),
        "operations": (operation(1), operation(None, unit="LS", cost=Decimal(9)),
                       operation(2, cost=Decimal(9))),
        "counters": (counter(),),
    }  # fmt: skip
    check_report(report(**facts), REPORTS_MAX - 1)
    check_completed(job(**facts, started_at=EIGHT))


def test_a_sender_that_repeats_itself_is_stopped() -> None:
    assert refusal(check_report, report(), REPORTS_MAX).code == "too-many-reports"


def test_a_reports_gang_sheets_are_those_it_is_about() -> None:
    """A slip in the sheet's id would bill this job for the sheets of all."""
    gang = (share(),)
    check_report(report(section="g", operations=(operation(1),), gang_shares=gang), 0)
    check_report(report(planned_times=(planned(Decimal(1), section="g"),), gang_shares=gang), 0)
    error = refusal(check_report, report(resources=(sheets(1, section="h"),), gang_shares=gang), 0)
    assert (error.code, error.facts) == ("gang-sheet-unused", {"sheet_id": "g"})
    error = refusal(check_report, report(section="g", gang_shares=(share("J-9"),)), 0)
    assert error.code == "gang-share-missing"


def test_a_decision_must_decide() -> None:
    assert refusal(check_decision, decision(Quality.UNKNOWN)).code == "quality-undecided"
    check_decision(decision(Quality.FAILED))


COMPLETED: list[tuple[dict[str, Any], str, dict[str, str]]] = [
    ({"customer_id": None}, "customer-missing", {"field": "customer_id"}),
    ({"items": ()}, "items-missing", {"field": "items"}),
    ({"items": (item(), item(delivered=MINUS, item_id="2"))}, "negative-quantity",
     {"field": "items[1].delivered", "value": "-1"}),
    ({"items": (item(unit="box"),)}, "unit-unknown", {"field": "items[0].unit"}),
    ({"items": (item(), item())}, "item-repeated", {"value": "1"}),
    ({"started_at": NOON + timedelta(seconds=1)}, "times-disagree", {"field": "started_at"}),
    ({"deliveries": (drop(6000), drop(3999))}, "deliveries-disagree",
     {"item_id": "1", "delivered": "10000", "deliveries": "9999"}),
    ({"deliveries": (drop(10000), drop(1, "7"))}, "item-unknown", {"item_id": "7"}),
    ({"deliveries": (drop(-1),)}, "negative-quantity", {"field": "deliveries[0].quantity"}),
    ({"gang_shares": (share(copies=0),)}, "not-positive", {"field": "gang_shares[0].copies"}),
    ({"gang_shares": (share(area=0),)}, "not-positive", {"field": "gang_shares[0].area"}),
    ({"gang_shares": (share("J-9"),)}, "gang-share-missing", {"sheet_id": "g", "job_id": "J-1"}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "facts"), COMPLETED)
def test_a_completed_job_that_does_not_agree_with_itself_is_refused(
    changes: dict[str, Any], code: str, facts: dict[str, str]
) -> None:
    error = refusal(check_completed, job(**changes))
    assert error.code == code
    assert facts.items() <= error.facts.items()
    assert all(value in str(error) for value in facts.values())


def test_a_completed_job_that_agrees_with_itself_is_taken() -> None:
    check_completed(
        job(
            started_at=NOON,
            items=(item(), item(item_id="2")),
            deliveries=(drop(6000), drop(4000)),
            gang_shares=(share(), share("J-2")),
        )
    )


MASTERDATA: list[tuple[Callable[..., None], object, str, str]] = [
    (check_entity, entity(time_zone="Europe/Nowhere"), "time-zone-unknown", "Europe/Nowhere"),
    (check_entity, entity(time_zone="../etc"), "time-zone-unknown", "../etc"),
    (check_entity, entity(time_zone="Europe"), "time-zone-unknown", "Europe"),
    (check_entity, entity(currency="EUX"), "currency-unknown", "EUX"),
    (check_entity, entity(valid_to=date(2025, 1, 1)), "times-disagree", "2025-01-01"),
    (check_rates, cost_rate(valid_to=date(2025, 1, 1)), "times-disagree", "2025-01-01"),
    (check_rates, cost_rate(currency="EUX"), "currency-unknown", "EUX"),
    (check_rates, cost_rate(lines=(rate(Component.INK, "I", "1", "box"),)), "unit-unknown", "box"),
    (check_rates, cost_rate(lines=(rate(Component.INK, "I", "-1", "KGM"),)), "negative-quantity",
     "lines[0].rate"),
    (check_rates, cost_rate(lines=(rate(Component.INK, "I", "1", "KGM", per=Decimal(0)),)),
     "not-positive", "lines[0].per"),
    (check_rates, cost_rate(lines=(rate(Component.INK, "I", "1", "KGM"),) * 2), "rate-repeated",
     "INK I UNKNOWN"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "event", "code", "named"), MASTERDATA)
def test_master_data_that_cannot_be_used_is_refused(
    check: Callable[..., None], event: object, code: str, named: str
) -> None:
    error = refusal(check, event)
    assert error.code == code
    assert named in str(error)


def test_sound_master_data_is_taken() -> None:
    check_entity(entity(valid_to=date(2026, 1, 1)))
    check_rates(cost_rate())


def test_an_entity_is_the_version_in_force_on_the_day_in_its_own_zone() -> None:
    """23:30 UTC on 30 June is 1 July in Berlin: the version of July holds."""
    first, second = entity(), entity(version=2, valid_from=date(2026, 7, 1))
    at = NOON.replace(month=6, day=30, hour=23, minute=30)
    assert entity_at([first, second], at) is second
    assert entity_at([first, second], at - timedelta(hours=2)) is first


def test_without_a_version_in_force_the_newest_names_the_day() -> None:
    """Whether the entity may invoice then is not asked here."""
    first, second = entity(), entity(version=2, valid_from=date(2026, 7, 1))
    assert entity_at([second, first], NOON.replace(year=2025)) is second
