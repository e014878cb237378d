"""The codec of one model as generated code: bytes to a checked event and back in one pass.

It serves what travels by far most often: sound, canonical bodies of the newest schema. Whatever
else comes raises, and the caller takes the way through fastavro and pydantic, which says what is
wrong. Canonical means that this module would write the same bytes, so their hash names the content.

A leaf is converted and checked by pydantic the first time its bytes are seen and remembered after:
codes, units and names recur all day. A decimal's limits are its own to check.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from shared.codec.wire import Leaf, Many, Maybe, Part, Wire, wire_of
from shared.events.base import Decimals

Read = Callable[[bytes, int, list[Decimal]], tuple[Any, int]]
"""(body, start, amounts to append to) -> (model, end)."""
Write = Callable[[Any, bytearray, list[Decimal]], None]
"""(model, body to append to, amounts to append to)."""

_KNOWN_MAX: Final = 4_000
_SIZE_MAX: Final = 64  # free text hardly recurs
_TEXTS: Final = ("string", "bytes")
_SMALL: Final = tuple(bytes([2 * size]) for size in range(64))  # sizes that take one byte


# What pydantic's own constructor fills in, by the setters of the slots themselves.
_PUT: Final = {
    f"put_{name}": BaseModel.__dict__[slot].__set__
    for name, slot in {
        "fields": "__dict__",
        "names": "__pydantic_fields_set__",
        "extra": "__pydantic_extra__",
        "private": "__pydantic_private__",
    }.items()
}


class Doubt(Exception):
    """The body is unusual: not for this module to judge."""


class _Known(dict[Any, Any]):
    """What `make` gives for each key, remembered up to a bound."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: Any) -> Any:  # noqa: ANN401 -- bytes, text or number
        value = self._make(key)
        if len(self) >= _KNOWN_MAX:
            self.clear()
        self[key] = value
        return value


class _KnownText(_Known):
    """The same for texts, the short ones remembered."""

    def __missing__(self, key: Any) -> Any:  # noqa: ANN401 -- bytes or text
        return super().__missing__(key) if len(key) <= _SIZE_MAX else self._make(key)


@cache
def reader_of(model: type[BaseModel]) -> Read:
    """The generated reader of `model`."""
    code = _Code("read", "b, i, amounts")
    fields = [(name, f"v{n}", wire) for n, (name, wire) in enumerate(wire_of(model).fields)]
    for _, target, wire in fields:
        _emit_read(code, wire, target)
    content = ", ".join(f"{name!r}: {target}" for name, target, _ in fields)
    code.line(f"m = new({code.bind(model)})")
    code.line(f"put_fields(m, {{{content}}})")
    code.line(f"put_names(m, {code.bind(set(model.model_fields))})")  # shared: every copy copies it
    code.line("put_extra(m, None)")
    code.line("put_private(m, None)")
    code.line("return m, i")
    compiled: Read = code.function(
        new=model.__new__, number=int.from_bytes, size=_size, varint=_varint, **_PUT
    )
    size = _least_size(model)
    return compiled if size is None else _remembering(compiled, size)


def _least_size(model: type[BaseModel]) -> int | None:
    """The bytes of a model of few values, all of one byte and the optional absent; else None."""
    fields = [wire for _, wire in wire_of(model).fields]
    is_small = all(
        isinstance(wire, Maybe) or (isinstance(wire, Leaf) and wire.kind in ("enum", "boolean"))
        for wire in fields
    )
    return len(fields) if is_small else None


def _remembering(read: Read, size: int) -> Read:
    """As `read`, which is asked once for each body of just `size` bytes: models are immutable.

    What was read from some bytes to their end is read from the same bytes again.
    """
    known: dict[bytes, Any] = {}

    def remembered(b: bytes, i: int, amounts: list[Decimal]) -> tuple[Any, int]:
        raw = b[i : i + size]
        model = known.get(raw)
        if model is not None:
            return model, i + size
        model, end = read(b, i, amounts)
        if end == i + size and len(known) < _KNOWN_MAX:
            known[raw] = model
        return model, end

    return remembered


@cache
def writer_of(model: type[BaseModel]) -> Write:
    """The generated writer of `model`."""
    code = _Code("write", "m, w, amounts")
    code.line("d = m.__dict__")
    for name, wire in wire_of(model).fields:
        _emit_write(code, wire, f"d[{name!r}]")
    compiled: Write = code.function(count=_count, small=_SMALL)
    return compiled


class _Code:
    """The source of one function, and the objects it names."""

    def __init__(self, name: str, parameters: str) -> None:
        self._name = name
        self._lines = [f"def {name}({parameters}):"]
        self._names: dict[str, Any] = {}
        self._depth = 1

    def line(self, text: str) -> None:
        """Append a statement."""
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A compound statement; what is appended within is its body."""
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def bind(self, value: object) -> str:
        """A name for `value`, as new as every other name given."""
        name = f"_{len(self._names)}"
        self._names[name] = value
        return name

    def function(self, **names: object) -> Any:  # noqa: ANN401 -- a reader or a writer
        """The compiled function."""
        scope = self._names | names | {"Doubt": Doubt}
        exec("\n".join(self._lines), scope)  # noqa: S102 -- made of our own schemas' names alone
        return scope[self._name]


# ---------------------------------------------------------------- reading


def _emit_read(code: _Code, wire: Wire, target: str) -> None:
    match wire:
        case Leaf():
            _emit_leaf(code, wire, target)
        case Maybe():
            code.line("n = b[i]")
            code.line("i += 1")
            code.line(f"if n == 0: {target} = None")
            with code.block("elif n == 2:"):
                _emit_read(code, wire.inner, target)
            code.line("else: raise Doubt")
        case Many():
            _emit_items(code, wire.item, target)
        case Part():
            code.line(f"{target}, i = {code.bind(reader_of(wire.model))}(b, i, amounts)")


def _emit_leaf(code: _Code, leaf: Leaf, target: str) -> None:
    match leaf.kind:
        case "bytes" if leaf.decimals:
            _emit_decimal(code, leaf.decimals, target)
        case "string" | "bytes":
            _emit_size(code)
            code.line("j = i + n")
            code.line(f"{target} = {code.bind(_reading(leaf))}[b[i:j]]")
            code.line("i = j")
        case "long" | "int":
            code.line("n = b[i]")
            code.line("if n & 128: n, i = varint(b, i)")
            code.line("else: i += 1")
            code.line(f"{target} = {code.bind(_reading(leaf))}[n]")
        case _:
            code.line(f"{target} = {code.bind(_symbols(leaf))}[b[i]]")
            code.line("i += 1")
    if leaf.amounts:
        code.line(f"amounts.append({target})")


def _emit_decimal(code: _Code, decimals: Decimals, target: str) -> None:
    """Not remembered: what was measured hardly recurs, and this takes no longer than to look."""
    limit = 10**decimals.precision
    _emit_size(code)
    code.line("j = i + n")
    code.line('q = number(b[i:j], "big", signed=True)')
    code.line(f"if n != q.bit_length() + 8 >> 3 or not {-limit} < q < {limit}: raise Doubt")
    code.line(f"{target} = q * {code.bind(decimals.unit)}")
    code.line("i = j")


def _emit_size(code: _Code) -> None:
    code.line("n = b[i]")
    code.line("if n & 129: n, i = size(b, i)")
    with code.block("else:"):
        code.line("n >>= 1")
        code.line("i += 1")


def _emit_items(code: _Code, item: Wire, target: str) -> None:
    items, each = f"{target}s", f"{target}e"
    _emit_size(code)
    code.line(f"{items} = []")
    with code.block("if n:"):
        with code.block("for _ in range(n):"):
            _emit_read(code, item, each)
            code.line(f"{items}.append({each})")
        code.line("if b[i]: raise Doubt")
        code.line("i += 1")
    code.line(f"{target} = tuple({items})")


@cache
def _reading(leaf: Leaf) -> _Known:
    """Raw content (bytes, or the number of a varint) to the checked value."""
    if leaf.is_exact and leaf.decode:
        convert = leaf.decode
        return _Known(lambda raw: convert((raw >> 1) ^ -(raw & 1)))
    check = TypeAdapter(leaf.hint).validator.validate_python
    decode, content = leaf.decode or _itself, _content(leaf)

    def read(raw: Any) -> Any:  # noqa: ANN401 -- as above
        plain = raw if isinstance(raw, bytes) else (raw >> 1) ^ -(raw & 1)
        value = check(decode(plain.decode() if leaf.kind == "string" else plain))
        if content(value) != raw:
            raise Doubt
        return value

    return _KnownText(read) if leaf.kind in _TEXTS else _Known(read)


@cache
def _symbols(leaf: Leaf) -> dict[int, Any]:
    """The first byte of an enum or a boolean to its value; 63 symbols fit."""
    if leaf.kind == "boolean":
        return {0: False, 1: True}
    return {2 * n: member for n, member in enumerate(list(leaf.hint)[:63])}


def _varint(body: bytes, i: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[i]
        i += 1
        number |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 -- the bit above says that more follows
            break
        shift += 7
    if not byte or number >= 1 << 64:
        raise Doubt
    return number, i


def _size(body: bytes, i: int) -> tuple[int, int]:
    number, i = _varint(body, i)
    if number & 1:
        raise Doubt
    return number >> 1, i


# ---------------------------------------------------------------- writing


def _emit_write(code: _Code, wire: Wire, source: str) -> None:
    match wire:
        case Leaf():
            code.line(f"v = {source}")
            if wire.decimals:
                _emit_scaled(code, wire, wire.decimals)
            else:
                code.line(f"w += {code.bind(_writing(wire))}[v]")
            if wire.amounts:
                code.line("amounts.append(v)")
        case Maybe():
            code.line(f"o = {source}")
            code.line("if o is None: w.append(0)")
            with code.block("else:"):
                code.line("w.append(2)")
                _emit_write(code, wire.inner, "o")
        case Many():
            code.line(f"items = {source}")
            with code.block("if items:"):
                code.line("w += count(len(items))")
                with code.block("for item in items:"):
                    _emit_write(code, wire.item, "item")
            code.line("w.append(0)")
        case Part():
            code.line(f"{code.bind(writer_of(wire.model))}({source}, w, amounts)")


def _emit_scaled(code: _Code, leaf: Leaf, decimals: Decimals) -> None:
    """Remembered, since prices and rates recur, and what is not found costs little here."""
    known = code.bind(_scaled(decimals))
    code.line(f"r = {known}.get(v)")
    with code.block("if r is None:"):
        code.line(f"s = v * {code.bind(decimals.one)}")
        code.line("q = int(s)")
        code.line(f"if q != s: {code.bind(leaf.encode)}(v)  # says what is wrong")
        code.line("n = q.bit_length() + 8 >> 3")
        code.line('r = small[n] + q.to_bytes(n, "big", signed=True)')
        code.line(f"if len({known}) >= {_KNOWN_MAX}: {known}.clear()")
        code.line(f"{known}[v] = r")
    code.line("w += r")


@cache
def _scaled(decimals: Decimals) -> dict[Decimal, bytes]:
    """The bytes of some values, the same for every field of one precision and scale."""
    del decimals
    return {}


@cache
def _writing(leaf: Leaf) -> _Known:
    """A value to its bytes, with their size where they need one."""
    content = _content(leaf)
    match leaf.kind:
        case "string" | "bytes":
            return _KnownText(lambda value: _sized(content(value)))
        case "long" | "int":
            return _Known(lambda value: _varint_of(content(value)))
        case _:
            codes = {value: bytes([code]) for code, value in _symbols(leaf).items()}
            return _Known(codes.__getitem__)


@cache
def _content(leaf: Leaf) -> Callable[[Any], Any]:
    """A value to its raw content, as `_reading` takes it."""
    encode = leaf.encode or _itself
    match leaf.kind:
        case "string":
            return str.encode
        case "bytes":
            return encode
        case _:
            return lambda value: _zigzag(encode(value))


def _itself(value: Any) -> Any:  # noqa: ANN401 -- whatever it is
    return value


def _zigzag(number: int) -> int:
    return (number << 1) ^ (number >> 63)


def _count(number: int) -> bytes:
    return _varint_of(_zigzag(number))


def _sized(raw: bytes) -> bytes:
    """`raw` after its size."""
    size = len(raw)
    return (_SMALL[size] if size < len(_SMALL) else _count(size)) + raw


def _varint_of(number: int) -> bytes:
    parts = bytearray()
    while number > 127:  # noqa: PLR2004 -- seven bits a byte
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)
