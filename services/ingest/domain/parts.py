"""Parts: what an amount or a phase is of, when it is not of the whole."""

from collections.abc import Mapping

from services.ingest.domain.element import Element

_SHEETS = ("SheetName", "BinderySignatureID", "BinderySignatureName")
SECTION_MAX = 200


def common_part(at: Element) -> Mapping[str, str]:
    """What all `Part` elements of `at` agree on: an amount of several parts is of none alone."""
    parts = [part.attributes for part in at.all("Part")]
    first = parts[0] if parts else {}
    return {key: value for key, value in first.items() if all(p.get(key) == value for p in parts)}


def sheet_of(part: Mapping[str, str]) -> str | None:
    """The sheet or signature that a part names."""
    return next((found for key in _SHEETS if (found := part.get(key))), None)


def section_of(at: Element, job_part: str | None) -> str | None:
    """The job part, and the sheet in it where `at` names one."""
    return joined(at, job_part, sheet_of(common_part(at)))


def joined(at: Element, job_part: str | None, sheet: str | None) -> str | None:
    """A section's id."""
    section = "/".join(filter(None, (job_part, sheet))) or None
    if section and len(section) > SECTION_MAX:
        raise at.unreadable(f"its part is longer than {SECTION_MAX} characters")
    return section
