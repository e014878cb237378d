"""XML from strangers, hardened: no DTD, no entities, no network, and a limit on everything.

The file is read twice: first by expat, which builds nothing and takes time in proportion to the
file, to refuse what is not allowed; then by libxml2, into elements. (libxml2 alone takes time by
the square of an element's attributes, before anybody can count them.)
"""

import re
from typing import Final, cast
from xml.parsers import expat

from lxml import etree

from services.ingest.domain.element import Element, Fault, Unreadable

DEPTH_MAX: Final = 100
ELEMENTS_MAX: Final = 300_000
ATTRIBUTES_MAX: Final = 1_000  # of one element; CIP4 defines less than a hundred for any
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "utf-16", "us-ascii", "ascii", "iso-8859-1"})
_CIP4: Final = "http://www.CIP4.org/JDFSchema_"
_PLAIN_BYTES: Final = bytes(range(1, 128))
_LOCATION_END: Final = ", line "
_FOREIGN_BYTES: Final = "the bytes are not in the encoding that the file declares"
_PLAINLY: Final = {
    "Resource limit exceeded": "a value is longer than 10 MB",
    "encoding specified in XML declaration is incorrect": _FOREIGN_BYTES,
}
_TAG: Final = re.compile(r"<([A-Za-z_][\w:.-]{0,63})")


class Refused(Exception):
    """The file holds something that no job file needs."""


class _Guard:
    """Reads without building anything and stops at what is not allowed."""

    def __init__(self) -> None:
        self._depth = self._elements = 0
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._on_doctype
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end

    def read(self, data: bytes) -> None:
        """Raises `Refused`, or `Unreadable` where the file is not well-formed."""
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 -- it takes nothing by name
        except expat.ExpatError as error:
            said = expat.ErrorString(error.code)
            at = self._parser.ErrorByteIndex
            if "invalid token" in said and (data[at : at + 1] or b"a") not in _PLAIN_BYTES:
                said = _FOREIGN_BYTES
            column = error.offset + (2 if "unclosed token" in said else 1)  # behind the tag's "<"
            raise Unreadable(_fault(said, error.lineno, column, data)) from error
        except (LookupError, ValueError) as error:
            raise Unreadable(Fault(f"is in no encoding read here ({error}): use UTF-8")) from error

    def _on_doctype(self, *_: object) -> None:
        raise Refused("has a DOCTYPE: job files need none, and its entities could pull in anything")

    def _on_start(self, _: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEPTH_MAX:
            raise Refused(f"is nested more than {DEPTH_MAX} elements deep")
        if self._elements > ELEMENTS_MAX:
            raise Refused(f"holds more than {ELEMENTS_MAX} elements")
        if len(attributes) > ATTRIBUTES_MAX:
            raise Refused(f"has an element with more than {ATTRIBUTES_MAX} attributes")

    def _on_end(self, _: str) -> None:
        self._depth -= 1


def parse(data: bytes) -> Element:
    """The root element; raises `Unreadable` with line and reason."""
    try:
        _Guard().read(data)
        root = etree.fromstring(data, _parser())
    except Refused as refused:
        raise Unreadable(Fault(str(refused))) from refused
    except etree.XMLSyntaxError as error:
        raise Unreadable(_fault(error.msg or "", *error.position, data)) from error
    encoding = (root.getroottree().docinfo.encoding or "utf-8").lower()
    if encoding not in _ENCODINGS and not encoding.startswith(("utf-16", "windows-125")):
        raise Unreadable(Fault(f"is encoded as {encoding}: send it as UTF-8"))
    if not _known(root.tag):
        name = etree.QName(root)
        raise Unreadable(Fault(f"is <{name.localname}> of {name.namespace}, no CIP4 file", 1))
    return _element(root)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )


def _fault(message: str, line: int, column: int, data: bytes) -> Fault:
    """Where the parser stopped, and the tag that was open there."""
    said = " ".join(message.partition(_LOCATION_END)[0].split())
    reason = next((ours for theirs, ours in _PLAINLY.items() if theirs in said), said)
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    stopped_at = lines[line - 1] if 0 < line <= len(lines) else ""
    opened = _TAG.match(stopped_at, max(0, column - 2))
    before = "\n".join([*lines[: line - 1], stopped_at[: opened.end() if opened else column - 1]])
    tag = next(iter(_TAG.findall(before)[-1:]), None)
    return Fault(f"is not well-formed XML: {reason} (column {column})", line or None, tag)


def _element(node: etree._Element) -> Element:
    """The element by its local name; what other namespaces add is left out, all the way down."""
    children = tuple(_element(child) for child in node if _known(child.tag))
    attributes = {
        str(name): str(value)
        for name, value in node.attrib.items()
        if not str(name).startswith("{")
    }
    line = cast("int", node.sourceline)
    return Element(etree.QName(node).localname, line, attributes, children)


def _known(tag: object) -> bool:
    """Whether an element is CIP4's, or of a file that declares no namespace at all."""
    return isinstance(tag, str) and (not tag.startswith("{") or tag.startswith("{" + _CIP4))
