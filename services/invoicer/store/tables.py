"""The invoicer's tables; constraints repeat what the rules promise."""

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
    UniqueConstraint,
    text,
)

from services.invoicer.domain.job import CORRECTION_OPEN, INVOICED, STATES, TAX_HOLD
from shared.events.billing import InvoiceIssued, JobPriced
from shared.events.masterdata import Customer, LegalEntity, TaxRule
from shared.store import Json

METADATA: Final = MetaData()


def _id(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _version(name: str = "version", *, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, autoincrement=False, nullable=False)


def _money(name: str) -> Column[Decimal]:
    return Column(name, Numeric(24, 4), nullable=False)


def _of_invoice() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["legal_entity_id", "invoice_id"], ["invoice.legal_entity_id", "invoice.invoice_id"]
    )


def _one_of(column: str, values: tuple[str, ...], name: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


LEGAL_ENTITY: Final = Table(
    "legal_entity",
    METADATA,
    _id("legal_entity_id", key=True),
    _version(key=True),
    Column("country", Text, nullable=False),
    Column("content", Json(LegalEntity), nullable=False),
    comment="Every version of every legal entity.",
)

CUSTOMER: Final = Table(
    "customer",
    METADATA,
    _id("customer_id", key=True),
    _version(key=True),
    Column("content", Json(Customer), nullable=False),
    comment="Every version of every customer.",
)

TAX_RULE: Final = Table(
    "tax_rule",
    METADATA,
    _id("tax_rule_id", key=True),
    _version(key=True),
    Column("seller_country", Text, nullable=False),
    Column("content", Json(TaxRule), nullable=False),
    Index("tax_rule_seller_country", "seller_country"),
    comment="Every version of every tax rule.",
)

NUMBER_SERIES: Final = Table(
    "number_series",
    METADATA,
    _id("legal_entity_id", key=True),
    _id("series", key=True),
    Column("fiscal_year", Integer, primary_key=True, autoincrement=False),
    Column("last_number", BigInteger, nullable=False),
    Column("last_issued_on", Date, nullable=False),
    CheckConstraint("last_number >= 1", name="last_number_given"),
    comment="The last number given; locked while a batch gives the next ones.",
)

PUBLISHED: Final = Table(
    "published",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("read_up_to", BigInteger, nullable=False),
    comment="How far the published numbers were compared with number_series.",
)

INVOICE: Final = Table(
    "invoice",
    METADATA,
    _id("legal_entity_id", key=True),
    _id("invoice_id", key=True),
    _id("invoice_number"),
    _id("series"),
    Column("fiscal_year", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    _id("job_id"),
    _version("revision"),
    _version("pricing_no"),
    _id("customer_id"),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("currency", Text, nullable=False),
    _money("net_total"),
    _money("tax_total"),
    _money("gross_total"),
    Column("payment_reference", Text, nullable=False),
    Column("content", Json(InvoiceIssued), nullable=False),
    UniqueConstraint("legal_entity_id", "series", "fiscal_year", "sequence", name="number_once"),
    UniqueConstraint("legal_entity_id", "invoice_number", name="number_text_once"),
    UniqueConstraint("legal_entity_id", "job_id", name="job_once"),
    UniqueConstraint("legal_entity_id", "payment_reference", name="reference_once"),
    CheckConstraint("sequence >= 1", name="sequence_from_one"),
    CheckConstraint("gross_total = net_total + tax_total", name="totals_add_up"),
    CheckConstraint("net_total >= 0", name="net_not_negative"),
    CheckConstraint("due_on >= issued_on", name="due_after_issue"),
    comment="Issued invoices; append-only by rights.",
)

INVOICE_LINE: Final = Table(
    "invoice_line",
    METADATA,
    _id("legal_entity_id", key=True),
    _id("invoice_id", key=True),
    Column("line_no", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("quantity", Numeric(28, 9), nullable=False),
    Column("unit", Text, nullable=False),
    Column("unit_price", Numeric(24, 6), nullable=False),
    Column("per", Numeric(28, 9), nullable=False),
    _money("net"),
    Column("tax_category", Text, nullable=False),
    Column("tax_rate", Numeric(24, 6), nullable=False),
    Column("product_class", Text, nullable=False),
    Column("change_order_ref", Text),
    _of_invoice(),
    comment="The lines of issued invoices; append-only by rights.",
)

INVOICE_TAX: Final = Table(
    "invoice_tax",
    METADATA,
    _id("legal_entity_id", key=True),
    _id("invoice_id", key=True),
    _id("category", key=True),
    Column("rate", Numeric(24, 6), primary_key=True, autoincrement=False),
    _money("net"),
    _money("tax"),
    Column("exemption_code", Text),
    _of_invoice(),
    comment="Tax of issued invoices by category and rate; append-only by rights.",
)

DOCUMENT: Final = Table(
    "document",
    METADATA,
    _id("legal_entity_id", key=True),
    _id("invoice_id", key=True),
    _id("document_kind", key=True),
    Column("state", Text, nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", DateTime(timezone=True), nullable=False),
    Column("last_error", Text),
    Column("sha256", Text),
    Column("media_type", Text),
    Column("size_bytes", BigInteger),
    Column("language", Text),
    Column("missing_characters", Text),
    Column("rendered_at", DateTime(timezone=True)),
    _one_of("state", ("pending", "rendering", "rendered", "failed"), "document_state_known"),
    CheckConstraint("(state = 'rendered') = (sha256 IS NOT NULL)", name="rendered_is_stored"),
    CheckConstraint(
        "num_nonnulls(sha256, media_type, size_bytes, language, rendered_at) IN (0, 5)",
        name="stored_is_described",
    ),
    _of_invoice(),
    Index("document_open", "not_before", postgresql_where=text("state <> 'rendered'")),
    comment="Documents to render and rendered; not_before is system time: due, or lease over.",
)

JOB: Final = Table(
    "job",
    METADATA,
    _id("legal_entity_id", key=True),
    _id("job_id", key=True),
    _version("revision"),
    _version("pricing_no"),
    Column("path", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_since", DateTime(timezone=True), nullable=False),
    _id("customer_id"),
    Column("currency", Text, nullable=False),
    _money("net_total"),
    Column("invoice_id", Text),
    Column("hold_reasons", Text),
    Column("recheck", Boolean, nullable=False),
    Column("tried_at", DateTime(timezone=True), nullable=False),
    Column("priced", Json(JobPriced)),
    _one_of("state", STATES, "job_state_known"),
    CheckConstraint(
        f"(invoice_id IS NOT NULL) = (state IN ('{INVOICED}', '{CORRECTION_OPEN}'))",
        name="invoiced_has_invoice",
    ),
    CheckConstraint(
        f"(state = '{TAX_HOLD}') = (priced IS NOT NULL AND hold_reasons IS NOT NULL)",
        name="tax_hold_says_why",
    ),
    CheckConstraint(f"state = '{TAX_HOLD}' OR NOT recheck", name="recheck_only_held"),
    _of_invoice(),
    Index("job_tax_hold", "tried_at", postgresql_where=text(f"state = '{TAX_HOLD}'")),
    Index("job_unbilled", "state", postgresql_where=text(f"state <> '{INVOICED}'")),
    comment="The newest price of every job, and what became of it.",
)

_APPEND_ONLY: Final = (LEGAL_ENTITY, CUSTOMER, TAX_RULE, INVOICE, INVOICE_LINE, INVOICE_TAX)
GRANTS: Final = {table.name: "SELECT, INSERT" for table in _APPEND_ONLY}
