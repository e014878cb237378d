"""The codec: an event to the value of a record, and back, checked on both ways."""

from functools import cache
from hashlib import sha256
from io import BytesIO
from typing import Any, Protocol

from fastavro import schemaless_reader, schemaless_writer
from pydantic import ValidationError

from shared.codec.framing import Fingerprint, RegistryId, SchemaRef, frame, unframe
from shared.codec.wire import Convert, wire_of
from shared.errors import Invalid, Undecodable
from shared.events.base import Event
from shared.identity import topic_of
from shared.money import is_money
from shared.schemas import Schema, by_fingerprint, newest, schemas_of
from shared.topology import Topic


class Registry(Protocol):
    """A schema registry: resolves ids, raises `Transient` while it cannot be reached."""

    def plain_schema(self, number: int) -> Any:  # noqa: ANN401 - fastavro's parsed form
        """The schema registered under `number`, without logical types; `Undecodable` if unknown."""
        ...

    def id_of(self, schema: Schema) -> int:
        """The id under which `schema` is registered for its topic's values."""
        ...


class Codec:
    """Writes with the topic's declared version, reads every released version with the newest.

    With a registry, writes the Confluent framing; without, single-object encoding. Reads both.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry

    def encode(self, event: Event) -> bytes:
        """The record value of `event`; raises `Invalid` where a field breaks its contract."""
        topic = topic_of(event)
        check_amounts(event)
        schema, convert = _writer(topic)
        buffer = BytesIO()
        schemaless_writer(buffer, schema.plain, convert(event), strict_allow_default=True)
        return frame(self._reference(schema), buffer.getvalue())

    def decode(self, topic: Topic, value: bytes) -> Event:
        """The event in a record value of `topic`.

        Raises `Undecodable` (framing, schema or bytes), `Invalid` (a field, named with its value),
        `Transient` (the registry does not answer). An `Invalid` carries the decoded fields.
        """
        ref, start = unframe(value)
        plain = self._read(topic, ref, value, start)
        try:
            return _event(topic, plain)
        except Invalid as invalid:
            invalid.plain = plain
            raise

    def _read(self, topic: Topic, ref: SchemaRef, value: bytes, start: int) -> Any:  # noqa: ANN401 -- fastavro's plain form
        writer = self._writer_schema(topic, ref)
        reader = newest(topic.name).plain
        buffer = BytesIO(value)
        buffer.seek(start)
        try:
            plain = schemaless_reader(buffer, writer, None if writer is reader else reader)
        except Exception as error:
            raise Undecodable(
                "avro-broken",
                f"the body does not follow its schema: {type(error).__name__}: {error}"[:500],
                size_bytes=len(value),
            ) from error
        if buffer.tell() != len(value):
            raise Undecodable(
                "avro-trailing-bytes",
                "the body is longer than its schema says",
                size_bytes=len(value),
                read_bytes=buffer.tell(),
            )
        return plain

    def _writer_schema(self, topic: Topic, ref: SchemaRef) -> Any:  # noqa: ANN401 -- fastavro's plain form
        if isinstance(ref, RegistryId):
            if self._registry is None:
                raise Undecodable(
                    "schema-unknown",
                    "the value names a registry's schema; set COLOPHON_SCHEMA_REGISTRY_URL",
                    schema_id=ref.number,
                )
            return self._registry.plain_schema(ref.number)
        schema = by_fingerprint().get(ref.crc64)
        if schema is None:
            raise Undecodable(
                "schema-unknown",
                "no released schema has this fingerprint; deploy the release that knows it",
                fingerprint=f"{ref.crc64:016x}",
            )
        if schema.topic != topic.name:
            raise Undecodable(
                "schema-of-another-topic",
                "the value is an event of another topic",
                schema=schema.topic,
                topic=topic.name,
            )
        return schema.plain

    def _reference(self, schema: Schema) -> SchemaRef:
        if self._registry is None:
            return Fingerprint(schema.fingerprint)
        return RegistryId(self._registry.id_of(schema))


def _event(topic: Topic, plain: dict[str, Any]) -> Event:
    """The event of decoded fields, each converted in place."""
    convert = wire_of(topic.event).decode
    try:
        event = topic.event.model_validate(convert(plain) if convert else plain, strict=False)
    except ValidationError as error:
        raise _invalid(error) from error
    check_amounts(event)
    return event


@cache
def _writer(topic: Topic) -> tuple[Schema, Convert]:
    """The declared version, and the conversion to exactly its fields."""
    schema = schemas_of(topic.name)[topic.version]
    encode = wire_of(topic.event).encode or dict
    if schema is newest(topic.name):
        return schema, encode
    names = frozenset(field["name"] for field in schema.published["fields"])
    return schema, lambda event: {k: v for k, v in encode(event).items() if k in names}


def check_amounts(event: Event) -> None:
    """Raise `Invalid` where an amount has more decimals than the event's currency."""
    find = wire_of(type(event)).amounts
    currency = getattr(event, "currency", None)
    if find is None or currency is None:
        return
    for amount in find(event):
        if not is_money(amount, currency):
            raise Invalid(
                "amount-too-precise",
                "an amount has more decimals than its currency",
                amount=amount,
                currency=currency,
            )


def fingerprint(event: Event) -> bytes:
    """16 bytes that are equal for equal content, whatever schema version or framing wrote it."""
    return sha256(event.model_dump_json(exclude_defaults=True).encode()).digest()[:16]


def _invalid(error: ValidationError) -> Invalid:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "(value)"
    return Invalid(
        "field-invalid",
        f"{field}: {first['msg']}",
        field=field,
        value=str(first["input"])[:200],
        problems=error.error_count(),
    )
