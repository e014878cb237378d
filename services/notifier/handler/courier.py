"""Couriers: claim what is due on a channel, carry it, record what became of it.

Claiming and recording are transactions; nothing is carried inside one. Between the two a row is
`sending`, so that a crash shows as a claim that lapsed, and the mail goes out again under its id.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from services.notifier.domain.delivery import (
    AT_ONCE,
    LEASE,
    Deferred,
    Outcome,
    State,
    Untried,
    channel_of,
    delivery_id,
    settle,
)
from services.notifier.handler.parcel import Parcel
from services.notifier.store import CustomerRow, DeliveryRow, NotifierStore
from shared.clock import local_date, monotonic, system_now
from shared.errors import Transient
from shared.events.base import Event
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.masterdata import Channel
from shared.logging import logger
from shared.metrics import DELIVERIES, MAIL_AMBIGUOUS
from shared.runtime.service import Desk
from shared.settings import Settings

SERVICE_NAME: Final = "notifier"
# From the start, at 0: Prometheus cannot see the rise of a series that begins at 1.
for _channel in (Channel.EMAIL, Channel.FILE_DROP):
    for _state in (State.DELIVERED, State.FAILED):
        DELIVERIES.labels(SERVICE_NAME, _channel, _state)

PORTION: Final = 50
PORTION_SECONDS: Final = 4.0
"""After this long the rest of a portion is given back: a stop must not wait for a slow server."""


class Carrier(Protocol):
    """What takes things out of the house."""

    @property
    def is_lost(self) -> bool:
        """Whether it can take no more, so that the rest of the portion has to wait."""
        ...


C = TypeVar("C", bound=Carrier)


class Courier(Generic[C]):
    """Carries what is due on one channel; `run` is a worker's.

    What was carried but could not be recorded, because the database was away at that moment, is
    kept and recorded first the next time: it is not carried again while this process lives.
    """

    def __init__(
        self,
        channel: Channel,
        carrier: Callable[[Settings], AbstractContextManager[C]],
        carry: Callable[[Parcel, C, Settings], Outcome],
    ) -> None:
        self._channel = channel
        self._carrier = carrier
        self._carry = carry
        self._carried: list[tuple[DeliveryRow, Outcome]] = []

    def run(self, desk: Desk) -> int:
        """One portion; raises `Transient` when the way out is closed."""
        self._record(desk)
        with desk.begin() as unit:
            is_idle = not unit.store.is_anything_due(self._channel, system_now())
        if is_idle:
            return 0
        with self._carrier(desk.settings) as carrier:
            parcels = self._claim(desk)
            until = monotonic() + PORTION_SECONDS
            for parcel in parcels:
                is_over = carrier.is_lost or monotonic() > until
                outcome = Untried() if is_over else self._try(parcel, carrier, desk.settings)
                self._carried.append((parcel.row, outcome))
            is_lost = carrier.is_lost
        self._record(desk)
        if is_lost:
            raise Transient(self._channel.value.lower(), "the connection broke in mid-portion")
        return len(parcels)

    def _claim(self, desk: Desk) -> list[Parcel]:
        """Take what is due into our hands, for the length of a lease."""
        now = system_now()
        with desk.begin() as unit:
            rows = unit.store.claim_due(self._channel, now, PORTION)
            parcels = [self._take(row, unit.store, now, unit.now) for row in rows]
        lapsed = sum(row.state == State.SENDING for row in rows)
        if self._channel is Channel.EMAIL:
            MAIL_AMBIGUOUS.labels(SERVICE_NAME).inc(lapsed)
        return [parcel for parcel in parcels if parcel.row.state == State.SENDING]

    def _take(
        self, found: DeliveryRow, store: NotifierStore, now: datetime, business_now: datetime
    ) -> Parcel:
        """Put `found` as ours or, if its customer has changed the channel, as another's."""
        invoice = store.seen_invoice(found.legal_entity_id, found.invoice_id)
        today = local_date(business_now, invoice.facts.time_zone)
        customer = store.customer_on(found.customer_id, today)
        row = _addressed(found, customer)
        if row.channel == self._channel:
            row = replace(
                row,
                state=State.SENDING.value,
                due_at=now + LEASE,
                attempts=row.attempts + 1,
                ambiguous=row.ambiguous + (found.state == State.SENDING),
            )
        store.claimed.put(row)
        return Parcel(row, invoice, customer, store.contact(row.contact_id), today)

    def _try(self, parcel: Parcel, carrier: C, settings: Settings) -> Outcome:
        try:
            return parcel.obstacle() or self._carry(parcel, carrier, settings)
        except Exception as error:  # a bug that one mail meets must not stop all the others
            log = logger(message_id=parcel.row.message_id)
            log.exception("a delivery met a bug", attempts=parcel.row.attempts)
            return Deferred("bug", type(error).__name__)

    def _record(self, desk: Desk) -> None:
        """Write down what became of the claims that are still ours, and tell."""
        if not self._carried:
            return
        with desk.begin() as unit:
            store: NotifierStore = unit.store
            ours = list(_still_ours(store, self._carried))
            now = system_now()
            settled = [(_settled(row, outcome, now, unit.now), outcome) for row, outcome in ours]
            for row, _ in settled:
                store.claimed.put(row)
                unit.emit(*_told(row, unit.now))
        for row, outcome in settled:
            DELIVERIES.labels(SERVICE_NAME, row.channel, row.state).inc()
            if isinstance(outcome, Deferred) and outcome.is_ambiguous:
                MAIL_AMBIGUOUS.labels(SERVICE_NAME).inc()
        self._carried = []


def _addressed(row: DeliveryRow, customer: CustomerRow | None) -> DeliveryRow:
    """`row` to whom and how its customer wants it today, unless it is under way already."""
    if customer is None or row.state == State.SENDING or row.attempts > row.attempts_before:
        return row
    return replace(
        row,
        contact_id=customer.contact_id,
        message_id=delivery_id(*row.key, customer.contact_id),
        channel=channel_of(Channel(customer.preferred_channel)).value,
        due_at=AT_ONCE,
    )


def _still_ours(
    store: NotifierStore, carried: list[tuple[DeliveryRow, Outcome]]
) -> Iterator[tuple[DeliveryRow, Outcome]]:
    """Those that no other courier has claimed since, because our lease had run out."""
    store.claimed.load(store.connection, (row.key for row, _ in carried))
    for row, outcome in carried:
        stored = store.claimed.get(*row.key)
        is_same = stored is not None and stored.attempts == row.attempts
        if stored is not None and is_same and stored.state == State.SENDING:
            yield stored, outcome


def _settled(
    row: DeliveryRow, outcome: Outcome, now: datetime, business_now: datetime
) -> DeliveryRow:
    settled = row.stands(settle(outcome, row.attempts, row.round_no, now), business_now)
    is_in_doubt = isinstance(outcome, Deferred) and outcome.is_ambiguous
    return replace(settled, ambiguous=row.ambiguous + is_in_doubt)


def _told(row: DeliveryRow, now: datetime) -> Iterator[Event]:
    """The event that ends a delivery; none while it goes on, or when it was withheld."""
    if row.state == State.DELIVERED:
        yield DocumentDelivered(
            legal_entity_id=row.legal_entity_id,
            invoice_id=row.invoice_id,
            document_kind=row.document_kind,
            stage=str(row.stage),
            channel=Channel(row.channel),
            contact_id=row.contact_id,
            message_id=row.message_id,
            delivered_at=now,
            attempts=row.attempts,
        )
    elif row.state == State.FAILED:
        yield DocumentFailed(
            legal_entity_id=row.legal_entity_id,
            invoice_id=row.invoice_id,
            document_kind=row.document_kind,
            stage=str(row.stage),
            channel=Channel(row.channel),
            contact_id=row.contact_id,
            message_id=row.message_id,
            failed_at=now,
            attempts=row.attempts,
            code=row.code or "unknown",
            reason=row.reason or "",
        )
