"""Quix Streams, one message at a time: it publishes and commits at its own checkpoints."""

from typing import Any

import psycopg
from quixstreams import Application

from shared.codec.codec import Codec
from shared.settings import read_settings
from tests.benchmarks.runtime.effect import INBOX, STATE, database_url, effect_of
from tests.benchmarks.runtime.workload import SOURCE, TARGET


def main() -> None:
    """Consume until killed."""
    settings, codec = read_settings(), Codec()
    connection = psycopg.connect(database_url(settings))
    app = Application(
        broker_address=settings.kafka_bootstrap_servers,
        consumer_group="quixstreams",
        auto_offset_reset="earliest",
        auto_create_topics=False,
    )
    source = app.topic(SOURCE, value_deserializer="bytes", key_deserializer="bytes")
    target = app.topic(TARGET, value_serializer="bytes", key_serializer="bytes")

    def apply(value: bytes, key: bytes, timestamp: int, headers: Any) -> bytes:  # noqa: ANN401 -- theirs
        del key, timestamp, headers
        effect = effect_of(codec, value)
        place = (effect.identity, effect.fingerprint, SOURCE, 0, 0)
        with connection.transaction():
            if connection.execute(INBOX, place).rowcount:
                connection.execute(STATE, effect.state)
        return effect.value

    app.dataframe(source).apply(apply, metadata=True).to_topic(target)
    app.run()


if __name__ == "__main__":
    main()
