"""The tables and their rows: `job` changes, every other table is only ever added to."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Numeric,
    Table,
    Text,
    text,
)

from shared.events.billing import JobPriced, Path
from shared.events.masterdata import Agreement, Customer, RateCard
from shared.events.production import MetricsExtracted
from shared.events.sales import EstimateAccepted
from shared.store import Json

METADATA: Final = MetaData()
TIME: Final = DateTime(timezone=True)
AMOUNT: Final = Numeric(24, 4)
_PATHS: Final = ", ".join(f"'{path}'" for path in (
    Path.STRAIGHT_THROUGH, Path.ACTUAL_WITHIN_CAP, Path.REVIEW, Path.HOLD
))  # fmt: skip


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


CUSTOMER: Final = Table(
    "customer",
    METADATA,
    _key("customer_id"),
    _number("version"),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("content", Json(Customer), nullable=False),
    CheckConstraint("valid_to >= valid_from", name="customer_valid"),
    comment="Every version of every customer.",
)
AGREEMENT: Final = Table(
    "agreement",
    METADATA,
    _key("legal_entity_id"),
    _key("agreement_id"),
    _number("version"),
    Column("customer_id", Text, nullable=False),
    Column("rate_card_id", Text, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("content", Json(Agreement), nullable=False),
    CheckConstraint("valid_to >= valid_from", name="agreement_valid"),
    comment="Every version of every agreement.",
)
Index("agreement_customer", AGREEMENT.c.legal_entity_id, AGREEMENT.c.customer_id)
RATE_CARD: Final = Table(
    "rate_card",
    METADATA,
    _key("legal_entity_id"),
    _key("rate_card_id"),
    _number("version"),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("content", Json(RateCard), nullable=False),
    CheckConstraint("valid_to >= valid_from", name="rate_card_valid"),
    comment="Every version of every rate card.",
)
ESTIMATE: Final = Table(
    "estimate",
    METADATA,
    _key("legal_entity_id"),
    _key("estimate_id"),
    _key("job_id"),
    Column("currency", Text, nullable=False),
    Column("net_total", AMOUNT, nullable=False),
    Column("content", Json(EstimateAccepted), nullable=False),
    comment="Accepted estimates, one row for each job of an estimate.",
)
JOB: Final = Table(
    "job",
    METADATA,
    _key("legal_entity_id"),
    _key("job_id"),
    Column("revision", BigInteger, nullable=False),
    Column("pricing_no", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("estimate_ref", Text),
    Column("rate_card_id", Text),
    Column("currency", Text, nullable=False),
    Column("net_total", AMOUNT, nullable=False),
    Column("priced_at", TIME, nullable=False),
    Column("reprice", Boolean, nullable=False),
    CheckConstraint(f"path IN ({_PATHS})", name="job_path"),
    CheckConstraint("revision >= 1 AND pricing_no >= 1", name="job_numbers"),
    CheckConstraint("path = 'HOLD' OR NOT reprice", name="job_reprice"),
    comment="Each job's newest revision and newest price; `reprice` asks for another one.",
)
Index(
    "job_on_hold",
    JOB.c.legal_entity_id,
    JOB.c.customer_id,
    postgresql_where=text("path = 'HOLD'"),
)
Index("job_reprice_due", JOB.c.legal_entity_id, JOB.c.job_id, postgresql_where=text("reprice"))
_OF_JOB: Final = ("legal_entity_id", "job_id"), ("job.legal_entity_id", "job.job_id")
METRICS: Final = Table(
    "metrics",
    METADATA,
    _key("legal_entity_id"),
    _key("job_id"),
    _number("revision"),
    Column("received_at", TIME, nullable=False),
    Column("content", Json(MetricsExtracted), nullable=False),
    ForeignKeyConstraint(*_OF_JOB),
    comment="What each priced revision of a job used.",
)
PRICING: Final = Table(
    "pricing",
    METADATA,
    _key("legal_entity_id"),
    _key("job_id"),
    _number("pricing_no"),
    Column("revision", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("net_total", AMOUNT, nullable=False),
    Column("priced_at", TIME, nullable=False),
    Column("content", Json(JobPriced), nullable=False),
    CheckConstraint(f"path IN ({_PATHS})", name="pricing_path"),
    CheckConstraint("path <> 'HOLD' OR net_total = 0", name="pricing_hold_without_price"),
    CheckConstraint(
        "path NOT IN ('STRAIGHT_THROUGH', 'ACTUAL_WITHIN_CAP') OR net_total > 0",
        name="pricing_billable_above_zero",
    ),
    ForeignKeyConstraint(*_OF_JOB),
    ForeignKeyConstraint(
        ("legal_entity_id", "job_id", "revision"),
        ("metrics.legal_entity_id", "metrics.job_id", "metrics.revision"),
    ),
    comment="Every price a job was ever given.",
)


class Head(NamedTuple):
    """When one version of a master datum holds; `key` is its primary key."""

    key: tuple[str | int, ...]
    version: int
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A version of a customer."""

    customer_id: str
    version: int
    valid_from: date
    valid_to: date | None
    content: Customer

    @classmethod
    def of(cls, event: Customer) -> "CustomerRow":
        """The row of an event."""
        return cls(event.customer_id, event.version, event.valid_from, event.valid_to, event)

    @property
    def head(self) -> Head:
        """When it holds."""
        return Head((self.customer_id, self.version), self.version, self.valid_from, self.valid_to)


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """A version of an agreement."""

    legal_entity_id: str
    agreement_id: str
    version: int
    customer_id: str
    rate_card_id: str
    valid_from: date
    valid_to: date | None
    content: Agreement

    @classmethod
    def of(cls, event: Agreement) -> "AgreementRow":
        """The row of an event."""
        return cls(
            legal_entity_id=event.legal_entity_id,
            agreement_id=event.agreement_id,
            version=event.version,
            customer_id=event.customer_id,
            rate_card_id=event.rate_card_id,
            valid_from=event.valid_from,
            valid_to=event.valid_to,
            content=event,
        )

    @property
    def head(self) -> Head:
        """When it holds."""
        key = (self.legal_entity_id, self.agreement_id, self.version)
        return Head(key, self.version, self.valid_from, self.valid_to)


@dataclass(frozen=True, slots=True)
class RateCardRow:
    """A version of a rate card."""

    legal_entity_id: str
    rate_card_id: str
    version: int
    valid_from: date
    valid_to: date | None
    content: RateCard

    @classmethod
    def of(cls, event: RateCard) -> "RateCardRow":
        """The row of an event."""
        return cls(
            legal_entity_id=event.legal_entity_id,
            rate_card_id=event.rate_card_id,
            version=event.version,
            valid_from=event.valid_from,
            valid_to=event.valid_to,
            content=event,
        )

    @property
    def head(self) -> Head:
        """When it holds."""
        key = (self.legal_entity_id, self.rate_card_id, self.version)
        return Head(key, self.version, self.valid_from, self.valid_to)


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """An accepted estimate for one job."""

    legal_entity_id: str
    estimate_id: str
    job_id: str
    currency: str
    net_total: Decimal
    content: EstimateAccepted

    @classmethod
    def of(cls, event: EstimateAccepted) -> "EstimateRow":
        """The row of an event."""
        return cls(
            legal_entity_id=event.legal_entity_id,
            estimate_id=event.estimate_id,
            job_id=event.job_id,
            currency=event.currency,
            net_total=event.net_total,
            content=event,
        )


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job's newest revision and price; the key of what its price turns on, to price it anew."""

    legal_entity_id: str
    job_id: str
    revision: int
    pricing_no: int
    path: str
    customer_id: str
    estimate_ref: str | None
    rate_card_id: str | None
    currency: str
    net_total: Decimal
    priced_at: datetime
    reprice: bool = False

    @classmethod
    def of(cls, event: JobPriced, priced_at: datetime) -> "JobRow":
        """The row of a job whose newest price is `event`."""
        return cls(
            legal_entity_id=event.legal_entity_id,
            job_id=event.job_id,
            revision=event.revision,
            pricing_no=event.pricing_no,
            path=event.path.value,
            customer_id=event.customer_id,
            estimate_ref=event.estimate_id,
            rate_card_id=event.rate_card_id,
            currency=event.currency,
            net_total=event.net_total,
            priced_at=priced_at,
        )


@dataclass(frozen=True, slots=True)
class MetricsRow:
    """What one revision of a job used."""

    legal_entity_id: str
    job_id: str
    revision: int
    received_at: datetime
    content: MetricsExtracted

    @classmethod
    def of(cls, event: MetricsExtracted, received_at: datetime) -> "MetricsRow":
        """The row of an event."""
        return cls(event.legal_entity_id, event.job_id, event.revision, received_at, event)


@dataclass(frozen=True, slots=True)
class PricingRow:
    """One price of a job."""

    legal_entity_id: str
    job_id: str
    pricing_no: int
    revision: int
    path: str
    currency: str
    net_total: Decimal
    priced_at: datetime
    content: JobPriced

    @classmethod
    def of(cls, event: JobPriced, priced_at: datetime) -> "PricingRow":
        """The row of an event."""
        return cls(
            legal_entity_id=event.legal_entity_id,
            job_id=event.job_id,
            pricing_no=event.pricing_no,
            revision=event.revision,
            path=event.path.value,
            currency=event.currency,
            net_total=event.net_total,
            priced_at=priced_at,
            content=event,
        )
