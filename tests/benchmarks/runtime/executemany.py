"""Batches the plain way: fastavro's own decimals, rows by executemany, plain publishing.

One transaction a batch for inbox, state and outbox; no fence, no relay in order.
"""

from io import BytesIO
from typing import Any

import psycopg
from confluent_kafka import Consumer, KafkaException, Message, Producer
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from shared import kafka
from shared.codec.framing import Fingerprint, frame
from shared.identity import key_of, message_id
from shared.outbox import event_headers
from shared.schemas import newest
from shared.settings import read_settings
from shared.topology import BY_NAME, role_of
from tests.benchmarks.runtime.effect import INBOX, STATE, database_url
from tests.benchmarks.runtime.workload import SOURCE, TARGET, priced

_HEAD = 10  # of the single-object encoding


def main() -> None:
    """Consume every record until killed."""
    settings = read_settings()
    reader = parse_schema(dict(newest(SOURCE).published))
    writer = parse_schema(dict(newest(TARGET).published))
    consumer = Consumer(
        kafka.consumer(settings, "executemany")
        | {
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": True,
            "enable.partition.eof": False,
        }
    )
    consumer.subscribe([SOURCE])
    producer = Producer(kafka.producer(settings, role_of("simulator")))
    with psycopg.connect(database_url(settings)) as connection:
        while True:
            messages = consumer.consume(settings.batch_size, 0.1)
            if messages:
                _apply(connection, producer, messages, reader, writer)
                consumer.commit(asynchronous=False)


def _apply(
    connection: "psycopg.Connection[Any]",
    producer: Producer,
    messages: list[Message],
    reader: Any,  # noqa: ANN401 -- fastavro's parsed form
    writer: Any,  # noqa: ANN401 -- fastavro's parsed form
) -> None:
    inbox, states = [], []
    source, target = BY_NAME[SOURCE], BY_NAME[TARGET]
    name = Fingerprint(newest(TARGET).fingerprint)
    for message in messages:
        if (error := message.error()) is not None:
            raise KafkaException(error)
        value = message.value() or b""
        plain = schemaless_reader(BytesIO(value[_HEAD:]), reader, None)
        event = source.event.model_validate(plain, strict=False)
        price = priced(event)
        place = (SOURCE, message.partition(), message.offset())
        inbox.append((message_id(source, event), value[:16], *place))
        states.append((price.job_id, price.revision, len(price.lines), price.net_total))
        body = BytesIO()
        schemaless_writer(body, writer, price.model_dump())
        key = key_of(target, price)
        headers = event_headers(TARGET, key, message_id(target, price), "benchmark", None)
        producer.produce(TARGET, frame(name, body.getvalue()), key, headers=list(headers))
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(INBOX, inbox)
        cursor.executemany(STATE, states)
        producer.flush()


if __name__ == "__main__":
    main()
