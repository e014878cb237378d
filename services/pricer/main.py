"""The service as the runtime sees it."""

from collections.abc import Iterable
from typing import Final

from services.pricer import handler
from services.pricer.store import PricerStore
from services.pricer.store.tables import JOB, METADATA
from shared.events.masterdata import Agreement, Customer, RateCard
from shared.events.production import MetricsExtracted
from shared.events.sales import EstimateAccepted
from shared.ids import record_key
from shared.runtime.service import Fact, ServiceSpec, Tick


def _customer(event: Customer) -> Iterable[Fact]:
    return (Fact("customer", record_key(event.customer_id)),)


def _agreement(event: Agreement) -> Iterable[Fact]:
    return (Fact("agreement", record_key(event.legal_entity_id, event.customer_id)),)


def _rate_card(event: RateCard) -> Iterable[Fact]:
    return (Fact("rate-card", record_key(event.legal_entity_id, event.rate_card_id)),)


def _estimate(event: EstimateAccepted) -> Iterable[Fact]:
    key = record_key(event.legal_entity_id, event.estimate_id, event.job_id)
    return (Fact("estimate", key),)


SERVICE: Final = ServiceSpec(
    name=handler.SERVICE_NAME,
    metadata=METADATA,
    store=PricerStore,
    handlers={
        Customer: handler.on_customer,
        Agreement: handler.on_agreement,
        RateCard: handler.on_rate_card,
        EstimateAccepted: handler.on_estimate_accepted,
        MetricsExtracted: handler.on_metrics_extracted,
    },
    facts={
        Customer: _customer,
        Agreement: _agreement,
        RateCard: _rate_card,
        EstimateAccepted: _estimate,
    },
    give_up={MetricsExtracted: handler.give_up},
    ticks=(Tick("reprice", handler.reprice),),
    grants={table.name: "SELECT, INSERT" for table in METADATA.sorted_tables if table is not JOB},
)
