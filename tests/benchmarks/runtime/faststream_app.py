"""FastStream on its confluent-kafka broker, one message at a time."""

import asyncio

import psycopg
from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker, KafkaMessage

from shared.codec.codec import Codec
from shared.settings import read_settings
from tests.benchmarks.runtime.effect import INBOX, STATE, database_url, effect_of
from tests.benchmarks.runtime.workload import SOURCE, TARGET


async def main() -> None:
    """Consume until killed."""
    settings, codec = read_settings(), Codec()
    broker = KafkaBroker(settings.kafka_bootstrap_servers)
    connection = await psycopg.AsyncConnection.connect(database_url(settings))

    async def undecoded(message: KafkaMessage) -> bytes:
        return bytes(message.body)

    @broker.subscriber(  # type: ignore[untyped-decorator]  # typed in its own environment alone
        SOURCE,
        group_id="faststream",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
        decoder=undecoded,
    )
    async def handle(value: bytes, message: KafkaMessage) -> None:
        effect, raw = effect_of(codec, value), message.raw_message
        row = (effect.identity, effect.fingerprint, SOURCE, raw.partition(), raw.offset())
        async with connection.transaction():
            if (await connection.execute(INBOX, row)).rowcount:
                await connection.execute(STATE, effect.state)
            await broker.publish(effect.value, TARGET, key=effect.key, headers=effect.headers)

    await FastStream(broker).run()


if __name__ == "__main__":
    asyncio.run(main())
