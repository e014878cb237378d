"""One file in, one outcome out: which format it is, and what it became."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from services.ingest.domain.element import Element, Fault, Unreadable
from services.ingest.domain.jdf import read_jdf
from services.ingest.domain.messages import read_jmf, read_xjmf
from services.ingest.domain.outcome import Failed, Found, Nothing, Outcome, Produced
from services.ingest.domain.reader import Reader
from services.ingest.domain.records import read_records
from services.ingest.domain.xjdf import read_xjdf
from services.ingest.gateway import files, json_text, xml
from shared.topology import BY_NAME

_ROOTS: Final[Mapping[str, Callable[[Element, Reader], Found]]] = {
    "JDF": read_jdf,
    "JMF": read_jmf,
    "XJDF": read_xjdf,
    "XJMF": read_xjmf,
}
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_UNKNOWN: Final = "unknown"


def read_file(
    file: Path | bytes,
    *,
    legal_entity_id: str,
    time_zone: ZoneInfo | None = None,
    source: str = "(bytes)",
) -> Outcome:
    """What the file becomes; the same file always becomes the same.

    `legal_entity_id` is whose work job files are about (JSON values name theirs). `time_zone` is
    the zone of times that name none; without it such a time is an error.
    """
    r = Reader(legal_entity_id, time_zone)
    name = source if isinstance(file, bytes) else str(file)
    kind = _UNKNOWN
    try:
        data = file if isinstance(file, bytes) else files.read(file)
        files.check(data)
        kind = _format(data)
        kind, found = _read(data, kind, r, name)
    except Unreadable as error:
        return Failed(name, kind, error.faults)
    except ValidationError as error:
        return Failed(name, kind, tuple(_fault(error)))
    if found.events:
        return Produced(name, kind, found.events, (*found.reasons, *r.notes))
    return Nothing(name, kind, "; ".join(found.reasons), r.notes)


def _format(data: bytes) -> str:
    start = data
    for mark in _MARKS:
        start = start.removeprefix(mark)
    start = start[:64].replace(b"\0", b"").lstrip()
    if start.startswith(b"<"):
        return "XML"
    if start[:1] in {b"{", b"["}:
        return "JSON"
    raise Unreadable(Fault("is neither XML nor JSON"))


def _read(data: bytes, kind: str, r: Reader, name: str) -> tuple[str, Found]:
    if kind == "JSON":
        return kind, read_records(json_text.parse(data), r, _topic_in(name))
    root = xml.parse(data)
    read = _ROOTS.get(root.name)
    if read is None:
        raise Unreadable(Fault("is no JDF, JMF, XJDF or XJMF", root.line, root.name))
    return " ".join(filter(None, (root.name, root.text("Version")))), read(root, r)


def _topic_in(name: str) -> str | None:
    """The topic that the path names, as a folder or before the file's ending."""
    path = Path(name)
    return next((one for one in (path.stem, *reversed(path.parts)) if one in BY_NAME), None)


def _fault(error: ValidationError) -> list[Fault]:
    """What no event can hold and the reading did not notice: named by the event's field."""
    return [
        Fault(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}")
        for one in error.errors()
    ]
