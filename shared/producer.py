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
from shared.topology import role_of

_FLUSH_S = 60.0


class Publisher:
    """A producer kept open: the first record of a new one waits half a second for its id.

    Raises `Unreachable` where no broker answers.
    """

    def __init__(self, settings: Settings, source: str) -> None:
        self._source = source
        self._codec = Codec(registry_from(settings))
        self._producer = Producer(kafka.producer(settings, role_of(source)))
        kafka.metadata(settings, self._producer)
        self._failures: list[KafkaError] = []

    def publish(
        self, events: Iterable[Event], progress: Callable[[int], None] = lambda _: None
    ) -> int:
        """Publish `events` in order and return how many; `progress` is told the count as it grows.

        Raises `Invalid` before anything of that event is sent, `Transient` when the broker does
        not take what was sent; sending the same events again is harmless (their ids are the same).
        """
        self._failures.clear()
        count = 0
        for count, event in enumerate(events, 1):
            self._send(event)
            progress(count)
        left = self._producer.flush(_FLUSH_S)
        if self._failures or left:
            reason = _reason(self._failures[0]) if self._failures else f"{left} not acknowledged"
            raise Transient("kafka", f"the broker did not take every record: {reason}")
        return count

    def _send(self, event: Event) -> None:
        topic = topic_of(event)
        key = key_of(topic, event)
        headers = event_headers(topic.name, key, message_id(topic, event), self._source, None)
        value = self._codec.encode(event)
        while True:
            try:
                self._producer.produce(
                    topic.name, value, key, headers=list(headers), on_delivery=self._acknowledged
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise Transient("kafka", str(error)) from error
            else:
                self._producer.poll(0)
                return

    def _acknowledged(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failures.append(error)


def _reason(error: KafkaError) -> str:
    return f"{error.str()}; {kafka.GRANT}" if error.code() in kafka.UNAUTHORIZED else error.str()


def publish(
    settings: Settings,
    events: Iterable[Event],
    source: str,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """`Publisher.publish` of one that is opened for it."""
    return Publisher(settings, source).publish(events, progress)
