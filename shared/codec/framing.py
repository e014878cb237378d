"""The two framings of a record value: which schema wrote it, and the bytes it wrote.

Avro single-object encoding: C3 01, the CRC-64-AVRO fingerprint little-endian, the body.
Confluent wire format: 0, the schema id big-endian in four bytes, the body.
"""

from dataclasses import dataclass
from typing import Final

from shared.errors import Undecodable

_SINGLE_OBJECT: Final = b"\xc3\x01"
_SINGLE_OBJECT_HEAD = 10
_CONFLUENT: Final = b"\x00"
_CONFLUENT_HEAD = 5


@dataclass(frozen=True)
class Fingerprint:
    """A schema named by its CRC-64-AVRO."""

    crc64: int


@dataclass(frozen=True)
class RegistryId:
    """A schema named by its id in a schema registry."""

    number: int


SchemaRef = Fingerprint | RegistryId


def frame(ref: SchemaRef, body: bytes) -> bytes:
    """The record value for `body`, written with the schema that `ref` names."""
    if isinstance(ref, Fingerprint):
        return _SINGLE_OBJECT + ref.crc64.to_bytes(8, "little") + body
    return _CONFLUENT + ref.number.to_bytes(4, "big") + body


def unframe(value: bytes) -> tuple[SchemaRef, int]:
    """The schema named in front of a record value, and where its body begins."""
    if value[:2] == _SINGLE_OBJECT and len(value) >= _SINGLE_OBJECT_HEAD:
        return Fingerprint(int.from_bytes(value[2:10], "little")), _SINGLE_OBJECT_HEAD
    if value[:1] == _CONFLUENT and len(value) >= _CONFLUENT_HEAD:
        return RegistryId(int.from_bytes(value[1:5], "big")), _CONFLUENT_HEAD
    raise Undecodable(
        "framing-unknown",
        "the value begins with neither framing: C3 01 + fingerprint, or 00 + schema id",
        begins=value[:10].hex(),
        size_bytes=len(value),
    )
