"""Who gets which document, and what is known to be paid: notifier and dunning scheduler."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from services.notifier.domain.delivery import channel_of, delivery_id
from shared.clock import local_date
from shared.errors import WaitFor
from shared.events.base import Event
from shared.events.billing import DocumentRendered, InvoiceIssued
from shared.events.delivery import DocumentDelivered
from shared.events.masterdata import Contact, Customer
from shared.events.payments import PaymentApplied
from shared.ids import record_key
from shared.validity import in_force
from tests.chaos.oracle.production import SOME_TIME


class _Knowing:
    """Who knows invoices, and what is paid of each."""

    def __init__(self) -> None:
        self.invoices: dict[str, InvoiceIssued] = {}
        self.paid: dict[str, Decimal] = defaultdict(Decimal)

    def _invoice(
        self, event: DocumentRendered | PaymentApplied | DocumentDelivered
    ) -> InvoiceIssued:
        if event.invoice_id not in self.invoices:
            raise WaitFor("invoice", record_key(event.legal_entity_id, event.invoice_id))
        return self.invoices[event.invoice_id]


class Chasing(_Knowing):
    """The dunning scheduler before anything is due."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered: set[str] = set()

    def rule(self, event: Event) -> Iterable[Event]:
        """What follows from an event."""
        match event:
            case InvoiceIssued():
                self.invoices[event.invoice_id] = event
            case PaymentApplied():
                self._invoice(event)
                self.paid[event.invoice_id] += event.amount
            case DocumentDelivered():
                self._invoice(event)
                self.delivered.add(event.invoice_id)
            case _:
                pass
        return ()


class Delivering(_Knowing):
    """The notifier, with a mail server and a file drop that take everything."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
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
            case PaymentApplied():
                self._invoice(event)
                self.paid[event.invoice_id] += event.amount
            case _:
                pass
        return ()

    def _deliver(self, event: DocumentRendered) -> Iterable[Event]:
        invoice = self._invoice(event)
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
