"""Which rows stand on which page: pure, in points, decided before anything is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """What a row asks of the page: its height, and whether it clings to the next row.

    A break before a row `in_table` repeats the table's head and carries the subtotal.
    """

    height: float
    keep_next: bool = False
    in_table: bool = False


@dataclass(frozen=True)
class Room:
    """The heights at hand: rows of the first page and of any other page, and what a break costs.

    `carry` is kept free below a row that a row of the table follows; `head` is what the table's
    head and the subtotal brought forward take on the next page.
    """

    first: float
    other: float
    carry: float
    head: float


@dataclass(frozen=True)
class Page:
    """The rows from `start` up to `end`, exclusive."""

    start: int
    end: int


def paginate(rows: Sequence[Extent], room: Room) -> tuple[Page, ...]:
    """The pages of `rows`, in order, each row once.

    Rows that cling together (a section's heading and its first line; the last line and the
    totals) stay on one page, unless they are higher than a page; then they part like any others.
    """
    pages: list[Page] = []
    start, used, limit = 0, 0.0, room.first
    for begin, end in _chains(rows, room):
        height = sum(row.height for row in rows[begin:end])
        if begin > start and used + height + _reserve(rows, end, room) > limit:
            pages.append(Page(start, begin))
            start, limit = begin, room.other
            used = room.head if rows[begin].in_table else 0.0
        used += height
    pages.append(Page(start, len(rows)))
    return tuple(pages)


def _reserve(rows: Sequence[Extent], end: int, room: Room) -> float:
    """What must stay free below the row before `end`, in case the page ends there."""
    return room.carry if end < len(rows) and rows[end].in_table else 0.0


def _chains(rows: Sequence[Extent], room: Room) -> list[tuple[int, int]]:
    """The stretches of rows that cling together, parted where they would fill no page."""
    highest = room.other - room.head - room.carry
    chains: list[tuple[int, int]] = []
    begin, height = 0, 0.0
    for index, row in enumerate(rows):
        if begin < index and height + row.height > highest:
            chains.append((begin, index))
            begin, height = index, 0.0
        height += row.height
        if not row.keep_next:
            chains.append((begin, index + 1))
            begin, height = index + 1, 0.0
    if begin < len(rows):
        chains.append((begin, len(rows)))
    return chains
