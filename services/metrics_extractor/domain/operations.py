"""Finishing and services: counted work and outlays, put together from reports and completed job."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from services.metrics_extractor.domain.sources import Source, Told
from services.metrics_extractor.domain.usage import Kind, Subject, Usage, attributed
from shared.events.base import Unit
from shared.events.production import Component, Operation

Work = tuple[Component, str, str | None]
Figures = Mapping[str, Decimal | None]


def operations(sources: Sequence[Source]) -> Iterator[Usage]:
    """The job's operations in their own units.

    Different operations add up; one that its sender reports again is restated. Where the
    completed job states a figure of the same work in the same section, reports of it are not
    heard.
    """
    completed, *reports = sources
    closed: set[tuple[Work, str]] = set()
    for operation in completed.facts.operations:
        stated = _stated(operation)
        work = _work(operation, completed)
        closed |= {(work, figure) for figure, value in stated.items() if value is not None}
        yield from _usage(operation, completed, stated)
    told = Told()
    for number, report in enumerate(reports):
        for operation in report.facts.operations:
            work = _work(operation, report)
            heard: dict[str, Decimal | None] = {}
            for figure, value in _stated(operation).items():
                again = (report.sender, operation.operation_id, figure)
                newest = value is not None and told.holds(again, number)
                heard[figure] = value if newest and (work, figure) not in closed else None
            yield from _usage(operation, report, heard)


def _work(operation: Operation, source: Source) -> Work:
    return operation.component, operation.code, operation.section or source.section


def _stated(operation: Operation) -> Figures:
    """The operation's figures; an outlay in a lump sum is one, whether counted or not."""
    actual = operation.actual
    if actual is None and operation.cost is not None and operation.unit == Unit.LUMP_SUM:
        actual = Decimal(1)
    return {"planned": operation.planned, "actual": actual, "cost": operation.cost}


def _usage(operation: Operation, source: Source, figures: Figures) -> Iterator[Usage]:
    if all(value is None for value in figures.values()):
        return
    section, share = source.place(operation.section)
    yield Usage(
        Subject(Kind.WORK, operation.component, operation.code, operation.unit, section),
        attributed(operation.attribution),
        operation.code,
        operation.description or operation.code,
        planned_good=figures["planned"],
        good=figures["actual"],
        outlay=figures["cost"],
        share=share,
    )
