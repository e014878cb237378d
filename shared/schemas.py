"""The released Avro schemas in `schemas/<topic>/v<N>.avsc`, and the drafts that models ask for.

A released file is never edited. `python -m shared.schemas draft` writes the next version of every
topic whose model has grown; a test holds the newest version to the model, field by field.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Final

from fastavro.schema import expand_schema, parse_schema, to_parsing_canonical_form
from fastavro.schema import fingerprint as avro_fingerprint

from shared.codec.wire import Avro, wire_of
from shared.errors import ConfigurationError
from shared.evolution import breaks
from shared.topology import BY_NAME, TOPICS, Topic

ROOT: Final = Path(__file__).resolve().parent.parent / "schemas"
_NUMBERS: Final = ("bytes", "int", "long", "float", "double")
_LOGICAL: Final = frozenset({"logicalType", "precision", "scale"})


@dataclass(frozen=True)
class Schema:
    """One released schema: as published, and as fastavro uses it (without logical types)."""

    topic: str
    version: int
    published: Mapping[str, Any]
    plain: Any
    fingerprint: int

    @property
    def name(self) -> str:
        """Topic and version, for people."""
        return f"{self.topic} v{self.version}"


@cache
def schemas_of(topic: str) -> Mapping[int, Schema]:
    """The released schemas of `topic` by version.

    Raises `ConfigurationError` if there is none, or if one is no successor of the one before.
    """
    found = {
        int(file.stem.removeprefix("v")): json.loads(file.read_text("utf-8"))
        for file in (ROOT / topic).glob("v*.avsc")
    }
    if not found:
        msg = f"no schema of {topic} under {ROOT}: install the project with its schemas folder"
        raise ConfigurationError(msg)
    for older, newer in pairwise(sorted(found)):
        if reasons := list(breaks(found[older], found[newer])):
            msg = (
                f"{topic} v{newer} cannot follow v{older}: {'; '.join(reasons)}. A breaking change"
                " is a topic of its own"
            )
            raise ConfigurationError(msg)
    return {
        version: Schema(topic, version, raw, parse_schema(_plain(raw)), _crc64(raw))
        for version, raw in sorted(found.items())
    }


@cache
def by_fingerprint() -> Mapping[int, Schema]:
    """Every released schema by its CRC-64-AVRO."""
    return {
        schema.fingerprint: schema for topic in TOPICS for schema in schemas_of(topic.name).values()
    }


def newest(topic: str) -> Schema:
    """The highest released version: what readers read with."""
    versions = schemas_of(topic)
    return versions[max(versions)]


def draft(topic: Topic) -> dict[str, Any]:
    """The schema that the topic's model asks for; a type that recurs is written out once."""
    avro: Any = _name_once(wire_of(topic.event).avro, set())
    return {**avro, "doc": f"{avro['doc']}\n\nTopic {topic.name}."}


def plain_schema(avro: Mapping[str, Any]) -> Any:  # noqa: ANN401 - fastavro's parsed form
    """A schema as the codec uses it: parsed, without logical types; ours where we have it."""
    ours = by_fingerprint().get(_crc64(avro))
    return ours.plain if ours else parse_schema(_plain(avro))


def misreadings(avro: Mapping[str, Any]) -> Iterator[str]:
    """What readers of ours would take for another number, time or text than `avro` means, in words.

    A scale of 2 for one of 4, milliseconds for microseconds, the text "12.50" for the bytes of a
    decimal: Avro's rules of resolution let them pass, and so may a registry. As those rules do, it
    looks at names without their namespace.
    """
    known = {schema.published["name"]: schema for schema in map(newest, BY_NAME)}
    if ours := known.get(_last_part(avro)):
        yield from _misread(expand_schema(dict(ours.published)), expand_schema(dict(avro)), "")


def _misread(meant: Any, here: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any parts of a schema
    """Every pair of branches that Avro resolves; ours have one branch besides null."""
    for ours, theirs in product(_branches(meant), _branches(here)):
        if "fields" in ours and "fields" in theirs and _last_part(ours) == _last_part(theirs):
            types = {field["name"]: field["type"] for field in theirs["fields"]}
            for field in ours["fields"]:
                if (name := field["name"]) in types:
                    yield from _misread(field["type"], types[name], f"{path}.{name}".lstrip("."))
        elif ours["type"] == theirs["type"] == "array":
            yield from _misread(ours["items"], theirs["items"], path)
        elif None not in (pair := (_meaning(theirs), _meaning(ours))) and pair[0] != pair[1]:
            yield f"{path} is {pair[0]}, for its readers {pair[1]}"


def _branches(avro: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any part of a schema
    parts = avro if isinstance(avro, list) else [avro]
    return [part if isinstance(part, dict) else {"type": part} for part in parts]


def _last_part(named: Mapping[str, Any]) -> str:
    return str(named["name"]).rpartition(".")[2]


def _meaning(avro: Mapping[str, Any]) -> str | None:
    """What a value means that is promoted to other types; None for what resolves to its own only.

    Text is UTF-8 under whatever logical type, and so are bytes without one.
    """
    kind, logical = avro["type"], avro.get("logicalType")
    if kind == "string" or (kind == "bytes" and logical is None):
        return "text"
    if kind not in _NUMBERS:
        return None
    if logical == "decimal":
        return f"decimal of scale {avro.get('scale', 0)}"
    return logical or "a plain number"


def _name_once(avro: Avro, seen: set[str]) -> Avro:
    if isinstance(avro, list):
        return [_name_once(part, seen) for part in avro]
    if isinstance(avro, str):
        return avro
    if "name" in avro and avro["type"] in ("record", "enum"):
        if avro["name"] in seen:
            return f"{avro['namespace']}.{avro['name']}"
        seen.add(avro["name"])
    if avro["type"] == "record":
        fields = [{**f, "type": _name_once(f["type"], seen)} for f in avro["fields"]]
        return {**avro, "fields": fields}
    if avro["type"] == "array":
        return {**avro, "items": _name_once(avro["items"], seen)}
    return dict(avro)


def _plain(avro: Any) -> Any:  # noqa: ANN401 - any part of a schema
    if isinstance(avro, list):
        return [_plain(part) for part in avro]
    if isinstance(avro, dict):
        rest = {k: _plain(v) for k, v in avro.items() if k not in _LOGICAL}
        is_wrapper = "logicalType" in avro and set(rest) == {"type"}
        return rest["type"] if is_wrapper else rest
    return avro


def _crc64(avro: Mapping[str, Any]) -> int:
    canonical = to_parsing_canonical_form(parse_schema(dict(avro)))
    return int.from_bytes(bytes.fromhex(avro_fingerprint(canonical, "CRC-64-AVRO")), "little")


def write_drafts() -> list[Path]:
    """Write the next version of every topic whose model asks for another schema than the newest."""
    written = []
    for topic in TOPICS:
        folder = ROOT / topic.name
        versions = sorted(int(f.stem[1:]) for f in folder.glob("v*.avsc"))
        current = folder / f"v{versions[-1]}.avsc" if versions else None
        wanted = json.dumps(draft(topic), indent=2, ensure_ascii=False) + "\n"
        if current is None or current.read_text("utf-8") != wanted:
            target = folder / f"v{(versions[-1] if versions else 0) + 1}.avsc"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted, "utf-8")
            written.append(target)
    return written


if __name__ == "__main__":
    if sys.argv[1:] != ["draft"]:
        sys.exit("usage: python -m shared.schemas draft")
    for path in write_drafts():
        sys.stdout.write(f"{path.relative_to(ROOT.parent)}\n")
