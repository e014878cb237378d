"""XML from strangers, hardened: no DTD, no entities, no network, and a limit on everything.

The file is parsed twice by the same parser: first without building anything, to refuse what is
not allowed before it can cost memory, then into elements.
"""

import re
from typing import Any, Final, cast

from lxml import etree

from services.ingest.domain.element import Element, Fault, Unreadable

DEPTH_MAX: Final = 100
ELEMENTS_MAX: Final = 300_000
ATTRIBUTES_MAX: Final = 2_000_000
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "utf-16", "us-ascii", "ascii", "iso-8859-1"})
_CIP4: Final = "http://www.CIP4.org/JDFSchema_"
_LOCATION_END: Final = ", line "
_PLAINLY: Final = {
    "Resource limit exceeded": "a value is longer than 10 MB",
    "character encoding": "the bytes are not in the encoding that the file declares",
}
_TAG: Final = re.compile(r"<([A-Za-z_][\w:.-]{0,63})")


class Refused(Exception):
    """The file holds something that no job file needs."""


class _Guard:
    """A parser target that builds nothing and stops at what is not allowed."""

    def __init__(self) -> None:
        self.depth = self.elements = self.attributes = 0

    def doctype(self, *_: object) -> None:
        """A document type declaration: the door to entities."""
        raise Refused("has a DOCTYPE: job files need none, and its entities could pull in anything")

    def start(self, _: str, attributes: dict[str, str]) -> None:
        """Count an element."""
        self.depth += 1
        self.elements += 1
        self.attributes += len(attributes)
        if self.depth > DEPTH_MAX:
            raise Refused(f"is nested more than {DEPTH_MAX} elements deep")
        if self.elements > ELEMENTS_MAX or self.attributes > ATTRIBUTES_MAX:
            raise Refused(f"holds more than {ELEMENTS_MAX} elements or {ATTRIBUTES_MAX} attributes")

    def end(self, _: str) -> None:
        """Leave an element."""
        self.depth -= 1

    def close(self) -> None:
        """The end of the file."""


def parse(data: bytes) -> Element:
    """The root element; raises `Unreadable` with line and reason."""
    try:
        etree.fromstring(data, _parser(_Guard()))
        root = etree.fromstring(data, _parser(None))
    except Refused as refused:
        raise Unreadable(Fault(str(refused))) from refused
    except etree.XMLSyntaxError as error:
        raise Unreadable(_fault(error, data)) from error
    encoding = (root.getroottree().docinfo.encoding or "utf-8").lower()
    if encoding not in _ENCODINGS and not encoding.startswith(("utf-16", "windows-125")):
        raise Unreadable(Fault(f"is encoded as {encoding}: send it as UTF-8"))
    if not _known(root.tag):
        name = etree.QName(root)
        raise Unreadable(Fault(f"is <{name.localname}> of {name.namespace}, no CIP4 file", 1))
    return _element(root)


def _parser(target: Any) -> etree.XMLParser:  # noqa: ANN401 - the stubs want unused methods
    return etree.XMLParser(
        target=target,
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


def _fault(error: etree.XMLSyntaxError, data: bytes) -> Fault:
    """Where the parser stopped, and the tag that was open there."""
    line, column = error.position
    said = " ".join((error.msg or "it has no root element").partition(_LOCATION_END)[0].split())
    reason = next((ours for theirs, ours in _PLAINLY.items() if theirs in said), said)
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    before = "\n".join([*lines[: line - 1], lines[line - 1][: column - 1] if line else ""])
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
