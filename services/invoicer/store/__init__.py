"""What the invoicer knows of a batch, and how it is written: set-based, never committed here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from sqlalchemy import Connection, text

from services.invoicer.domain.invoice import Known, invoice_id
from services.invoicer.domain.numbering import Series
from services.invoicer.store import tables
from services.invoicer.store.rows import (
    CustomerRow,
    DocumentRow,
    InvoiceRow,
    JobRow,
    LegalEntityRow,
    LineRow,
    PublishedRow,
    TaxRow,
    TaxRuleRow,
    invoice_row,
    line_rows,
    tax_rows,
)
from services.invoicer.store.versions import Versions
from shared.events.base import Event
from shared.events.billing import BILLABLE_PATHS, InvoiceIssued, JobPriced
from shared.events.masterdata import Customer, LegalEntity, TaxRule
from shared.store import Store

ENTITIES: Final = text("SELECT * FROM legal_entity WHERE legal_entity_id = ANY(:ids)")
CUSTOMERS: Final = text("SELECT * FROM customer WHERE customer_id = ANY(:ids)")
TAX_RULES: Final = text("SELECT * FROM tax_rule WHERE seller_country = ANY(:countries)")

# Whoever gives numbers of an entity holds all its series, in key order, until the commit.
LOCK_SERIES: Final = text(
    "SELECT * FROM number_series WHERE legal_entity_id = ANY(:ids)"
    " ORDER BY legal_entity_id, series, fiscal_year FOR UPDATE"
)

LAST_NUMBERS: Final = text("SELECT * FROM number_series")
READ_UP_TO: Final = text("SELECT * FROM published FOR UPDATE")

# New master data may answer what a job on tax hold lacks.
MARK_RECHECK: Final = text(
    "UPDATE job SET recheck = true WHERE state = 'tax_hold' AND NOT recheck"
    " AND (legal_entity_id = ANY(:entities) OR customer_id = ANY(:customers)"
    " OR legal_entity_id IN"
    " (SELECT legal_entity_id FROM legal_entity WHERE country = ANY(:countries)))"
)

# Those marked, and now and then the others: a mark may miss a job that was held at that moment,
# and a version that was not in force yesterday may be today.
CLAIM_HELD: Final = text(
    "SELECT * FROM job WHERE state = 'tax_hold' AND (recheck OR tried_at < :tried_before)"
    " ORDER BY tried_at LIMIT :portion FOR UPDATE SKIP LOCKED"
)

CLAIM_DOCUMENTS: Final = text(
    "SELECT * FROM document WHERE state IN ('pending', 'rendering') AND not_before <= :system_now"
    " ORDER BY not_before LIMIT :portion FOR UPDATE SKIP LOCKED"
)

UNBILLED: Final = text(
    "SELECT state, count(*) AS jobs FROM job WHERE state <> 'invoiced' GROUP BY state"
)

RECHECK_AFTER: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Arrived:
    """The master data that a batch brings."""

    entities: tuple[LegalEntity, ...]
    customers: tuple[Customer, ...]
    rules: tuple[TaxRule, ...]

    @classmethod
    def of(cls, events: Sequence[Event]) -> Self:
        """Those among `events`."""
        return cls(
            tuple(event for event in events if isinstance(event, LegalEntity)),
            tuple(event for event in events if isinstance(event, Customer)),
            tuple(event for event in events if isinstance(event, TaxRule)),
        )


class InvoicerStore(Store):
    """The invoicer's tables as one batch, tick or portion sees them.

    `link_key` signs payment links. Jobs are locked before number series, both in key order.
    """

    def __init__(self, connection: Connection, link_key: bytes | None = None) -> None:
        super().__init__(connection)
        self.link_key = link_key
        self.entities = self.rows(tables.LEGAL_ENTITY, LegalEntityRow, lock=False)
        self.customers = self.rows(tables.CUSTOMER, CustomerRow, lock=False)
        self.tax_rules = self.rows(tables.TAX_RULE, TaxRuleRow, lock=False)
        self.series = self.rows(tables.NUMBER_SERIES, Series)
        self.published = self.rows(tables.PUBLISHED, PublishedRow)
        self.invoices = self.rows(tables.INVOICE, InvoiceRow, lock=False)
        self.lines = self.rows(tables.INVOICE_LINE, LineRow, lock=False)
        self.taxes = self.rows(tables.INVOICE_TAX, TaxRow, lock=False)
        self.documents = self.rows(tables.DOCUMENT, DocumentRow)
        self.jobs = self.rows(tables.JOB, JobRow)
        self._entities = Versions(self.entities)
        self._customers = Versions(self.customers)
        self._tax_rules = Versions(self.tax_rules)
        self._arrived = Arrived((), (), ())

    def prefetch(self, events: Sequence[Event]) -> None:
        """Lock jobs and number series; read invoices and every version of who is named."""
        priced = [event for event in events if isinstance(event, JobPriced)]
        self._arrived = Arrived.of(events)
        self.jobs.load(self.connection, [(one.legal_entity_id, one.job_id) for one in priced])
        billable = [one for one in priced if one.path in BILLABLE_PATHS]
        self._read_master(
            {one.legal_entity_id for one in billable}, {one.customer_id for one in billable}
        )
        self._read_invoices((one.legal_entity_id, one.job_id) for one in priced)
        self._lock_series({one.legal_entity_id for one in billable})

    def flush(self) -> None:
        """Write what was put; mark the held jobs that what arrived may release."""
        super().flush()
        arrived = self._arrived
        if arrived.entities or arrived.customers or arrived.rules:
            self.connection.execute(
                MARK_RECHECK,
                {
                    "entities": sorted({one.legal_entity_id for one in arrived.entities}),
                    "customers": sorted({one.customer_id for one in arrived.customers}),
                    "countries": sorted({one.seller_country for one in arrived.rules}),
                },
            )

    def claim_held(self, now: datetime, portion: int) -> list[JobRow]:
        """At most `portion` jobs on tax hold to be tried again, locked, with all they need."""
        found = self.connection.execute(
            CLAIM_HELD, {"tried_before": now - RECHECK_AFTER, "portion": portion}
        )
        self.jobs.adopt(found.mappings())
        claimed = self.jobs.all()
        entities = {job.legal_entity_id for job in claimed}
        if claimed:
            self._read_master(entities, {job.customer_id for job in claimed})
            self._lock_series(entities)
        return claimed

    def claim_documents(
        self, system_now: datetime, portion: int
    ) -> list[tuple[DocumentRow, InvoiceIssued]]:
        """At most `portion` documents to render, locked, each with its invoice."""
        found = self.connection.execute(
            CLAIM_DOCUMENTS, {"system_now": system_now, "portion": portion}
        )
        self.documents.adopt(found.mappings())
        claimed = self.documents.all()
        keys = [(row.legal_entity_id, row.invoice_id) for row in claimed]
        self.invoices.load(self.connection, keys)
        contents = {self.invoices.key(row): row.content for row in self.invoices.all()}
        return [(row, contents[key]) for row, key in zip(claimed, keys, strict=True)]

    def entity_versions(self, legal_entity_id: str) -> tuple[LegalEntity, ...]:
        """Every version of a legal entity that this batch knows."""
        return tuple(row.content for row in self._entities.of(legal_entity_id))

    def known(self, priced: JobPriced) -> Known:
        """Every version of the seller, the buyer, and the tax rules of the seller's countries."""
        entities = self.entity_versions(priced.legal_entity_id)
        countries = sorted({entity.address.country for entity in entities})
        rules = [row.content for country in countries for row in self._tax_rules.of(country)]
        customers = [row.content for row in self._customers.of(priced.customer_id)]
        return Known(entities, tuple(customers), tuple(rules))

    def series_of(self, legal_entity_id: str) -> list[Series]:
        """The locked number series of a legal entity."""
        return [row for row in self.series.all() if row.legal_entity_id == legal_entity_id]

    def put_invoice(self, issued: InvoiceIssued, taken: Series) -> None:
        """Write an issued invoice and the series advanced by its number."""
        self.series.put(taken)
        self.invoices.put(invoice_row(issued))
        for line in line_rows(issued):
            self.lines.put(line)
        for tax in tax_rows(issued):
            self.taxes.put(tax)

    def last_numbers(self) -> list[Series]:
        """The last number given in every series, as it stands now."""
        self.series.adopt(self.connection.execute(LAST_NUMBERS).mappings())
        return self.series.all()

    def read_up_to(self) -> Mapping[tuple[str, int], int]:
        """The offset by topic and partition before which published numbers were checked."""
        self.published.adopt(self.connection.execute(READ_UP_TO).mappings())
        return {(row.topic, row.partition): row.read_up_to for row in self.published.all()}

    def have_read(self, ends: Mapping[tuple[str, int], int]) -> None:
        """Published numbers were checked up to `ends`; another instance may be further."""
        known = self.read_up_to()
        for (topic, partition), end in ends.items():
            if end > known.get((topic, partition), 0):
                self.published.put(PublishedRow(topic, partition, end))

    def unbilled(self) -> dict[str, int]:
        """How many jobs stand in which state without an invoice, or with one to correct."""
        return {row.state: row.jobs for row in self.connection.execute(UNBILLED)}

    def _read_master(self, entity_ids: Collection[str], customer_ids: Collection[str]) -> None:
        arrived = self._arrived
        entity_ids = {*entity_ids, *(one.legal_entity_id for one in arrived.entities)}
        if entity_ids:
            found = self.connection.execute(ENTITIES, {"ids": sorted(entity_ids)}).mappings()
            self._entities.adopt(found, "legal_entity_id")
        if customer_ids:
            found = self.connection.execute(CUSTOMERS, {"ids": sorted(customer_ids)}).mappings()
            self._customers.adopt(found, "customer_id")
        countries = {row.country for row in self.entities.all()}
        countries |= {one.address.country for one in arrived.entities}
        if customer_ids and countries:
            found = self.connection.execute(TAX_RULES, {"countries": sorted(countries)}).mappings()
            self._tax_rules.adopt(found, "seller_country")
        self._expect(arrived)

    def _expect(self, arrived: Arrived) -> None:
        entities = [(one.legal_entity_id, one.version) for one in arrived.entities]
        customers = [(one.customer_id, one.version) for one in arrived.customers]
        rules = [(one.tax_rule_id, one.version) for one in arrived.rules]
        self.entities.load(self.connection, entities)
        self.customers.load(self.connection, customers)
        self.tax_rules.load(self.connection, rules)
        for entity in entities:
            self._entities.expect(entity[0], entity)
        for customer in customers:
            self._customers.expect(customer[0], customer)
        for rule, key in zip(arrived.rules, rules, strict=True):
            self._tax_rules.expect(rule.seller_country, key)

    def _read_invoices(self, jobs: Iterable[tuple[str, str]]) -> None:
        keys = [(entity, invoice_id(entity, job)) for entity, job in jobs]
        self.invoices.load(self.connection, keys)

    def _lock_series(self, entity_ids: Collection[str]) -> None:
        if entity_ids:
            found = self.connection.execute(LOCK_SERIES, {"ids": sorted(entity_ids)})
            self.series.adopt(found.mappings())
