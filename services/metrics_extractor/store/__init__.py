"""What the service knows: jobs, the facts gathered under them, and the master data they need.

Everything about a job is written under the lock on its row in `job`, so that two processes that
hear of one job at once decide one after the other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, TextClause, text

from services.metrics_extractor.domain.costs import CostTable, rates_in_force, table_of
from services.metrics_extractor.domain.release import State
from services.metrics_extractor.store.tables import (
    COMPLETED_JOB,
    COST_RATE,
    EXTRACTION,
    JOB,
    LEGAL_ENTITY,
    QUALITY_DECISION,
    USAGE_REPORT,
    CompletedRow,
    DecisionRow,
    EntityRow,
    ExtractionRow,
    JobRow,
    RatesHead,
    RatesRow,
    ReportRow,
)
from shared.events.base import Event
from shared.events.masterdata import CostRate, LegalEntity
from shared.events.production import JobCompleted, QualityDecided, UsageReported
from shared.store import Key, Rows, Store

_UNNEST_JOBS = (
    "unnest(CAST(:entities AS text[]), CAST(:jobs AS text[])) AS j (legal_entity_id, job_id)"
)
_REPORTS_OF_JOBS = text(
    "SELECT r.* FROM usage_report r"  # noqa: S608 - only names of this module
    f" JOIN {_UNNEST_JOBS} USING (legal_entity_id, job_id)"
)
_DECISIONS_OF_JOBS = text(
    "SELECT d.* FROM quality_decision d"  # noqa: S608 - only names of this module
    f" JOIN {_UNNEST_JOBS} USING (legal_entity_id, job_id)"
)
_MASTERDATA = text("""
    SELECT legal_entity_id, NULL AS cost_rate_id, version, valid_from, valid_to,
        time_zone, currency, NULL AS content
    FROM legal_entity WHERE legal_entity_id = ANY (CAST(:entities AS text[]))
    UNION ALL
    SELECT legal_entity_id, cost_rate_id, version, valid_from, valid_to, NULL, NULL,
        CASE WHEN valid_from <= :last AND (valid_to IS NULL OR valid_to >= :first)
            THEN CAST(content AS text) END
    FROM cost_rate WHERE legal_entity_id = ANY (CAST(:entities AS text[]))
""")
"""All versions of some entities and of their cost rates; the lines only where they may hold."""

_UNBILLED = text(
    "SELECT state, count(*) AS jobs FROM job WHERE state <> 'extracted' AND revision IS NOT NULL"
    " GROUP BY state"
)

R = TypeVar("R")
JobKey = tuple[str, str]
Fact = UsageReported | QualityDecided | JobCompleted
_DAY: Final = timedelta(days=1)


class MetricsStore(Store):
    """The tables of this service, and what belongs together in them."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.entities = self.rows(LEGAL_ENTITY, EntityRow, lock=False)
        self.cost_rates = self.rows(COST_RATE, RatesRow, lock=False)
        self.jobs = self.rows(JOB, JobRow)
        self.completed = self.rows(COMPLETED_JOB, CompletedRow, lock=False)
        self.reports = self.rows(USAGE_REPORT, ReportRow, lock=False)
        self.decisions = self.rows(QUALITY_DECISION, DecisionRow, lock=False)
        self.extractions = self.rows(EXTRACTION, ExtractionRow, lock=False)
        self._entities: dict[str, dict[Key, EntityRow]] = defaultdict(dict)
        self._heads: dict[str, dict[Key, RatesHead]] = defaultdict(dict)
        self._cost_tables: dict[Key, CostTable] = {}
        self._reports: dict[JobKey, dict[Key, None]] = defaultdict(dict)
        self._decisions: dict[JobKey, dict[Key, None]] = defaultdict(dict)

    def unbilled(self) -> dict[str, int]:
        """How many completed jobs stand in which state without having been extracted."""
        return {row.state: row.jobs for row in self.connection.execute(_UNBILLED)}

    def prefetch(self, events: Sequence[Event]) -> None:
        """The jobs first, locked; then what stands under those that may be decided now."""
        reports = [e for e in events if isinstance(e, UsageReported)]
        decisions = [e for e in events if isinstance(e, QualityDecided)]
        completed = [e for e in events if isinstance(e, JobCompleted)]
        facts: list[Fact] = [*reports, *decisions, *completed]
        self.jobs.load(self.connection, {(e.legal_entity_id, e.job_id) for e in facts})
        self.reports.load(self.connection, map(message_key, reports))
        self.decisions.load(self.connection, map(message_key, decisions))
        releasing: list[Fact] = [*decisions, *completed]
        deciding = {(e.legal_entity_id, e.job_id) for e in releasing}
        deciding |= {
            (job.legal_entity_id, job.job_id)
            for job in self.jobs.all()
            if job.state == State.AWAITING_REPORTS
        }
        self._load_gathered(sorted(deciding), completed)
        self._load_masterdata(events, deciding)

    def add_report(self, row: ReportRow) -> None:
        """Gather a usage report under its job."""
        self.reports.put(row)
        self._reports[row.legal_entity_id, row.job_id][self.reports.key(row)] = None

    def add_decision(self, row: DecisionRow) -> None:
        """Gather a quality decision under its job."""
        self.decisions.put(row)
        self._decisions[row.legal_entity_id, row.job_id][self.decisions.key(row)] = None

    def add_entity(self, row: EntityRow) -> None:
        """A further version of a legal entity."""
        self._entities[row.legal_entity_id][self.entities.key(row)] = self.entities.put(row)

    def add_rates(self, row: RatesRow) -> None:
        """A further version of a set of cost rates."""
        self._heads[row.legal_entity_id][self.cost_rates.key(row)] = self.cost_rates.put(row)

    def reports_of(self, job: JobRow) -> list[UsageReported]:
        """The usage reports gathered under a job that may be decided in this batch."""
        keys = self._reports[job.legal_entity_id, job.job_id]
        return [row.content for key in keys if (row := self.reports.get(*key))]

    def decisions_on(self, job: JobRow) -> list[DecisionRow]:
        """The quality decisions on a job that may be decided in this batch."""
        keys = self._decisions[job.legal_entity_id, job.job_id]
        return [row for key in keys if (row := self.decisions.get(*key))]

    def content_of(self, job: JobRow) -> JobCompleted:
        """The newest completed revision of a job that may be decided and is not extracted yet."""
        row = self.completed.get(job.legal_entity_id, job.job_id, job.revision)
        if row is None or row.content is None:
            msg = f"job {job.job_id} is {job.state} without a completed revision {job.revision}"
            raise LookupError(msg)
        return row.content

    def versions_of(self, legal_entity_id: str) -> list[EntityRow]:
        """Every version of a legal entity that has a job to decide; none means never seen."""
        return list(self._entities[legal_entity_id].values())

    def has_rates(self, legal_entity_id: str) -> bool:
        """Whether the entity has ever had cost rates."""
        return bool(self._heads[legal_entity_id])

    def rates_on(self, legal_entity_id: str, on: date) -> CostTable | None:
        """The entity's cost rates in force on the day of a job to decide, or None."""
        head = rates_in_force(self._heads[legal_entity_id].values(), on)
        if head is None:
            return None
        key = (head.legal_entity_id, head.cost_rate_id, head.version)
        if key not in self._cost_tables and (added := self.cost_rates.get(*key)):
            self._cost_tables[key] = table_of(added.content)
        return self._cost_tables[key]

    def _load_gathered(self, deciding: Sequence[JobKey], completed: Iterable[JobCompleted]) -> None:
        """What stands under jobs that are known; nothing can stand under others."""
        known = {key: job for key in deciding if (job := self.jobs.get(*key))}
        asked = {(e.legal_entity_id, e.job_id, e.revision) for e in completed}
        asked |= {(*key, job.revision) for key, job in known.items() if job.revision is not None}
        self.completed.absent(key for key in asked if key[:2] not in known)
        self.completed.load(self.connection, asked)
        if known:
            entities, jobs = zip(*known, strict=True)
            keys = {"entities": list(entities), "jobs": list(jobs)}
            self._gather(self.reports, _REPORTS_OF_JOBS, keys, self._reports)
            self._gather(self.decisions, _DECISIONS_OF_JOBS, keys, self._decisions)

    def _gather(
        self,
        rows: Rows[R],
        query: TextClause,
        parameters: Mapping[str, Any],
        index: dict[JobKey, dict[Key, None]],
    ) -> None:
        found = self.connection.execute(query, parameters).mappings().all()
        rows.adopt(found)
        for each in found:
            key = tuple(each[column.name] for column in rows.key_columns)
            index[each["legal_entity_id"], each["job_id"]][key] = None

    def _load_masterdata(self, events: Sequence[Event], deciding: Collection[JobKey]) -> None:
        """All versions of the entities of jobs to decide, and the cost rates they may need."""
        self.entities.load(
            self.connection,
            ((e.legal_entity_id, e.version) for e in events if isinstance(e, LegalEntity)),
        )
        self.cost_rates.load(
            self.connection,
            (
                (e.legal_entity_id, e.cost_rate_id, e.version)
                for e in events
                if isinstance(e, CostRate)
            ),
        )
        if not deciding:
            return
        times = [e.completed_at for e in events if isinstance(e, JobCompleted)]
        times += [row.completed_at for row in self.completed.all()]
        span = {
            "entities": sorted({entity for entity, _ in deciding}),
            "first": (min(times) - _DAY).date() if times else date.max,
            "last": (max(times) + _DAY).date() if times else date.min,
        }
        for row in self.connection.execute(_MASTERDATA, span):
            entity, name, version = row.legal_entity_id, row.cost_rate_id, row.version
            valid = (row.valid_from, row.valid_to)
            if name is None:
                known = EntityRow(entity, version, *valid, row.time_zone, row.currency)
                self._entities[entity][entity, version] = known
                continue
            key = (entity, name, version)
            self._heads[entity][key] = RatesHead(*key, *valid)
            if row.content is not None:
                self._cost_tables[key] = _table(row.content)


def message_key(event: UsageReported | QualityDecided) -> Key:
    """What makes a report or a decision one: legal entity, sender, message."""
    return event.legal_entity_id, event.sender_id, event.message_id


@lru_cache(maxsize=64)
def _table(content: str) -> CostTable:
    """The cost rates that a stored version holds, parsed once for as long as they are in use."""
    return table_of(CostRate.model_validate_json(content))
