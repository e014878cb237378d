"""What the notifier achieved: delivered, or failed for good."""

from shared.events.base import Code, Event, Id, Positive, Text, Time
from shared.events.masterdata import Channel


class DocumentDelivered(Event):
    """The channel took the document (SMTP accepted it, or the file lies in the drop)."""

    legal_entity_id: Id
    invoice_id: Id
    document_kind: Code
    stage: Code
    channel: Channel
    contact_id: Id
    message_id: Id
    delivered_at: Time
    attempts: Positive


class DocumentFailed(Event):
    """Nothing more will be tried without a person; `code` and `reason` say why."""

    legal_entity_id: Id
    invoice_id: Id
    document_kind: Code
    stage: Code
    channel: Channel
    contact_id: Id
    message_id: Id
    failed_at: Time
    attempts: Positive
    code: Code
    reason: Text
