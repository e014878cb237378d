"""Which version of dated master data holds on a day: the same answer in every service."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol, TypeVar


class Dated(Protocol):
    """One version of a master datum; `valid_to` is inclusive, None means open."""

    @property
    def version(self) -> int:
        """Rises with every version of the same thing."""
        ...

    @property
    def valid_from(self) -> date:
        """The first day on which it holds."""
        ...

    @property
    def valid_to(self) -> date | None:
        """The last day on which it holds."""
        ...


D = TypeVar("D", bound=Dated)


def in_force(versions: Iterable[D], on: date) -> D | None:
    """The version among `versions` of one thing that holds on `on`, or None.

    A higher version with the same `valid_from` replaces the lower one, which is how validity is
    ended or a mistake mended. Of those left that cover the day, the one that began last holds, so
    that a version for a short time steps in front of an open one.
    """
    newest: dict[date, D] = {}
    for version in versions:
        known = newest.setdefault(version.valid_from, version)
        if version.version > known.version:
            newest[version.valid_from] = version
    covering = (v for v in newest.values() if covers(v, on, on))
    return max(covering, key=lambda v: v.valid_from, default=None)


def covers(version: Dated, first: date, last: date) -> bool:
    """Whether `version` holds on any day from `first` to `last`, both inclusive."""
    return version.valid_from <= last and (version.valid_to is None or first <= version.valid_to)
