"""Gang runs: whose copies stand on a sheet that several jobs share, and how large they are.

A sheet is known by the section of the facts about it, so every section gets its shares.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.ingest.domain.element import Element
from services.ingest.domain.parts import common_part, sheet_of
from services.ingest.domain.reader import Reader, half_up
from shared.events.production import GangShare

_NAMES: Final = (
    "BinderySignatureID",
    "BinderySignatureName",
    "GangElementID",
    "AssemblyID",
    "AssemblyIDs",
    "JobID",
)
_BOXES: Final = ("RelativeBox", "AbsoluteBox")
_CORNERS: Final = 4
SOURCES_MAX: Final = 250
SHARES_MAX: Final = 2_500
_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Source:
    """One job's copies on a sheet (on every sheet where none is named) and the area of one."""

    job_id: str
    copies: Decimal
    area: Decimal
    sheet: str | None = None

    def on(self, section: str) -> bool:
        """Whether the copies stand on the sheet of this section."""
        return self.sheet is None or self.sheet in section.split("/")


@dataclass(frozen=True, slots=True)
class _Place:
    area: Decimal
    sheet: str | None


def sources_of(root: Element, r: Reader) -> tuple[Source, ...]:
    """What `NodeInfo/GangSource` names: copies, and the area of one from the layout's positions.

    Without an area for each of them all copies count as equally large; that is noted.
    """
    infos = (one for one in root.walk() if one.name == "NodeInfo")
    named = {tuple(one.attributes.items()): one for info in infos for one in info.all("GangSource")}
    places = _places(root, r)
    found = [(one, _placed(one, places)) for one in named.values()]
    if not all(placed for _, placed in found):
        r.note(f"line {root.line}: the layout gives no area for every gang source; taken as equal")
        found = [(one, ()) for one, _ in found]
    return tuple(_source(one, placed, r) for one, placed in found)


def shares(
    root: Element, sources: Sequence[Source], sections: Sequence[str]
) -> tuple[GangShare, ...]:
    """The shares of all sources on each section that facts are about."""
    if len(sources) > SOURCES_MAX or len(sources) * len(sections) > SHARES_MAX:
        raise root.unreadable(
            f"shares {len(sections)} sheets among {len(sources)} jobs: no real form does"
        )
    return tuple(
        GangShare(sheet_id=section, job_id=one.job_id, copies=one.copies, area=one.area)
        for section in sections
        for one in [one for one in sources if one.on(section)] or sources
    )


def _source(at: Element, placed: Sequence[_Place], r: Reader) -> Source:
    job_id = r.ident(at, "JobID")
    if job_id is None:
        raise at.unreadable("@JobID is missing: nothing says whose share this is")
    copies = r.amount(at, "Copies") or Decimal(len(placed) or 1)
    return Source(job_id, copies, *((placed[0].area, placed[0].sheet) if placed else (_ONE,)))


def _placed(source: Element, places: Mapping[str, list[_Place]]) -> Sequence[_Place]:
    ids = [id_ for name in _NAMES for id_ in source.words(name)]
    return next((places[id_] for id_ in ids if id_ in places), ())


def _places(root: Element, r: Reader) -> Mapping[str, list[_Place]]:
    """Where copies stand, by every id that a position or what holds it goes by."""
    found: dict[str, list[_Place]] = {}
    for holder, position, sheet in _positions(root, None):
        area = _area(position, r)
        names = {id_ for one in (holder, position) for name in _NAMES for id_ in one.words(name)}
        for id_ in names if area else ():
            found.setdefault(id_, []).append(_Place(area, sheet))
    return found


def _positions(at: Element, sheet: str | None) -> Iterator[tuple[Element, Element, str | None]]:
    here = at.text("SheetName") or sheet_of(common_part(at)) or sheet
    for child in at.children:
        if child.name == "Position":
            yield at, child, here
        else:
            yield from _positions(child, here)


def _area(position: Element, r: Reader) -> Decimal:
    """The area of a position's box, in whatever unit the layout has; zero where it has none."""
    box = next((found for name in _BOXES if (found := position.words(name))), ())
    corners = [r.amount(Element("Position", position.line, {"box": one}), "box") for one in box]
    if len(corners) != _CORNERS:
        return Decimal(0)
    left, bottom, right, top = (corner or Decimal(0) for corner in corners)
    return half_up(abs((right - left) * (top - bottom)))
