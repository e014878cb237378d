"""The bare limit: the same codec, models and batched statements, and nothing around them.

No fence, no held records, no retries, no metrics: what it loses at a crash stays lost.
"""

import threading
from collections.abc import Callable, Sequence

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from sqlalchemy import Connection

from shared import db, inbox, kafka, outbox
from shared.clock import system_now
from shared.codec.codec import Codec
from shared.identity import message_id
from shared.inbox import Applied
from shared.outbox import Outgoing
from shared.runtime.process import collect_seldom
from shared.runtime.records import headers_from
from shared.settings import Settings, read_settings
from shared.topology import BY_NAME, SERVICE
from tests.benchmarks.runtime.workload import SOURCE, SPEC, JobStore, on_metrics

Written = tuple[Sequence[Applied], Sequence[Outgoing]]

_ROLE = SERVICE[SPEC.name].role
_CODEC = Codec()


def main() -> None:
    """Consume every partition from its beginning until killed."""
    consume(work)


def consume(work: Callable[[Connection, list[Message]], Written]) -> None:
    """Take batches for ever; what `work` makes of one is written in one transaction."""
    settings = read_settings()
    threading.Thread(target=_publish, args=(settings,), daemon=True).start()
    engine = db.engine(settings, _ROLE)
    consumer = Consumer(kafka.consumer(settings, "bare") | {"enable.partition.eof": False})
    partitions = consumer.list_topics(SOURCE, timeout=10).topics[SOURCE].partitions
    consumer.assign([TopicPartition(SOURCE, number, OFFSET_BEGINNING) for number in partitions])
    collect_seldom()
    while True:
        polled = [consumer.poll(1.0), *consumer.consume(settings.batch_size - 1, 0)]
        messages = [message for message in polled if message is not None]
        with engine.begin() as connection:
            applied, outgoing = work(connection, messages)
            inbox.remember(connection, applied)
            outbox.write(connection, outgoing)


def work(connection: Connection, messages: list[Message]) -> Written:
    """Price every job of a batch, as a service does."""
    topic, now = BY_NAME[SOURCE], system_now()
    applied, events = [], []
    for message in messages:
        event, content = _CODEC.read(topic, message.value() or b"")
        place = (SOURCE, message.partition() or 0, message.offset() or 0)
        applied.append(Applied(message_id(topic, event), content, *place))
        events.append(event)
    store = JobStore(connection)
    store.prefetch(events)
    prices = [price for event in events for price in on_metrics(event, store, now)]
    store.flush()
    return applied, [outbox.outgoing(_CODEC, price, "bare", None) for price in prices]


def _publish(settings: Settings) -> None:
    """The outbox to Kafka, in its order, in transactions."""
    producer = Producer(kafka.relay_producer(settings, "bare"))
    producer.init_transactions(10)
    with psycopg.connect(settings.role_url(_ROLE), autocommit=True) as connection:
        connection.execute(f"LISTEN outbox_{SPEC.name}")
        while True:
            rows = connection.execute(
                "SELECT id, topic, key, value, headers FROM outbox ORDER BY id LIMIT 1000"
            ).fetchall()
            if not rows:
                list(connection.notifies(timeout=0.5, stop_after=1))
                continue
            producer.begin_transaction()
            for _, topic, key, value, headers in rows:
                producer.produce(topic, value, key, headers=list(headers_from(headers)))
            producer.commit_transaction(10)
            connection.execute("DELETE FROM outbox WHERE id = ANY(%s)", ([r[0] for r in rows],))


if __name__ == "__main__":
    main()
