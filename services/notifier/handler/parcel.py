"""One delivery ready to go out, and what going out means on each channel."""

from dataclasses import dataclass
from datetime import date

from services.notifier.domain.address import (
    SUFFIXES,
    attachment_name,
    drop_path,
    mail_address,
    usable_address,
)
from services.notifier.domain.delivery import (
    Deferred,
    Outcome,
    Refused,
    Withheld,
    before_trying,
)
from services.notifier.domain.letter import Demand, locale_of
from services.notifier.gateway import Drop, Relay
from services.notifier.render.layout import as_html, as_text
from services.notifier.render.letter import Letter, compose
from services.notifier.render.mime import Attachment, Mail, encode
from services.notifier.store import ContactRow, CustomerRow, DeliveryRow, InvoiceRow
from shared.clock import system_now
from shared.documents import DocumentMissing, DocumentStore
from shared.settings import Settings


@dataclass(frozen=True)
class Parcel:
    """A claimed delivery with all that is needed to carry it out; `today` is the seller's date."""

    row: DeliveryRow
    invoice: InvoiceRow
    customer: CustomerRow | None
    contact: ContactRow | None
    today: date

    @property
    def demand(self) -> Demand | None:
        """What it asks for at this moment, if it is a reminder."""
        if self.row.tone is None:
            return None
        return Demand(
            tone=self.row.tone,
            days_overdue=(self.today - self.invoice.facts.due_on).days,
            open_amount=self.invoice.open_amount,
            disputed_amount=self.invoice.open_amount - self.invoice.demandable,
        )

    def obstacle(self) -> Refused | Withheld | None:
        """Why it must not go out now."""
        return before_trying(
            self.row.round_no,
            self.row.stage,
            self.invoice.newest_reminder,
            self.invoice.demandable,
            on_hold=self.customer is not None and self.customer.dunning_hold,
        )

    def letter(self, file: str | None) -> Letter:
        """What it says, to this reader."""
        wishes = (who.locale for who in (self.contact, self.customer) if who is not None)
        name = self.contact.name if self.contact else ""
        return compose(self.invoice.facts, self.demand, name, locale_of(*wishes), file)

    def document(self, settings: Settings) -> Attachment | None:
        """The document that goes with it; raises `DocumentMissing`."""
        digest, media_type = self.row.document_sha256, self.row.document_media_type
        if digest is None or media_type is None:
            return None
        name = attachment_name(self.invoice.facts.invoice_number, media_type)
        return Attachment(name, media_type, DocumentStore(settings.documents_dir).get(digest))


def mail(parcel: Parcel, relay: Relay, settings: Settings) -> Outcome:
    """Send `parcel` to its contact's mail address."""
    contact = parcel.contact
    stated = contact.email if contact else None
    address = usable_address(stated, is_erased=contact is not None and contact.is_erased)
    if isinstance(address, Refused):
        return address
    try:
        attachment = parcel.document(settings)
    except DocumentMissing as error:
        return Deferred("document-missing", str(error))
    letter = parcel.letter(attachment.name if attachment else None)
    seller = parcel.invoice.facts.seller
    return relay.send(
        address,
        encode(
            Mail(
                message_id=f"{parcel.row.message_id}@{relay.domain}",
                at=system_now(),
                sender=relay.sender,
                sender_name=seller.name,
                reply_to=mail_address(seller.email) if seller.email else None,
                recipient=address,
                recipient_name=contact.name if contact else "",
                subject=letter.subject,
                language=letter.language,
                text=as_text(letter),
                html=as_html(letter),
                attachment=attachment,
            )
        ),
    )


def drop(parcel: Parcel, folder: Drop, settings: Settings) -> Outcome:
    """Put `parcel` into its customer's folder: the document itself, or a reminder as text."""
    row, number = parcel.row, parcel.invoice.facts.invoice_number
    try:
        document = parcel.document(settings)
    except DocumentMissing as error:
        return Deferred("document-missing", str(error))
    if row.stage or document is None:
        ending, content = f"-reminder-{row.stage}.txt", as_text(parcel.letter(None)).encode()
    else:
        ending, content = SUFFIXES.get(document.media_type, ".bin"), document.content
    return folder.put(drop_path(row.customer_id, row.legal_entity_id, number, ending), content)
