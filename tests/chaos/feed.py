"""The print shop's work, record by record, and what a bad producer does besides.

The events of one job are published one after the other, each once its readers have read the one
before: topics keep no order among each other, and what comes of a job would be a matter of chance.
Jobs run beside each other. Every record tells in the header `chaos-no` its place in this order.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from queue import Empty, SimpleQueue
from random import Random
from threading import Event as Waiter
from threading import Thread
from typing import Any, Final
from zlib import crc32

import psycopg
from confluent_kafka import KafkaError, Message, Producer
from psycopg.sql import SQL, Identifier

from services.simulator.main import master_data, special_cases, stories_of
from services.simulator.scene import Story
from shared import kafka
from shared.clock import monotonic
from shared.codec.codec import Codec
from shared.events.base import Event
from shared.events.payments import PaymentApplied
from shared.events.production import JobCompleted
from shared.identity import key_of, message_id, topic_of
from shared.local.hours import NOON
from shared.money import ZERO, round_money
from shared.outbox import event_headers
from shared.settings import Settings
from shared.topology import BY_NAME, consumers, role_of

STARTING: Final = date(2025, 3, 3)
ACTIVE_MAX: Final = 400
_READERS: Final = [service.name for service in consumers()]
_REACHED: Final = SQL("SELECT topic, partition, next_offset FROM {}")
_INVOICES: Final = (
    "SELECT job_id, legal_entity_id, invoice_id, invoice_number, issued_on, currency, gross_total"
    " FROM invoicer.invoice WHERE job_id = ANY (%s)"
)
_BILLED: Final = ("straight-through", "actual-within-cap")
_PAYS_EVERY: Final = 3
_LOOK_S = 0.1
_FLUSH_S = 120.0

Place = tuple[str, int]
Headers = list[tuple[str, str | bytes | None]]


@dataclass
class Sent:
    """A record as it was published, and where it stands once the broker has it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    event: Event | None
    place: tuple[Place, int] | None = None


@dataclass
class _Job:
    """A job under way: what is still to be told, and what its readers have yet to read."""

    arrivals: Iterator[Event]
    last: Sent | None = None
    told: list[Sent] = field(default_factory=list)


class Feed(Thread):
    """Publishes `jobs` jobs at `rate` a second, as far as the services keep up."""

    def __init__(self, settings: Settings, *, seed: int, jobs: int, rate: float) -> None:
        super().__init__(name="feed")
        self._settings, self._rate = settings, rate
        self._stories = self._told(seed, jobs)
        self._codec = Codec(None)
        self._producer = Producer(kafka.producer(settings, role_of("simulator")))
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._active: list[_Job] = []
        self._done: list[_Job] = []
        self._payers: set[str] = set()
        self._known: list[Sent] = []
        self._reached: dict[tuple[str, Place], int] = {}
        self._database: psycopg.Connection | None = None
        self._is_over = Waiter()
        self._numbers = 0
        self._is_one_done = Waiter()
        self.is_known = Waiter()
        """The master data have been read."""
        self.failure: BaseException | None = None
        self.jobs = 0

    def stop(self) -> None:
        """End before all is told."""
        self._is_over.set()

    def send_again(self, seed: int) -> int:
        """Have some records that have been read sent again in any order; how many were."""
        return self._ask(lambda: self._send_again(Random(seed)))

    def poison(self, seed: int) -> int:
        """Have records sent that no producer should send, once a job is over; how many were."""
        while self.is_alive() and not self._is_one_done.wait(_LOOK_S):
            pass
        return self._ask(lambda: self._poison(Random(seed)))

    def _ask(self, what: Callable[[], int]) -> int:
        sent: Future[int] = Future()
        self._asked.put(lambda: sent.set_result(what()))
        while self.is_alive():
            with suppress(TimeoutError):
                return sent.result(_LOOK_S)
        return sent.result(0) if sent.done() else 0

    def run(self) -> None:
        """Publish all; what breaks is kept in `failure`."""
        try:
            self._tell_master_data()
            self.is_known.set()
            self._tell_jobs()
        except BaseException as error:  # noqa: BLE001 -- raised again by whoever waits for us
            self.failure = error
        finally:
            self.is_known.set()
            self._producer.flush(10)
            if self._database is not None:
                self._database.close()

    def _told(self, seed: int, jobs: int) -> Iterator[Story]:
        special = special_cases(seed, starting=STARTING).values()
        common = stories_of(jobs - len(special), seed, starting=STARTING)
        yield from islice((*special, *common), jobs)

    def _tell_master_data(self) -> None:
        sent = [self._send(event) for event in master_data()]
        self._flush()
        while not (self._is_over.wait(_LOOK_S) or all(self._is_read(each) for each in sent)):
            self._look()
        self._known += sent

    def _tell_jobs(self) -> None:
        started, more = monotonic(), True
        while (more or self._active or self._payers) and not self._is_over.wait(_LOOK_S):
            self._obey()
            while more and self._may_begin(monotonic() - started):
                story = next(self._stories, None)
                more = story is not None
                if story:
                    self._begin(story)
            self._look()
            for job in self._active:
                self._go_on(job)
            self._flush()
            self._done += [job for job in self._active if job.last is None]
            self._active = [job for job in self._active if job.last is not None]
            if self._done:
                self._is_one_done.set()
        self._obey()
        self._flush()

    def _begin(self, story: Story) -> None:
        self._active.append(_Job(arrival.event for arrival in story.arrivals))
        self.jobs += 1
        if story.outcome in _BILLED and crc32(story.job_id.encode()) % _PAYS_EVERY == 0:
            self._payers.add(story.job_id)

    def _may_begin(self, seconds: float) -> bool:
        return len(self._active) < ACTIVE_MAX and self.jobs < seconds * self._rate

    def _go_on(self, job: _Job) -> None:
        if job.last is not None:
            if not self._is_read(job.last):
                return
            job.told.append(job.last)
            self._known.append(job.last)
        event = next(job.arrivals, None)
        job.last = None if event is None else self._send(event)

    def _obey(self) -> None:
        while True:
            try:
                self._asked.get_nowait()()
            except Empty:
                return

    def _send(self, event: Event) -> Sent:
        topic = topic_of(event)
        key = key_of(topic, event)
        headers = event_headers(topic.name, key, message_id(topic, event), "simulator", None)
        sent = Sent(topic.name, key.encode(), self._codec.encode(event), list(headers), event)
        return self._produce(sent)

    def _send_again(self, rng: Random) -> int:
        chosen = rng.sample(self._known, min(len(self._known), rng.randint(5, 40)))
        for known in chosen:
            self._produce(Sent(known.topic, known.key, known.value, known.headers, known.event))
        return len(chosen)

    def _poison(self, rng: Random) -> int:
        """Bytes that are no event, under keys of their own and of jobs that are over."""
        before = self._numbers
        done = [
            sent for job in rng.sample(self._done, min(len(self._done), 3)) for sent in job.told
        ]
        for sent in done[: rng.randint(1, 6)]:
            value = sent.value or b""
            owns = (f"poison/{rng.getrandbits(64)}".encode() for _ in range(4))
            for key, bad in (
                (next(owns), rng.randbytes(rng.randint(0, 40))),
                (next(owns), value[: rng.randrange(len(value))]),
                (next(owns), None),
                (next(owns), value),  # a key that is not the value's
                (None, value),
                (sent.key, value[:-1]),
            ):
                self._produce(Sent(sent.topic, key, bad, [], None))
            if isinstance(sent.event, JobCompleted):
                self._send(sent.event.model_copy(update={"description": "something else"}))
        return self._numbers - before

    def _produce(self, sent: Sent) -> Sent:
        self._numbers += 1
        headers = [*sent.headers, ("chaos-no", json.dumps(self._numbers).encode())]

        def stands(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.failure = RuntimeError(f"the broker did not take {sent.topic}: {error}")
                self._is_over.set()
            sent.place = (sent.topic, message.partition() or 0), message.offset() or 0

        self._producer.produce(
            sent.topic, sent.value, sent.key, headers=headers, on_delivery=stands
        )
        return sent

    def _flush(self) -> None:
        deadline = monotonic() + _FLUSH_S
        while self._producer.flush(0.2) and not self._is_over.is_set():
            if monotonic() > deadline:
                raise TimeoutError("the broker takes no records")

    def _pay(self, invoices: Sequence[tuple[Any, ...]]) -> None:
        """Two payments of each, as soon as its number is given: they may outrun the invoice."""
        for job, entity, invoice, number, issued_on, currency, gross in invoices:
            half = round_money(gross / 2, currency)
            for application_no, amount in ((1, half), (2, gross - half)):
                self._send(
                    PaymentApplied(
                        legal_entity_id=entity,
                        payment_id=f"PAY-{number}",
                        invoice_id=invoice,
                        application_no=application_no,
                        applied_at=datetime.combine(issued_on, NOON),
                        applied_on=issued_on,
                        currency=currency,
                        amount=amount,
                        open_amount=gross - half if application_no == 1 else ZERO,
                    )
                )
            self._payers.discard(job)

    def _is_read(self, sent: Sent) -> bool:
        if sent.place is None:
            return False
        place, offset = sent.place
        readers = (name for name in _READERS if name in BY_NAME[sent.topic].consumers)
        return all(self._reached.get((name, place), 0) > offset for name in readers)

    def _look(self) -> None:
        """How far each service has read, as its table says; as before while it does not answer."""
        try:
            if self._database is None:
                url = self._settings.database_url.get_secret_value()
                self._database = psycopg.connect(url, autocommit=True)
            for name in _READERS:
                query = _REACHED.format(Identifier(name, "consumer_offset"))
                rows = self._database.execute(query).fetchall()
                self._reached |= {(name, (topic, n)): at for topic, n, at in rows}
            if self._payers:
                self._pay(self._database.execute(_INVOICES, (list(self._payers),)).fetchall())
        except psycopg.OperationalError:
            if self._database is not None:
                self._database.close()
            self._database = None
