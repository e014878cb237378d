"""What has been published under a number: the invoicer's own topics, read on from known offsets."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, cast

from confluent_kafka import OFFSET_BEGINNING, Message

from services.invoicer.domain.job import SERVICE_NAME
from services.invoicer.domain.numbering import Series
from shared import reading
from shared.codec.codec import Codec
from shared.codec.registry import registry_from
from shared.errors import Rejected
from shared.events.billing import CreditNoteIssued, InvoiceIssued
from shared.logging import logger
from shared.settings import Settings
from shared.topology import BY_NAME, SERVICE

NUMBERED: Final = SERVICE[SERVICE_NAME].rereads


@dataclass(frozen=True)
class Published:
    """The last number read of each series, and the offset up to which each partition was read."""

    last: tuple[Series, ...]
    ends: Mapping[reading.Place, int]


def read_published(settings: Settings, read_up_to: Mapping[reading.Place, int]) -> Published:
    """Read what was published since `read_up_to`; raises `Transient` when the broker is away."""
    codec = Codec(registry_from(settings))
    last: dict[tuple[str, str, int], Series] = {}
    ends: dict[reading.Place, int] = {}
    role = SERVICE[SERVICE_NAME].role
    with reading.reader(settings, role) as consumer:
        places = reading.partitions(settings, role, NUMBERED)
        starts = {place: read_up_to.get(place, OFFSET_BEGINNING) for place in places}
        for message in reading.read_on(consumer, starts):
            ends[reading.place_of(message)] = (message.offset() or 0) + 1
            one = _number(codec, message)
            if one is not None:
                key = one.legal_entity_id, one.series, one.fiscal_year
                last[key] = max(one, last.get(key, one), key=attrgetter("last_number"))
    return Published(tuple(last.values()), ends)


def _number(codec: Codec, message: Message) -> Series | None:
    """The number that a record gives; None, with a warning, where it cannot be read."""
    topic = BY_NAME[str(message.topic())]
    try:
        event = cast(
            "InvoiceIssued | CreditNoteIssued", codec.decode(topic, message.value() or b"")
        )
    except Rejected as error:
        place, offset = reading.place_of(message), message.offset()
        logger().warning("unreadable number", place=place, offset=offset, error=str(error)[:300])
        return None
    given = event.legal_entity_id, event.series, event.fiscal_year, event.sequence
    return Series(*given, last_issued_on=event.issued_on)
