"""Who gets which document: the notifier's part."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from services.notifier.domain.delivery import channel_of, delivery_id
from shared.clock import local_date
from shared.errors import WaitFor
from shared.events.base import Event
from shared.events.billing import DocumentRendered, InvoiceIssued
from shared.events.delivery import DocumentDelivered
from shared.events.masterdata import Contact, Customer
from shared.ids import record_key
from shared.validity import in_force
from tests.chaos.oracle.production import SOME_TIME


class Delivering:
    """The notifier, with a mail server and a file drop that take everything."""

    def __init__(self, now: datetime) -> None:
        self.invoices: dict[str, InvoiceIssued] = {}
        self._now = now
        self._customers: dict[str, list[Customer]] = defaultdict(list)
        self._contacts: set[str] = set()

    def rule(self, event: Event) -> Iterable[Event]:
        """What follows from an event."""
        match event:
            case Contact():
                self._contacts.add(event.contact_id)
            case Customer():
                self._customers[event.customer_id].append(event)
            case InvoiceIssued():
                self.invoices[event.invoice_id] = event
            case DocumentRendered():
                return self._deliver(event)
            case _:
                pass
        return ()

    def _deliver(self, event: DocumentRendered) -> Iterable[Event]:
        invoice = self.invoices.get(event.invoice_id)
        if invoice is None:
            raise WaitFor("invoice", record_key(event.legal_entity_id, event.invoice_id))
        if not invoice.live:
            return ()
        versions = self._customers[invoice.buyer.customer_id]
        if not versions:
            raise WaitFor("customer", record_key(invoice.buyer.customer_id))
        today = local_date(self._now, invoice.time_zone)
        customer = in_force(versions, today) or max(versions, key=lambda one: one.version)
        if customer.contact_id not in self._contacts:
            raise WaitFor("contact", record_key(customer.contact_id))
        key = (event.legal_entity_id, event.invoice_id, event.document_kind, 0)
        return (
            DocumentDelivered(
                legal_entity_id=event.legal_entity_id,
                invoice_id=event.invoice_id,
                document_kind=event.document_kind,
                stage="0",
                channel=channel_of(customer.preferred_channel),
                contact_id=customer.contact_id,
                message_id=delivery_id(*key, customer.contact_id),
                delivered_at=SOME_TIME,
                attempts=1,
            ),
        )
