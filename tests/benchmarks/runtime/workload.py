"""What every contender does with every record: price a job from what it used.

In comes a job's metrics, out goes its price, a line for each metric; the job's row keeps the sum.
With 14 lines a record of either kind has about 1 KB, with two about 300 bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Numeric, Table, Text

from shared.codec.codec import Codec
from shared.events.base import Event
from shared.events.billing import JobPriced, LineKind, Path, PricedLine
from shared.events.masterdata import Basis
from shared.events.production import Component, JobItem, Metric, MetricsExtracted
from shared.runtime.service import ServiceSpec
from shared.store import Store

SOURCE: Final = "production.metrics-extracted.v1"
TARGET: Final = "billing.job-priced.v1"
LINES: Final = {"1 KB": 14, "300 bytes": 2}

METADATA: Final = MetaData()
JOB: Final = Table(
    "benchmark_job",
    METADATA,
    Column("job_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("net_total", Numeric(24, 4), nullable=False),
)
_AT: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
_DIGITS: Final = 9
_VARIETY: Final = 500
_RATE, _PRICE, _CENT = Decimal("141.70"), Decimal("2.25"), Decimal("0.01")


@dataclass(frozen=True)
class JobRow:
    """What is known of a job; amounts in EUR."""

    job_id: str
    revision: int
    lines: int
    net_total: Decimal


class JobStore(Store):
    """Jobs by their id."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.jobs = self.rows(JOB, JobRow)

    def prefetch(self, events: Sequence[Event]) -> None:
        """One statement."""
        jobs = (event.job_id for event in events if isinstance(event, MetricsExtracted))
        self.jobs.load(self.connection, ((job_id,) for job_id in jobs))


def priced(event: Event) -> JobPriced:
    """The price of a job from its metrics: what every contender computes."""
    if not isinstance(event, MetricsExtracted):
        msg = f"{SOURCE} holds no {type(event).__name__}"
        raise TypeError(msg)
    lines = tuple(
        PricedLine(
            line_no=number,
            kind=LineKind.MACHINE,
            code=metric.code,
            description=metric.description,
            quantity=metric.billable,
            unit=metric.unit,
            unit_price=_PRICE,
            net=(metric.billable * _PRICE).quantize(_CENT),
            product_class="PRINT",
        )
        for number, metric in enumerate(event.metrics, 1)
    )
    return JobPriced(
        legal_entity_id=event.legal_entity_id,
        job_id=event.job_id,
        revision=event.revision,
        pricing_no=1,
        customer_id=event.customer_id,
        description=event.description,
        completed_at=event.completed_at,
        completed_on=event.completed_on,
        path=Path.STRAIGHT_THROUGH,
        rule_version="1",
        currency=event.currency,
        basis=Basis.RATE_CARD,
        lines=lines,
        net_total=sum((line.net for line in lines), Decimal(0)),
    )


def on_metrics(event: Event, store: JobStore, now: datetime) -> Iterable[Event]:
    """The same as a handler of the runtime."""
    del now
    price = priced(event)
    before = store.jobs.get(price.job_id) or JobRow(price.job_id, 0, 0, Decimal(0))
    store.jobs.put(after(before, price))
    return (price,)


def after(before: JobRow, price: JobPriced) -> JobRow:
    """The job's row once `price` has had its effect."""
    return JobRow(
        before.job_id,
        price.revision,
        before.lines + len(price.lines),
        before.net_total + price.net_total,
    )


SPEC: Final = ServiceSpec(
    name="pricer",
    metadata=METADATA,
    store=JobStore,
    handlers={MetricsExtracted: on_metrics},
)


def records(count: int, lines: int, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of `count` different jobs.

    Some hundred are encoded, no two quantities in them alike but by chance; the others differ from
    one of these in the digits of their job id.
    """
    mark, codec, chance = "J" + "0" * _DIGITS, Codec(), Random(1)
    values = [codec.encode(_job(mark, lines, chance)) for _ in range(_VARIETY)]
    for number in range(start, start + count):
        job_id = f"J{number:0{_DIGITS}d}"
        value = values[number % _VARIETY]
        yield f"DE01/{job_id}".encode(), value.replace(mark.encode(), job_id.encode())


def _job(job_id: str, lines: int, chance: Random) -> MetricsExtracted:
    hours = [
        (Decimal(chance.randrange(100_000)) / 1000, Decimal(chance.randrange(9_999)) / 1000)
        for _ in range(lines)
    ]
    return MetricsExtracted(
        legal_entity_id="DE01",
        job_id=job_id,
        revision=1,
        customer_id="C-1001",
        description="Spring catalogue, 64 pages",
        completed_at=_AT,
        completed_on=_AT.date(),
        currency="EUR",
        items=(
            JobItem(
                item_id="1",
                description="Catalogue",
                product_class="PRINT",
                ordered=Decimal(5000),
                delivered=Decimal(5020),
                unit="H87",
            ),
        ),
        metrics=tuple(
            Metric(
                metric_id=f"m{number}",
                component=Component.MACHINE,
                code=f"PRESS-{number}",
                description=f"Heidelberg XL 106, form {number}",
                unit="HUR",
                planned=Decimal("1.25"),
                actual_good=good,
                actual_waste=waste,
                billable=good + waste,
                actual_cost=((good + waste) * _RATE).quantize(_CENT),
            )
            for number, (good, waste) in enumerate(hours, 1)
        ),
    )
