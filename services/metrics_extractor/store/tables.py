"""The tables and their rows: `job` changes, every other table is only ever added to."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    text,
)

from services.metrics_extractor.domain.release import State
from shared.events.masterdata import CostRate
from shared.events.production import JobCompleted, UsageReported
from shared.store import Json

METADATA: Final = MetaData()
TIME: Final = DateTime(timezone=True)
AMOUNT: Final = Numeric(24, 4)

LEGAL_ENTITY: Final = Table(
    "legal_entity",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("time_zone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    CheckConstraint("valid_to >= valid_from", name="legal_entity_valid"),
)
COST_RATE: Final = Table(
    "cost_rate",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("cost_rate_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("content", Json(CostRate), nullable=False),
    CheckConstraint("valid_to >= valid_from", name="cost_rate_valid"),
)
JOB: Final = Table(
    "job",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("job_id", Text, primary_key=True),
    Column("revision", BigInteger),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("state_since", TIME, nullable=False),
    Column("reports", Integer, nullable=False),
    Column("late_reports", Integer, nullable=False),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in State)), name="job_state"
    ),
    CheckConstraint("(revision IS NULL) = (state = 'gathering')", name="job_revision"),
    CheckConstraint("(reason IS NULL) = (state IN ('gathering', 'extracted'))", name="job_reason"),
    CheckConstraint("late_reports BETWEEN 0 AND reports", name="job_reports"),
    Index("job_open", "state", "state_since", postgresql_where=text("state <> 'extracted'")),
)
USAGE_REPORT: Final = Table(
    "usage_report",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("sender_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("reported_at", TIME, nullable=False),
    Column("received_at", TIME, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("content", Json(UsageReported), nullable=False),
    ForeignKeyConstraint(["legal_entity_id", "job_id"], ["job.legal_entity_id", "job.job_id"]),
    Index("usage_report_job", "legal_entity_id", "job_id"),
)
QUALITY_DECISION: Final = Table(
    "quality_decision",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("sender_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("job_id", Text, nullable=False),
    Column("revision", BigInteger),
    Column("quality", Text, nullable=False),
    Column("decided_at", TIME, nullable=False),
    Column("received_at", TIME, nullable=False),
    Column("late", Boolean, nullable=False),
    CheckConstraint("quality IN ('PASSED', 'FAILED')", name="quality_decision_decided"),
    ForeignKeyConstraint(["legal_entity_id", "job_id"], ["job.legal_entity_id", "job.job_id"]),
    Index("quality_decision_job", "legal_entity_id", "job_id"),
)
COMPLETED_JOB: Final = Table(
    "completed_job",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("job_id", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", Text),
    Column("completed_at", TIME, nullable=False),
    Column("received_at", TIME, nullable=False),
    Column("content", Json(JobCompleted)),
    ForeignKeyConstraint(["legal_entity_id", "job_id"], ["job.legal_entity_id", "job.job_id"]),
)
EXTRACTION: Final = Table(
    "extraction",
    METADATA,
    Column("legal_entity_id", Text, primary_key=True),
    Column("job_id", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("extracted_at", TIME, nullable=False),
    Column("completed_on", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("metrics", Integer, nullable=False),
    Column("reports", Integer, nullable=False),
    Column("cost_rate_id", Text),
    Column("cost_rate_version", BigInteger),
    Column("planned_cost", AMOUNT),
    Column("actual_cost", AMOUNT),
    ForeignKeyConstraint(
        ["legal_entity_id", "job_id", "revision"],
        ["completed_job.legal_entity_id", "completed_job.job_id", "completed_job.revision"],
    ),
)


@dataclass(frozen=True, slots=True)
class EntityRow:
    """One version of a legal entity."""

    legal_entity_id: str
    version: int
    valid_from: date
    valid_to: date | None
    time_zone: str
    currency: str


@dataclass(frozen=True, slots=True)
class RatesHead:
    """One version of a set of cost rates, without its lines."""

    legal_entity_id: str
    cost_rate_id: str
    version: int
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class RatesRow(RatesHead):
    """One version of a set of cost rates."""

    content: CostRate


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job; `revision` is the newest completed one, `reason` why it is not extracted."""

    legal_entity_id: str
    job_id: str
    revision: int | None
    state: str
    reason: str | None
    state_since: datetime
    reports: int
    late_reports: int


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A usage report; `late`: the job was extracted without it."""

    legal_entity_id: str
    sender_id: str
    message_id: str
    job_id: str
    reported_at: datetime
    received_at: datetime
    late: bool
    content: UsageReported


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A quality decision; `late`: the job was extracted without it."""

    legal_entity_id: str
    sender_id: str
    message_id: str
    job_id: str
    revision: int | None
    quality: str
    decided_at: datetime
    received_at: datetime
    late: bool


@dataclass(frozen=True, slots=True)
class CompletedRow:
    """A revision of a completed job; `content` is kept where it was not extracted on arrival.

    A revision below the job's is superseded.
    """

    legal_entity_id: str
    job_id: str
    revision: int
    customer_id: str | None
    completed_at: datetime
    received_at: datetime
    content: JobCompleted | None


@dataclass(frozen=True, slots=True)
class ExtractionRow:
    """A revision whose metrics have been published, with their totals in `currency`."""

    legal_entity_id: str
    job_id: str
    revision: int
    extracted_at: datetime
    completed_on: date
    currency: str
    metrics: int
    reports: int
    cost_rate_id: str | None
    cost_rate_version: int | None
    planned_cost: Decimal | None
    actual_cost: Decimal | None
