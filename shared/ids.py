"""Ids that derive from causes: the same fact gets the same id, however often it is emitted."""

import re
from hashlib import sha1, sha256
from typing import Final
from urllib.parse import quote
from uuid import UUID

_is_plain: Final = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch  # most ids; quote() takes its time
_NAMESPACE: Final = UUID("6d0c3f5e-2f0b-5d53-9a54-7c1b7e6f0c01").bytes
_INDEXED_MAX: Final = 1000  # bytes; a row of PostgreSQL's B-tree takes 2,704 with all its columns


def cause_id(kind: str, *parts: object) -> UUID:
    """The UUIDv5 of `kind` and `parts`, each length-prefixed so that ("a","bc") != ("ab","c")."""
    name = "".join([f"{len(text)}:{text}" for text in (kind, *map(str, parts))])
    digest = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


def record_key(*parts: object) -> str:
    """The record key `part/part`, each part percent-encoded, so that no part can forge another."""
    return "/".join([escaped(str(part)) for part in parts])


def escaped(text: str) -> str:
    """`text`, percent-encoded where it is not plain."""
    return text if _is_plain(text) else quote(text, safe="")


def index_key(key: bytes) -> bytes:
    """`key`; of one that is too long for an index, what it begins with and its SHA-256."""
    if len(key) <= _INDEXED_MAX:
        return key
    digest = sha256(key).hexdigest().encode()
    return key[: _INDEXED_MAX - len(digest)] + digest
