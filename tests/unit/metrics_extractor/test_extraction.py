"""From a released job to its event: what is carried over, what is refused at the end."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from services.metrics_extractor.domain.extraction import extract
from shared.codec.codec import Codec
from shared.errors import Invalid, Rejected
from shared.events.production import Component, Delivery, GangShare
from shared.identity import topic_of
from tests.unit.metrics_extractor.builders import (
    NOON,
    extracted,
    ink,
    item,
    job,
    operation,
    phase,
    report,
)


def test_what_later_services_need_to_know_is_carried_over() -> None:
    drop = Delivery(delivery_id="d", item_id="1", quantity=Decimal(10000), ship_to_country="AT")
    event = extracted(
        job(revision=3, order_ref="PO-1", estimate_ref="E-1", deliveries=(drop,), currency="CHF")
    )
    assert (event.legal_entity_id, event.job_id, event.revision) == ("DE01", "J-1", 3)
    assert (event.customer_id, event.order_ref, event.estimate_ref) == ("C-1", "PO-1", "E-1")
    assert (event.completed_at, event.completed_on) == (NOON, date(2026, 3, 2))
    assert (event.items, event.deliveries, event.currency) == ((item(),), (drop,), "CHF")
    assert event.description == "Flyer"


def test_without_a_currency_the_entitys_holds() -> None:
    assert extracted(job()).currency == "EUR"


FINE = operation(1, component=Component.SERVICES, code="FREIGHT", unit="LS", cost=Decimal("9.005"))


@pytest.mark.parametrize("facts", [(job(), report(operations=(FINE,))), (job(operations=(FINE,)),)])
def test_an_outlay_finer_than_the_currency_is_refused(facts: tuple[Any, ...]) -> None:
    """Half a cent of freight cannot be passed on."""
    with pytest.raises(Invalid) as refused:
        extracted(*facts)
    assert refused.value.code == "amount-too-fine"
    assert refused.value.facts["value"] == "9.005"


def test_a_job_without_customer_is_never_extracted() -> None:
    with pytest.raises(Rejected) as refused:
        extract(
            job(customer_id=None), (), completed_on=date(2026, 3, 2), currency="EUR", costs=None
        )
    assert refused.value.code == "customer-missing"


def test_the_same_facts_give_the_same_event() -> None:
    reports = [report(n, operations=(operation(n, operation_id=f"o{n}"),)) for n in range(1, 9)]
    assert extracted(job(), *reports) == extracted(job(), *reversed(reports))


def test_what_is_extracted_can_be_published() -> None:
    """Thirds of hours and of grams still fit the decimals of the wire."""
    event = extracted(
        job(
            resources=(ink("1000.123456789", section="g"),),
            phases=(phase("08:00", "08:20", section="g"),),
            gang_shares=tuple(
                GangShare(sheet_id="g", job_id=f"J-{n}", copies=Decimal(1), area=Decimal(1))
                for n in (1, 2, 3)
            ),
        )
    )
    codec = Codec()
    assert codec.decode(topic_of(event), codec.encode(event)) == event
    assert [m.actual_good for m in event.metrics] == [
        Decimal("0.333374486"),
        Decimal("0.111111111"),
    ]
