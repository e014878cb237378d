"""Who gets documents, which invoices there are, and every delivery with its state."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, text

from services.notifier.domain.delivery import AT_ONCE, REMINDER
from services.notifier.store.rows import (
    ContactRow,
    CustomerRow,
    DeliveryRow,
    InvoiceRow,
    MovementRow,
)
from services.notifier.store.tables import (
    METADATA,
    contact_table,
    customer_table,
    delivery_table,
    invoice_table,
    movement_table,
)
from shared.balance import BalanceEvent, movement_keys
from shared.events.base import Event
from shared.events.billing import DocumentRendered, InvoiceIssued
from shared.events.collections import ReminderDue
from shared.events.masterdata import Channel, Contact, Customer
from shared.store import Store
from shared.validity import in_force

__all__ = [
    "METADATA",
    "Asking",
    "ContactRow",
    "CustomerRow",
    "DeliveryRow",
    "InvoiceRow",
    "MovementRow",
    "NotifierStore",
    "asked_key",
]

# Every version of the customers named: which of them holds depends on the day of the mail.
ALL_VERSIONS: Final = text(
    "SELECT * FROM customer WHERE customer_id = ANY(CAST(:customers AS text[]))"
)

# What is due on one channel, untried first, and not in another courier's hands at this moment.
CLAIM_DUE: Final = text(
    "SELECT * FROM delivery WHERE channel = :channel AND due_at <= :now"
    " ORDER BY due_at, requested_at, legal_entity_id, invoice_id, document_kind, stage"
    " LIMIT :portion FOR UPDATE SKIP LOCKED"
)

IS_ANYTHING_DUE: Final = text(
    "SELECT EXISTS (SELECT FROM delivery WHERE channel = :channel AND due_at <= :now)"
)

# Whoever mends holds until the commit what may fail, in key order as couriers do: a claim reads
# what was mended, or is seen by what follows.
HOLD: Final = text(
    "SELECT FROM delivery WHERE state IN ('pending', 'sending', 'failed')"
    " AND (contact_id = ANY(CAST(:contacts AS text[]))"
    " OR customer_id = ANY(CAST(:customers AS text[])))"
    " ORDER BY legal_entity_id, invoice_id, document_kind, stage FOR UPDATE"
)

# Somebody mended a contact or a customer: that is what a failed delivery has been waiting for. One
# in a courier's hands may fail for what its claim read before: should it fail, a new round begins.
TRY_AGAIN: Final = text(
    "UPDATE delivery SET state = CASE state WHEN 'failed' THEN 'pending' ELSE state END,"
    " due_at = coalesce(due_at, :at_once), settled_at = NULL, attempts_before = attempts"
    " WHERE state IN ('sending', 'failed')"
    " AND (contact_id = ANY(CAST(:contacts AS text[]))"
    " OR customer_id = ANY(CAST(:customers AS text[])))"
)

OfInvoice = InvoiceIssued | BalanceEvent | DocumentRendered | ReminderDue
Asking = DocumentRendered | ReminderDue


class NotifierStore(Store):
    """The tables above, for one batch or one portion of a courier.

    `seen_...` rows are read without a lock: whoever mails holds up nobody who books.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.contacts = self.rows(contact_table, ContactRow)
        self.seen_contacts = self.rows(contact_table, ContactRow, lock=False)
        self.customers = self.rows(customer_table, CustomerRow, lock=False)
        self.invoices = self.rows(invoice_table, InvoiceRow)
        self.seen_invoices = self.rows(invoice_table, InvoiceRow, lock=False)
        self.movements = self.rows(movement_table, MovementRow, lock=False)
        self.requested = self.rows(delivery_table, DeliveryRow, lock=False)
        self.claimed = self.rows(delivery_table, DeliveryRow)
        self._versions: defaultdict[str, dict[int, CustomerRow]] = defaultdict(dict)
        self._told: frozenset[str] = frozenset()
        self._mended_contacts: set[str] = set()
        self._mended_customers: set[str] = set()

    def prefetch(self, events: Sequence[Event]) -> None:
        """Read invoices, then their customers, then whom these name: each in one statement."""
        invoices = {(e.legal_entity_id, e.invoice_id) for e in events if isinstance(e, OfInvoice)}
        self.invoices.load(self.connection, invoices)
        movements = {
            (event.legal_entity_id, kind, reference)
            for event in events
            if isinstance(event, BalanceEvent)
            for kind, reference in movement_keys(event)
        }
        self.movements.load(self.connection, movements)
        asking = [event for event in events if isinstance(event, Asking)]
        self.requested.load(self.connection, map(asked_key, asking))
        customers = {row.customer_id for row in self.invoices.all()}
        customers |= {e.buyer.customer_id for e in events if isinstance(e, InvoiceIssued)}
        customers |= {event.customer_id for event in events if isinstance(event, Customer)}
        self._load_customers(customers)
        self._told = frozenset(e.contact_id for e in events if isinstance(e, Contact))
        self.contacts.load(self.connection, ((contact_id,) for contact_id in self._told))
        named = {event.contact_id for event in events if isinstance(event, Customer)}
        self._load_seen_contacts(named)

    def knows_version(self, customer_id: str, version: int) -> bool:
        """Whether this version of a customer has been told before."""
        return version in self._versions[customer_id]

    def customer_on(self, customer_id: str, day: date) -> CustomerRow | None:
        """The version of a customer that holds on `day`; where none does, the newest there is.

        A customer whose validity has ended still gets the invoice for the last job.
        """
        versions = self._versions[customer_id].values()
        newest = max(versions, key=lambda row: row.version, default=None)
        return in_force(versions, day) or newest

    def seen_invoice(self, legal_entity_id: str, invoice_id: str) -> InvoiceRow:
        """The invoice of a delivery, unlocked; a foreign key says that there is one."""
        found = self.seen_invoices.get(legal_entity_id, invoice_id)
        if found is None:
            msg = f"a delivery without its invoice {legal_entity_id}/{invoice_id}"
            raise AssertionError(msg)
        return found

    def contact(self, contact_id: str) -> ContactRow | None:
        """The contact as this batch knows it."""
        if contact_id in self._told:
            return self.contacts.get(contact_id)
        return self.seen_contacts.get(contact_id)

    def put_customer(self, row: CustomerRow) -> None:
        """A new version; what failed for this customer is tried again."""
        self._versions[row.customer_id][row.version] = self.customers.put(row)
        self._mended_customers.add(row.customer_id)

    def put_contact(self, row: ContactRow) -> None:
        """A new revision; what failed for this contact is tried again, unless it was erased."""
        self.contacts.put(row)
        if not row.is_erased:
            self._mended_contacts.add(row.contact_id)

    def flush(self) -> None:
        """Write what was put, then wake the deliveries that waited for it."""
        super().flush()
        if self._mended_contacts or self._mended_customers:
            mended = {
                "contacts": sorted(self._mended_contacts),
                "customers": sorted(self._mended_customers),
            }
            self.connection.execute(HOLD, mended)
            self.connection.execute(TRY_AGAIN, {"at_once": AT_ONCE, **mended})
            self._mended_contacts.clear()
            self._mended_customers.clear()

    def is_anything_due(self, channel: Channel, now: datetime) -> bool:
        """Whether a courier of `channel` has something to do at `now` (system time)."""
        found = self.connection.execute(IS_ANYTHING_DUE, {"channel": channel.value, "now": now})
        return bool(found.scalar_one())

    def claim_due(self, channel: Channel, now: datetime, portion: int) -> list[DeliveryRow]:
        """At most `portion` deliveries due at `now` (system time), locked, with all they need."""
        parameters = {"channel": channel.value, "now": now, "portion": portion}
        self.claimed.adopt(self.connection.execute(CLAIM_DUE, parameters).mappings())
        found = sorted(self.claimed.all(), key=lambda row: (row.due_at, row.requested_at, row.key))
        invoices = ((row.legal_entity_id, row.invoice_id) for row in found)
        self.seen_invoices.load(self.connection, invoices)
        self._load_customers({row.customer_id for row in found})
        self._load_seen_contacts({row.contact_id for row in found})
        return found

    def _load_customers(self, wanted: set[str]) -> None:
        if wanted:
            found = self.connection.execute(ALL_VERSIONS, {"customers": sorted(wanted)})
            self.customers.adopt(found.mappings())
            for row in self.customers.all():
                self._versions[row.customer_id][row.version] = row

    def _load_seen_contacts(self, also: set[str]) -> None:
        named = {row.contact_id for row in self.customers.all()} | also
        keys = ((contact_id,) for contact_id in named - self._told)
        self.seen_contacts.load(self.connection, keys)


def asked_key(event: Asking) -> tuple[str, str, str, int]:
    """The key of the delivery that `event` asks for."""
    if isinstance(event, ReminderDue):
        return event.legal_entity_id, event.invoice_id, REMINDER, event.stage
    return event.legal_entity_id, event.invoice_id, event.document_kind, 0
