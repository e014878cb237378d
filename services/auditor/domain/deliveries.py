"""Documents and mails: every invoice rendered, every live one on its way, none sent twice."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from services.auditor.domain.facts import Document, InvoiceKey, topic_of
from services.auditor.domain.findings import Finding
from services.auditor.domain.held import NOWHERE, Applied
from shared.events.base import Event
from shared.events.billing import DocumentRendered
from shared.events.delivery import DocumentDelivered, DocumentFailed

NOTIFIER: Final = "notifier"
EMAIL: Final = "EMAIL"
OUTCOMES: Final[Mapping[str, type[Event]]] = {
    "delivered": DocumentDelivered,
    "failed": DocumentFailed,
}
"""The states of a delivery that the world is told of, and how."""


class DocumentKey(NamedTuple):
    """A document of an invoice."""

    legal_entity_id: str
    invoice_id: str
    kind: str

    @property
    def invoice(self) -> InvoiceKey:
        """The invoice it belongs to."""
        return InvoiceKey(self.legal_entity_id, self.invoice_id)

    def __str__(self) -> str:
        return f"{self.kind} of {self.invoice}"


class Rendered(NamedTuple):
    """What the topic says of a stored document, and the id of that record."""

    sha256: str
    size_bytes: int
    message_id: UUID
    at_ms: int


class Stored(NamedTuple):
    """What lies in the document store under a sha256: the hash and size of its bytes."""

    sha256: str
    size_bytes: int


class Delivery(NamedTuple):
    """A delivery by the notifier's table; `stage` is 0 for documents."""

    legal_entity_id: str
    invoice_id: str
    kind: str
    stage: int
    message_id: str
    channel: str
    state: str
    ambiguous: int

    def __str__(self) -> str:
        what = f"{self.kind} {self.stage}" if self.stage else self.kind
        return f"delivery of {what}, invoice {self.legal_entity_id}/{self.invoice_id}"


class Mails(NamedTuple):
    """The mails of one delivery in the sink: how many, and when the last was kept."""

    copies: int
    newest_ms: int


NO_MAILS: Final = Mails(0, 0)


def invoices_are_rendered(
    invoices: Mapping[InvoiceKey, Document], rendered: Mapping[DocumentKey, Rendered]
) -> Iterator[Finding]:
    """Every invoice has its document, and every document its invoice."""
    done = {key.invoice for key in rendered}
    for key, invoice in invoices.items():
        if key not in done:
            look = f"invoicer.document where invoice_id = '{key.invoice_id}'"
            yield Finding(str(invoice), "a document", "none", look, cause_ms=invoice.at_ms)
    for document, said in rendered.items():
        if document.invoice not in invoices:
            look, cause = topic_of(DocumentRendered), said.at_ms
            yield Finding(str(document), "an invoice", "none", look, cause_ms=cause)


def documents_are_as_recorded(
    rendered: Mapping[DocumentKey, Rendered],
    rows: Mapping[DocumentKey, str],
    stored: Mapping[str, Stored],
) -> Iterator[Finding]:
    """Every rendered document lies in the store, byte for byte, as table and topic say.

    `rows`: the sha256 by the invoicer's table; `stored`: what lies under each sha256.
    """
    for key, said in rendered.items():
        if rows.get(key) != said.sha256:
            expected = f"sha256 {said.sha256}"
            look = f"invoicer.document where invoice_id = '{key.invoice_id}'"
            cause = None if key in rows else said.at_ms
            yield Finding(str(key), expected, str(rows.get(key)), look, cause_ms=cause)
        lies = stored.get(said.sha256)
        if lies != Stored(said.sha256, said.size_bytes):
            expected = f"{said.size_bytes} bytes with sha256 {said.sha256}"
            found = "no such file" if lies is None else f"{lies.size_bytes} bytes, {lies.sha256}"
            yield Finding(str(key), expected, found, "the documents folder of the data directory")


def live_invoices_are_delivered(
    invoices: Mapping[InvoiceKey, Document],
    rendered: Mapping[DocumentKey, Rendered],
    deliveries: Mapping[tuple[str, str, str, int], Delivery],
    applied: Applied,
) -> Iterator[Finding]:
    """Every document of a live invoice is delivered, failed for a reason, or on its way."""
    topic = topic_of(DocumentRendered)
    for key, said in rendered.items():
        invoice = invoices.get(key.invoice)
        delivery = deliveries.get((*key, 0))
        look = f"notifier.delivery where invoice_id = '{key.invoice_id}'"
        if invoice is None:
            continue
        if not invoice.live:
            if delivery is not None:
                found = f"a delivery, {delivery.state}"
                yield Finding(str(invoice), "no delivery before going live", found, look)
        elif delivery is None and not applied.held_instead(
            NOTIFIER, topic, said.message_id, NOWHERE
        ):
            yield Finding(str(key), "a delivery", "none", look, cause_ms=said.at_ms)


def deliveries_are_published(
    deliveries: Mapping[tuple[str, str, str, int], Delivery],
    told: Mapping[str, Mapping[str, int]],
    outbox_ms: int | None = None,
) -> Iterator[Finding]:
    """What was delivered or failed was told, and nothing else was.

    `told`: by state, the message ids on that state's topic and when they were written.
    """
    for delivery in deliveries.values():
        event = OUTCOMES.get(delivery.state)
        if event is not None and delivery.message_id not in told[delivery.state]:
            expected, look = f"told on {topic_of(event)}", f"{NOTIFIER}.outbox"
            yield Finding(str(delivery), expected, "not", look, cause_ms=outbox_ms)
    known = {delivery.message_id: delivery for delivery in deliveries.values()}
    for message_id, at_ms in told["delivered"].items():
        state = known[message_id].state if message_id in known else "no delivery"
        if state != "delivered":
            look = f"notifier.delivery where message_id = '{message_id}'"
            yield Finding(f"message {message_id}", "delivered", state, look, cause_ms=at_ms)


def mails_arrive_once(
    deliveries: Mapping[tuple[str, str, str, int], Delivery], copies: Mapping[str, Mails]
) -> Iterator[Finding]:
    """Every mail in the sink was asked for, and repeated only where its answer was lost.

    `copies`: the mails of each delivery in the sink.
    """
    mailed = {d.message_id: d for d in deliveries.values() if d.channel == EMAIL}
    for message_id in sorted(set(copies) - set(mailed)):
        look, cause = "the mail folder of the data directory", copies[message_id].newest_ms
        yield Finding(f"mail {message_id}", "a delivery", "none", look, cause_ms=cause)
    for message_id, delivery in mailed.items():
        arrived, newest_ms = copies.get(message_id, NO_MAILS)
        look = f"mails with the Message-ID {message_id}"
        if delivery.state == "delivered" and not arrived:
            yield Finding(str(delivery), "a mail in the sink", "none", look)
        if arrived > 1 + delivery.ambiguous:
            expected = f"at most {1 + delivery.ambiguous} mails"
            yield Finding(str(delivery), expected, str(arrived), look, cause_ms=newest_ms)
