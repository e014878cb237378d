"""A plain loop over confluent-kafka: one message, one transaction, one publish, one commit."""

import psycopg
from confluent_kafka import Consumer, KafkaException, Producer

from shared import kafka
from shared.codec.codec import Codec
from shared.settings import read_settings
from shared.topology import role_of
from tests.benchmarks.runtime.effect import INBOX, STATE, database_url, effect_of
from tests.benchmarks.runtime.workload import SOURCE, TARGET


def main() -> None:
    """Consume until killed."""
    settings, codec = read_settings(), Codec()
    consumer = Consumer(
        kafka.consumer(settings, "plain")
        | {"auto.offset.reset": "earliest", "enable.partition.eof": False}
    )
    consumer.subscribe([SOURCE])
    producer = Producer(kafka.producer(settings, role_of("simulator")) | {"linger.ms": 0})
    with psycopg.connect(database_url(settings)) as connection:
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if (error := message.error()) is not None:
                raise KafkaException(error)
            effect = effect_of(codec, message.value() or b"")
            place = (SOURCE, message.partition(), message.offset())
            with connection.transaction():
                row = (effect.identity, effect.fingerprint, *place)
                if connection.execute(INBOX, row).rowcount:
                    connection.execute(STATE, effect.state)
                producer.produce(
                    TARGET, effect.value, effect.key, headers=list(effect.headers.items())
                )
                producer.flush()
            consumer.commit(message=message, asynchronous=False)


if __name__ == "__main__":
    main()
