"""What the services' tables say of jobs, invoices, the journal, deliveries and reminders.

Every query reads one snapshot, under the auditor's role, and streams what can be large.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from services.auditor.domain.books import Entry, entries_of
from services.auditor.domain.deliveries import Delivery, DocumentKey
from services.auditor.domain.dunning import Stage
from services.auditor.domain.facts import InvoiceKey, JobKey, Tax
from services.auditor.domain.held import Held, Place
from services.auditor.domain.jobs import Extraction
from services.auditor.domain.numbers import Series
from services.auditor.domain.postings import Application, OpenItem, Posted, Settled

_PORTION: Final = 5_000
_INBOX: Final = "SELECT topic, message_id FROM {}.inbox"
_HELD: Final = (
    "SELECT topic, partition, position, state,"
    " coalesce(code, fact_kind || ' ' || fact_key, ''), message_id, message,"
    " extract(epoch FROM now() - held_at)::float8 FROM {}.held_record ORDER BY id"
)
_MENDED: Final = (
    "SELECT topic, partition, position, mended_value FROM {}.held_record"
    " WHERE state = 'replayed' AND mended_value IS NOT NULL ORDER BY id"
)
_OUTBOX: Final = (
    "SELECT floor(extract(epoch FROM min(created_at)) * 1000)::bigint FROM {}.outbox"
    " WHERE quarantined IS NULL HAVING count(*) > 0"
)
_QUARANTINED: Final = (
    "SELECT count(*) FROM {}.outbox WHERE quarantined IS NOT NULL HAVING count(*) > 0"
)
_COMPLETED: Final = "SELECT legal_entity_id, job_id, revision FROM metrics_extractor.completed_job"
_EXTRACTIONS: Final = (
    "SELECT legal_entity_id, job_id, revision, state, reason FROM metrics_extractor.job"
)
_BILLING: Final = "SELECT legal_entity_id, job_id, state FROM invoicer.job"
_INVOICES: Final = (
    "SELECT legal_entity_id, invoice_id, invoice_number, job_id, revision, pricing_no, issued_on,"
    " due_on, currency, net_total, tax_total, gross_total FROM invoicer.invoice"
)
_LINES: Final = (
    "SELECT legal_entity_id, invoice_id, sum(net) FROM invoicer.invoice_line GROUP BY 1, 2"
)
_TAXES: Final = (
    "SELECT legal_entity_id, invoice_id, category, rate, net, tax FROM invoicer.invoice_tax"
)
_SERIES: Final = (
    "SELECT legal_entity_id, series, fiscal_year, last_number FROM invoicer.number_series"
)
_DOCUMENTS: Final = (
    "SELECT legal_entity_id, invoice_id, document_kind, sha256 FROM invoicer.document"
    " WHERE sha256 IS NOT NULL"
)
_JOURNAL: Final = (  # the columns of an entry, as COLUMNS has them, then those of a posting
    "SELECT e.legal_entity_id, e.entry_id, e.sequence, e.kind, e.source_id, e.posted_at,"
    " e.posted_on, e.currency, e.description, e.previous_hash, e.hash,"
    " p.account, p.account_name, p.debit, p.credit, p.text"
    " FROM ledger_writer.journal_entry e LEFT JOIN ledger_writer.posting p USING (entry_id)"
    " ORDER BY e.legal_entity_id, e.sequence, p.line_no"
)
_HEADS: Final = "SELECT legal_entity_id, sequence, hash FROM ledger_writer.chain_head"
_POSTED: Final = (
    "SELECT legal_entity_id, document_id, document_type, document_number, entry_id, currency,"
    " net_total, tax_total, gross_total FROM ledger_writer.posted_document"
)
_OPEN_ITEMS: Final = (
    "SELECT legal_entity_id, invoice_id, currency, gross_total, credited, paid, open_amount"
    " FROM ledger_writer.receivable"
)
_APPLICATIONS: Final = (
    "SELECT legal_entity_id, payment_id, invoice_id, application_no, currency, amount, entry_id"
    " FROM ledger_writer.application"
)
_DELIVERIES: Final = (
    "SELECT legal_entity_id, invoice_id, document_kind, stage, message_id, channel, state,"
    " ambiguous FROM notifier.delivery"
)
_REMINDERS: Final = (
    "SELECT legal_entity_id, invoice_id, stage, skipped FROM dunning_scheduler.reminder"
)
_BALANCES: Final = "SELECT legal_entity_id, invoice_id, paid, credited FROM {}.invoice"


class Snapshot:
    """The tables at one moment. A table that does not exist yet is empty."""

    def __init__(self, connection: Connection, present: frozenset[tuple[str, str]]) -> None:
        self._connection = connection
        self._present = present

    def inbox(self, services: Iterable[str]) -> Mapping[tuple[str, str], frozenset[UUID]]:
        """By service and topic the message ids of the facts that have had their effect."""
        found: defaultdict[tuple[str, str], set[UUID]] = defaultdict(set)
        for service in services:
            for topic, message_id in self._rows(_INBOX.format(service), service, "inbox"):
                found[service, topic].add(message_id)
        return {place: frozenset(ids) for place, ids in found.items()}

    def held(self, services: Iterable[str]) -> list[Held]:
        """Everything that is or was held, oldest first."""
        return [
            Held(service, *row)
            for service in services
            for row in self._rows(_HELD.format(service), service, "held_record")
        ]

    def corrected(self, services: Iterable[str]) -> Mapping[Place, Mapping[str, bytes]]:
        """By place and service the values that were applied in place of a record's own."""
        found: defaultdict[Place, dict[str, bytes]] = defaultdict(dict)
        for service in services:
            for row in self._rows(_MENDED.format(service), service, "held_record"):
                found[row[0], row[1], row[2]][service] = row[3]
        return found

    def outbox_ms(self, services: Iterable[str]) -> Mapping[str, int]:
        """When the oldest record was written that each service has still to publish."""
        return {
            service: row[0]
            for service in services
            for row in self._rows(_OUTBOX.format(service), service, "outbox")
        }

    def quarantined(self, services: Iterable[str]) -> Mapping[str, int]:
        """How many records each service has put aside because the broker refused them."""
        return {
            service: row[0]
            for service in services
            for row in self._rows(_QUARANTINED.format(service), service, "outbox")
        }

    def accepted(self) -> frozenset[tuple[str, str, int]]:
        """The revisions of completed jobs that the metrics extractor took."""
        return frozenset(map(tuple, self._rows(_COMPLETED, "metrics_extractor", "completed_job")))

    def extractions(self) -> Mapping[JobKey, Extraction]:
        """The metrics extractor's word on every job."""
        rows = self._rows(_EXTRACTIONS, "metrics_extractor", "job")
        return {JobKey(row[0], row[1]): Extraction(*row[2:]) for row in rows}

    def billing_states(self) -> Mapping[JobKey, str]:
        """The invoicer's word on every job."""
        rows = self._rows(_BILLING, "invoicer", "job")
        return {JobKey(row[0], row[1]): row[2] for row in rows}

    def invoices(self) -> Mapping[InvoiceKey, tuple[object, ...]]:
        """The figures of every invoice, as `invoice_figures` has them."""
        rows = self._rows(_INVOICES, "invoicer", "invoice")
        return {InvoiceKey(row[0], row[1]): tuple(row[2:]) for row in rows}

    def line_sums(self) -> Mapping[InvoiceKey, Decimal]:
        """The sum of the stored lines of every invoice."""
        rows = self._rows(_LINES, "invoicer", "invoice_line")
        return {InvoiceKey(row[0], row[1]): row[2] for row in rows}

    def taxes(self) -> Mapping[InvoiceKey, list[Tax]]:
        """The stored taxes of every invoice."""
        found: defaultdict[InvoiceKey, list[Tax]] = defaultdict(list)
        for row in self._rows(_TAXES, "invoicer", "invoice_tax"):
            found[InvoiceKey(row[0], row[1])].append(Tax(*row[2:]))
        return found

    def series(self) -> Mapping[Series, int]:
        """The last number of every series."""
        rows = self._rows(_SERIES, "invoicer", "number_series")
        return {Series(*row[:3]): row[3] for row in rows}

    def documents(self) -> Mapping[DocumentKey, str]:
        """The sha256 of every rendered document."""
        rows = self._rows(_DOCUMENTS, "invoicer", "document")
        return {DocumentKey(*row[:3]): row[3] for row in rows}

    def journal(self) -> Iterator[Entry]:
        """Every entry with its postings, chain by chain, in order."""
        return entries_of(map(tuple, self._rows(_JOURNAL, "ledger_writer", "journal_entry")))

    def heads(self) -> Mapping[str, tuple[int, str]]:
        """The stored end of every chain."""
        rows = self._rows(_HEADS, "ledger_writer", "chain_head")
        return {row[0]: (row[1], row[2]) for row in rows}

    def posted(self) -> Mapping[InvoiceKey, Posted]:
        """Every document that stands in the books."""
        rows = self._rows(_POSTED, "ledger_writer", "posted_document")
        return {InvoiceKey(row[0], row[1]): Posted(*row[2:]) for row in rows}

    def open_items(self) -> Mapping[InvoiceKey, OpenItem]:
        """The sub-ledger of receivables."""
        rows = self._rows(_OPEN_ITEMS, "ledger_writer", "receivable")
        return {InvoiceKey(row[0], row[1]): OpenItem(*row[2:]) for row in rows}

    def applications(self) -> Mapping[Application, tuple[str, Decimal, str]]:
        """Currency, amount and entry of every payment applied."""
        rows = self._rows(_APPLICATIONS, "ledger_writer", "application")
        return {Application(*row[:4]): (row[4], row[5], row[6]) for row in rows}

    def deliveries(self) -> Mapping[tuple[str, str, str, int], Delivery]:
        """Every delivery."""
        found = (Delivery(*row) for row in self._rows(_DELIVERIES, "notifier", "delivery"))
        return {(one.legal_entity_id, one.invoice_id, one.kind, one.stage): one for one in found}

    def reminders(self) -> Mapping[Stage, bool]:
        """Every stage that was decided, and whether it was skipped."""
        rows = self._rows(_REMINDERS, "dunning_scheduler", "reminder")
        return {(InvoiceKey(row[0], row[1]), row[2]): row[3] for row in rows}

    def balances(self, service: str) -> Mapping[InvoiceKey, Settled]:
        """What a service believes to be paid and credited on each invoice."""
        rows = self._rows(_BALANCES.format(service), service, "invoice")
        return {InvoiceKey(row[0], row[1]): Settled(row[2], row[3]) for row in rows}

    def _rows(self, sql: str, schema: str, table: str) -> Iterator[Any]:
        if (schema, table) not in self._present:
            return iter(())
        streamed = self._connection.execution_options(yield_per=_PORTION)
        return iter(streamed.execute(text(sql)))
