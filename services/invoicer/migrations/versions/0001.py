"""Master data, number series, what was published, invoices, documents, jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go forward; there is no way back but a restored backup."""
    op.create_table(
        "customer",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "version"),
        comment="Every version of every customer.",
    )
    op.create_table(
        "invoice",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("invoice_number", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("fiscal_year", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pricing_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("net_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("tax_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("gross_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("payment_reference", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("due_on >= issued_on", name="due_after_issue"),
        sa.CheckConstraint("gross_total = net_total + tax_total", name="totals_add_up"),
        sa.CheckConstraint("net_total >= 0", name="net_not_negative"),
        sa.CheckConstraint("sequence >= 1", name="sequence_from_one"),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id"),
        sa.UniqueConstraint("legal_entity_id", "invoice_number", name="number_text_once"),
        sa.UniqueConstraint("legal_entity_id", "job_id", name="job_once"),
        sa.UniqueConstraint("legal_entity_id", "payment_reference", name="reference_once"),
        sa.UniqueConstraint(
            "legal_entity_id", "series", "fiscal_year", "sequence", name="number_once"
        ),
        comment="Issued invoices; append-only by rights.",
    )
    op.create_table(
        "legal_entity",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("legal_entity_id", "version"),
        comment="Every version of every legal entity.",
    )
    op.create_table(
        "number_series",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("fiscal_year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("last_issued_on", sa.Date(), nullable=False),
        sa.CheckConstraint("last_number >= 1", name="last_number_given"),
        sa.PrimaryKeyConstraint("legal_entity_id", "series", "fiscal_year"),
        comment="The last number given; locked while a batch gives the next ones.",
    )
    op.create_table(
        "published",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("read_up_to", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
        comment="How far the published numbers were compared with number_series.",
    )
    op.create_table(
        "tax_rule",
        sa.Column("tax_rule_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seller_country", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tax_rule_id", "version"),
        comment="Every version of every tax rule.",
    )
    op.create_index("tax_rule_seller_country", "tax_rule", ["seller_country"], unique=False)
    op.create_table(
        "document",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("document_kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("missing_characters", sa.Text(), nullable=True),
        sa.Column("rendered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'rendered') = (sha256 IS NOT NULL)", name="rendered_is_stored"
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'rendering', 'rendered', 'failed')", name="document_state_known"
        ),
        sa.CheckConstraint(
            "num_nonnulls(sha256, media_type, size_bytes, language, rendered_at) IN (0, 5)",
            name="stored_is_described",
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "invoice_id"],
            ["invoice.legal_entity_id", "invoice.invoice_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id", "document_kind"),
        comment="Documents to render and rendered; not_before is system time: due, or lease over.",
    )
    op.create_index(
        "document_open",
        "document",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state <> 'rendered'"),
    )
    op.create_table(
        "invoice_line",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("line_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=28, scale=9), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("unit_price", sa.Numeric(precision=24, scale=6), nullable=False),
        sa.Column("per", sa.Numeric(precision=28, scale=9), nullable=False),
        sa.Column("net", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("tax_category", sa.Text(), nullable=False),
        sa.Column("tax_rate", sa.Numeric(precision=24, scale=6), nullable=False),
        sa.Column("product_class", sa.Text(), nullable=False),
        sa.Column("change_order_ref", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "invoice_id"],
            ["invoice.legal_entity_id", "invoice.invoice_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id", "line_no"),
        comment="The lines of issued invoices; append-only by rights.",
    )
    op.create_table(
        "invoice_tax",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("rate", sa.Numeric(precision=24, scale=6), autoincrement=False, nullable=False),
        sa.Column("net", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("tax", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("exemption_code", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "invoice_id"],
            ["invoice.legal_entity_id", "invoice.invoice_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "invoice_id", "category", "rate"),
        comment="Tax of issued invoices by category and rate; append-only by rights.",
    )
    op.create_table(
        "job",
        sa.Column("legal_entity_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pricing_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("net_total", sa.Numeric(precision=24, scale=4), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("hold_reasons", sa.Text(), nullable=True),
        sa.Column("recheck", sa.Boolean(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("priced", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "(invoice_id IS NOT NULL) = (state IN ('invoiced', 'correction_open'))",
            name="invoiced_has_invoice",
        ),
        sa.CheckConstraint(
            "(state = 'tax_hold') = (priced IS NOT NULL AND hold_reasons IS NOT NULL)",
            name="tax_hold_says_why",
        ),
        sa.CheckConstraint("state = 'tax_hold' OR NOT recheck", name="recheck_only_held"),
        sa.CheckConstraint(
            "state IN ('review', 'hold', 'rejected', 'tax_hold', 'not_live', 'invoiced',"
            " 'correction_open')",
            name="job_state_known",
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity_id", "invoice_id"],
            ["invoice.legal_entity_id", "invoice.invoice_id"],
        ),
        sa.PrimaryKeyConstraint("legal_entity_id", "job_id"),
        comment="The newest price of every job, and what became of it.",
    )
    op.create_index(
        "job_tax_hold",
        "job",
        ["tried_at"],
        unique=False,
        postgresql_where=sa.text("state = 'tax_hold'"),
    )
    op.create_index(
        "job_unbilled",
        "job",
        ["state"],
        unique=False,
        postgresql_where=sa.text("state <> 'invoiced'"),
    )
