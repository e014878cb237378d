"""The service as the runtime sees it."""

from collections.abc import Iterable
from typing import Final

from services.metrics_extractor import handler
from services.metrics_extractor.store import MetricsStore
from services.metrics_extractor.store.tables import JOB, METADATA
from shared.events.masterdata import CostRate, LegalEntity
from shared.events.production import JobCompleted, QualityDecided, UsageReported
from shared.ids import record_key
from shared.runtime.service import Fact, ServiceSpec, Tick


def _entity(event: LegalEntity) -> Iterable[Fact]:
    return (Fact("legal-entity", record_key(event.legal_entity_id)),)


def _rates(event: CostRate) -> Iterable[Fact]:
    return (Fact("cost-rate", record_key(event.legal_entity_id)),)


SERVICE: Final = ServiceSpec(
    name=handler.SERVICE_NAME,
    metadata=METADATA,
    store=MetricsStore,
    handlers={
        LegalEntity: handler.on_legal_entity,
        CostRate: handler.on_cost_rate,
        UsageReported: handler.on_usage_reported,
        QualityDecided: handler.on_quality_decided,
        JobCompleted: handler.on_job_completed,
    },
    facts={LegalEntity: _entity, CostRate: _rates},
    give_up={
        UsageReported: handler.give_up,
        QualityDecided: handler.give_up,
        JobCompleted: handler.give_up,
    },
    ticks=(Tick("figures", handler.show_figures, every_s=15.0),),
    grants={table.name: "SELECT, INSERT" for table in METADATA.sorted_tables if table is not JOB},
)
