"""The codec: an event to the value of a record, and back, checked on both ways."""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from io import BytesIO
from typing import Any, Protocol

from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from pydantic import ValidationError

from shared.codec.compiled import reader_of, writer_of
from shared.codec.framing import Fingerprint, RegistryId, SchemaRef, frame, unframe
from shared.codec.wire import wire_of
from shared.errors import Invalid, Undecodable, kind_of
from shared.events.base import Event, faults_of
from shared.identity import topic_of
from shared.money import too_precise
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

    def learn(self, topics: Iterable[Topic]) -> None:
        """Ask now for every schema of `topics`, so that no batch has to; raises `Transient`."""
        for topic in topics:
            for schema in schemas_of(topic.name).values():
                self._reference(schema)

    def encode(self, event: Event) -> bytes:
        """The record value of `event`; raises `Invalid` where a field breaks its contract."""
        schema = schemas_of((topic := topic_of(event)).name)[topic.version]
        return frame(self._reference(schema), _body(event, schema))

    def decode(self, topic: Topic, value: bytes) -> Event:
        """The event in a record value of `topic`; raises as `read`."""
        return self.read(topic, value)[0]

    def read(self, topic: Topic, value: bytes) -> tuple[Event, bytes]:
        """The event in a record value of `topic`, and its `fingerprint`.

        Raises `Undecodable` (framing, schema or bytes), `Invalid` (a field, named with its value),
        `Transient` (the registry does not answer). An `Invalid` carries the decoded fields.
        """
        ref, start = unframe(value)
        schema, writer = newest(topic.name), self._writer_schema(topic, ref)
        if writer is schema.plain:
            body = value[start:]
            event = _compiled(topic, body)
            if event is not None:
                return event, _digest(body) if schema.version == 1 else fingerprint(event)
        plain = self._read(schema, writer, value, start)
        try:
            event = _event(topic, plain)
        except Invalid as invalid:
            invalid.plain = plain
            raise
        return event, fingerprint(event)

    def _read(self, schema: Schema, writer: Any, value: bytes, start: int) -> Any:  # noqa: ANN401 -- fastavro's plain form
        buffer = BytesIO(value)
        buffer.seek(start)
        try:
            reader = None if writer is schema.plain else schema.plain
            plain = schemaless_reader(buffer, writer, reader)
        except SchemaResolutionError as error:
            raise Undecodable(
                "schema-incompatible",
                f"its schema is none that readers of this topic can read: {error}"[:500],
                begins=value[:start].hex(),
            ) from error
        except Exception as error:
            raise Undecodable(
                "avro-broken",
                "the body does not follow its schema",
                cause=kind_of(error),
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


def _compiled(topic: Topic, body: bytes) -> Event | None:
    """The event of a canonical body, or None where fastavro and pydantic must say what it is."""
    amounts: list[Decimal] = []
    try:
        event: Event
        event, end = reader_of(topic.event)(body, 0, amounts)
        if end == len(body):
            _check(event, amounts)
            return event
    except Exception:  # noqa: BLE001, S110 -- whatever it is, the other way names it
        pass
    return None


def _event(topic: Topic, plain: dict[str, Any]) -> Event:
    """The event of decoded fields, each converted in place."""
    convert = wire_of(topic.event).decode
    try:
        event = topic.event.model_validate(convert(plain) if convert else plain, strict=False)
    except ValidationError as error:
        raise _invalid(error) from error
    find = wire_of(topic.event).amounts
    _check(event, find(event) if find else ())
    return event


def _body(event: Event, schema: Schema) -> bytes:
    """The Avro body of `event` under one of its schemas; an older one leaves out what is new."""
    wire = wire_of(type(event))
    if schema is newest(schema.topic):
        body, amounts = bytearray(), list[Decimal]()
        writer_of(type(event))(event, body, amounts)
        _check(event, amounts)
        return bytes(body)
    _check(event, wire.amounts(event) if wire.amounts else ())
    plain = wire.encode(event) if wire.encode else dict(event)
    buffer = BytesIO()
    schemaless_writer(buffer, schema.plain, plain)
    return buffer.getvalue()


def _check(event: Event, amounts: Iterable[Decimal]) -> None:
    """Raise `Invalid` where an amount has more decimals than the event's currency."""
    currency = getattr(event, "currency", None)
    if currency is None:
        return
    if wrong := too_precise(amounts, currency):
        raise Invalid(
            "amount-too-precise",
            "an amount has more decimals than its currency",
            amount=wrong[0],
            currency=currency,
        )


def fingerprint(event: Event) -> bytes:
    """16 bytes that are equal for equal content, whatever schema version or framing wrote it.

    They are a hash of the event's body under the oldest schema that loses nothing of it, so that
    they stay what they were when a field is added.
    """
    (*older, last) = schemas_of(topic_of(event).name).values()
    body = _body(event, last)
    return _digest(next((old for s in older if (old := _faithful(event, body, s, last))), body))


def _faithful(event: Event, body: bytes, schema: Schema, last: Schema) -> bytes | None:
    """The body of `event` under an older schema, or None where that loses some of `body`."""
    old = _body(event, schema)
    plain = schemaless_reader(BytesIO(old), schema.plain, last.plain)
    buffer = BytesIO()
    schemaless_writer(buffer, last.plain, plain)
    return old if buffer.getvalue() == body else None


def _digest(body: bytes) -> bytes:
    return sha256(body).digest()[:16]


def _invalid(error: ValidationError) -> Invalid:
    field, message = next(faults_of(error))
    return Invalid(
        "field-invalid",
        f"{field}: {message}",
        field=field,
        value=str(error.errors()[0]["input"])[:200],
        problems=error.error_count(),
    )
