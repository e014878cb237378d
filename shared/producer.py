"""Publishing for those who have no outbox: ingest, the simulator, tests; all of it, or an error."""

from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from shared import kafka
from shared.codec.codec import Codec
from shared.codec.registry import registry_from
from shared.errors import Transient
from shared.events.base import Event
from shared.identity import key_of, message_id, topic_of
from shared.outbox import event_headers
from shared.settings import Settings

_FLUSH_S = 60.0


def publish(
    settings: Settings,
    events: Iterable[Event],
    source: str,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Publish `events` in order and return how many; `progress` is told the count as it grows.

    Raises `Invalid` before anything of that event is sent, `Transient` when the broker does not
    take what was sent; sending the same events again is harmless (their ids are the same).
    """
    codec = Codec(registry_from(settings))
    producer = Producer(kafka.producer(settings))
    failures: list[KafkaError] = []

    def acknowledged(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    count = 0
    for count, event in enumerate(events, 1):
        topic = topic_of(event)
        key = key_of(topic, event)
        headers = event_headers(topic.name, key, message_id(topic, event), source, None)
        _produce(producer, topic.name, key, codec.encode(event), list(headers), acknowledged)
        progress(count)
    left = producer.flush(_FLUSH_S)
    if failures or left:
        reason = failures[0].str() if failures else f"{left} records not acknowledged"
        raise Transient("kafka", f"the broker did not take every record: {reason}")
    return count


def _produce(
    producer: Producer,
    topic: str,
    key: str,
    value: bytes,
    headers: list[tuple[str, str | bytes | None]],
    acknowledged: Callable[[KafkaError | None, Message], None],
) -> None:
    while True:
        try:
            producer.produce(topic, value, key, headers=headers, on_delivery=acknowledged)
        except BufferError:
            producer.poll(0.1)
        except KafkaException as error:
            raise Transient("kafka", str(error)) from error
        else:
            producer.poll(0)
            return
