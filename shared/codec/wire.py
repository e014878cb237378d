"""How each field type travels: its Avro schema, and the conversion to and from plain Avro.

fastavro is given schemas without logical types, where decimals are bytes and times are integers:
the same bytes, three times faster than its own Decimal path, and every conversion is exact.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from shared.errors import Invalid
from shared.events.base import AMOUNT, Decimals, Time

Convert = Callable[[Any], Any]
Avro = str | list[Any] | dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)
_DECIMAL_BYTES_MAX = 16  # 38 digits; the widest field has 28


@dataclass(frozen=True, eq=False)
class _Wire:
    """One type: its Avro schema, and its conversions (None: the value travels as it is).

    `amounts` yields the money inside a value, for the check against the currency.
    """

    avro: Avro
    encode: Convert | None = None
    decode: Convert | None = None
    amounts: Callable[[Any], Iterator[Decimal]] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Leaf(_Wire):
    """A value without parts. `kind` is its Avro type, `hint` the annotation with its limits.

    `is_exact`: what `decode` gives needs no check, and `encode` gives it back. `decimals` are those
    of a decimal.
    """

    kind: str
    hint: Any
    is_exact: bool = False
    decimals: Decimals | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Maybe(_Wire):
    """A value or None."""

    inner: "Wire"


@dataclass(frozen=True, eq=False, kw_only=True)
class Many(_Wire):
    """A tuple."""

    item: "Wire"


@dataclass(frozen=True, eq=False, kw_only=True)
class Part(_Wire):
    """A model, field by field."""

    model: type[BaseModel]
    fields: "Sequence[tuple[str, Wire]]"


Wire = Leaf | Maybe | Many | Part


@cache
def wire_of(model: type[BaseModel]) -> Part:
    """The wire form of a model: a record, its fields in the model's order."""
    hints = get_type_hints(model, include_extras=True)
    wires = {name: _wire(hints[name]) for name in model.model_fields}
    fields = [_field(model, name, wire.avro) for name, wire in wires.items()]
    encoders = [(name, wire.encode) for name, wire in wires.items() if wire.encode]
    decoders = [(name, wire.decode) for name, wire in wires.items() if wire.decode]
    monies = [(name, wire.amounts) for name, wire in wires.items() if wire.amounts]

    def encode(value: BaseModel) -> dict[str, Any]:
        plain = dict(value.__dict__)
        for name, convert in encoders:
            plain[name] = convert(plain[name])
        return plain

    def decode(plain: dict[str, Any]) -> dict[str, Any]:
        for name, convert in decoders:
            plain[name] = convert(plain[name])
        return plain

    def amounts(value: BaseModel) -> Iterator[Decimal]:
        for name, find in monies:
            yield from find(getattr(value, name))

    avro = {
        "type": "record",
        "name": model.__name__,
        "namespace": "colophon.events",
        "doc": cleandoc(model.__doc__ or ""),
        "fields": fields,
    }
    return Part(
        avro,
        encode,
        decode if decoders else None,
        amounts if monies else None,
        model=model,
        fields=tuple(wires.items()),
    )


def _field(model: type[BaseModel], name: str, avro: Avro) -> dict[str, Any]:
    default = model.model_fields[name].default
    if default is PydanticUndefined:
        return {"name": name, "type": avro}
    return {"name": name, "type": avro, "default": _default(default, avro)}


def _default(value: object, avro: Avro) -> object:
    """A default as Avro writes it in JSON."""
    if isinstance(value, BaseModel):
        hints = get_type_hints(type(value), include_extras=True)
        return {n: _default(getattr(value, n), _wire(hints[n]).avro) for n in hints}
    if isinstance(value, Decimal) and isinstance(avro, dict):
        return _to_bytes(value, Decimal(10) ** int(avro["scale"])).decode("latin-1")
    if isinstance(value, tuple):
        if value:
            msg = "a default list must be empty"
            raise TypeError(msg)
        return []
    return value


@cache
def _wire(hint: Any) -> Wire:  # noqa: ANN401 - any annotation
    origin = get_origin(hint)
    if origin is Annotated:
        return _limited(hint)
    if origin in (Union, UnionType):
        return _optional(_wire(next(arg for arg in get_args(hint) if arg is not NoneType)))
    if origin is tuple:
        return _array(_wire(get_args(hint)[0]))
    if issubclass(hint, BaseModel):
        return wire_of(hint)
    if issubclass(hint, StrEnum):
        return _enum(hint)
    return _PRIMITIVES[hint]


def _limited(hint: Any) -> Wire:  # noqa: ANN401 - any annotation
    inner, *marks = get_args(hint)
    scale = next((mark for mark in marks if isinstance(mark, Decimals)), None)
    if scale:
        return _decimal(scale, hint)
    leaf = _PRIMITIVES[inner]
    return replace(leaf, hint=hint, is_exact=leaf.is_exact and hint == Time)


def _decimal(kind: Decimals, hint: Any) -> Wire:  # noqa: ANN401 - any annotation
    avro: Avro = {
        "type": "bytes",
        "logicalType": "decimal",
        "precision": kind.precision,
        "scale": kind.scale,
    }
    one, unit = kind.one, kind.unit

    def decode(raw: bytes) -> Decimal:
        if len(raw) > _DECIMAL_BYTES_MAX:
            raise Invalid("decimal-too-large", "a decimal has too many digits", bytes=len(raw))
        return int.from_bytes(raw, "big", signed=True) * unit

    return Leaf(
        avro,
        lambda value: _to_bytes(value, one),
        decode,
        _itself if kind is AMOUNT else None,
        kind="bytes",
        hint=hint,
        decimals=kind,
    )


def _to_bytes(value: Decimal, one: Decimal) -> bytes:
    scaled = value * one
    if scaled != scaled.to_integral_value():
        raise Invalid("decimal-not-exact", "more decimals than the field has", value=value)
    number = int(scaled)
    return number.to_bytes((number.bit_length() + 8) // 8, "big", signed=True)


def _itself(value: Decimal) -> Iterator[Decimal]:
    yield value


def _enum(kind: type[StrEnum]) -> Wire:
    symbols = [member.value for member in kind]
    avro: dict[str, Any] = {
        "type": "enum",
        "name": kind.__name__,
        "namespace": "colophon.events",
        "symbols": symbols,
        "default": "UNKNOWN",
    }
    return Leaf(avro, kind="enum", hint=kind)


def _optional(inner: Wire) -> Wire:
    encode, decode, amounts = inner.encode, inner.decode, inner.amounts
    return Maybe(
        ["null", inner.avro],
        (lambda value: None if value is None else encode(value)) if encode else None,
        (lambda value: None if value is None else decode(value)) if decode else None,
        (lambda value: iter(()) if value is None else amounts(value)) if amounts else None,
        inner=inner,
    )


def _array(item: Wire) -> Wire:
    encode, decode, amounts = item.encode, item.decode, item.amounts

    def every(values: tuple[Any, ...]) -> Iterator[Decimal]:
        for value in values:
            yield from amounts(value) if amounts else ()

    return Many(
        {"type": "array", "items": item.avro},
        (lambda values: [encode(value) for value in values]) if encode else list,
        (lambda values: [decode(value) for value in values]) if decode else None,
        every if amounts else None,
        item=item,
    )


def _instant(micros: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError as error:
        raise Invalid(
            "time-out-of-range", "not a time of the years 1 to 9999", us=micros
        ) from error


def _day(days: int) -> date:
    try:
        return date.fromordinal(days + _EPOCH_DAY)
    except (OverflowError, ValueError) as error:
        raise Invalid("date-out-of-range", "not a date of the years 1 to 9999", day=days) from error


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _days(day: date) -> int:
    return day.toordinal() - _EPOCH_DAY


_TIME: Avro = {"type": "long", "logicalType": "timestamp-micros"}
_DATE: Avro = {"type": "int", "logicalType": "date"}
_PRIMITIVES: dict[Any, Leaf] = {
    str: Leaf("string", kind="string", hint=str),
    int: Leaf("long", kind="long", hint=int),
    bool: Leaf("boolean", kind="boolean", hint=bool),
    bytes: Leaf("bytes", kind="bytes", hint=bytes),
    datetime: Leaf(_TIME, _micros, _instant, kind="long", hint=datetime, is_exact=True),
    date: Leaf(_DATE, _days, _day, kind="int", hint=date, is_exact=True),
}
