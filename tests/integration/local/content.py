"""One value, written into both servers and read back."""

import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from shared.local.stack import Endpoints

TOPIC = "jobs"
SECONDS_MAX = 20.0


def write(endpoints: Endpoints, value: str) -> None:
    """Make a topic and a table and put the value into both."""
    admin = AdminClient({"bootstrap.servers": endpoints.kafka_bootstrap_servers})
    for created in admin.create_topics([NewTopic(TOPIC, 1, 1)]).values():
        created.result(SECONDS_MAX)
    producer = Producer({"bootstrap.servers": endpoints.kafka_bootstrap_servers})
    producer.produce(TOPIC, value.encode())
    assert producer.flush(SECONDS_MAX) == 0
    with psycopg.connect(endpoints.database_url) as database:
        database.execute("CREATE TABLE job (id text)")
        database.execute("INSERT INTO job VALUES (%s)", [value])


def read(endpoints: Endpoints) -> tuple[str, str]:
    """What the topic and the table hold first."""
    consumer = Consumer(
        {"bootstrap.servers": endpoints.kafka_bootstrap_servers, "group.id": "reader"}
    )
    try:
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        record = consumer.poll(SECONDS_MAX)
    finally:
        consumer.close()
    assert record is not None
    assert record.error() is None
    value = record.value()
    assert value is not None
    with psycopg.connect(endpoints.database_url) as database:
        row = database.execute("SELECT id FROM job").fetchone()
    assert row is not None
    return value.decode(), row[0]
