"""What things cost the shop itself, at the rates in force on the day of completion."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol, TypeVar

from services.metrics_extractor.domain.units import converted
from shared.events.masterdata import CostRate, RateLine
from shared.events.production import Component, PhaseStatus
from shared.validity import Dated, in_force


class Rates(Dated, Protocol):
    """A version of one set of cost rates."""

    @property
    def cost_rate_id(self) -> str:
        """Which set."""
        ...


R = TypeVar("R", bound=Rates)


@dataclass(frozen=True, slots=True)
class CostTable:
    """Cost rates of one version, by what they are for."""

    cost_rate_id: str
    version: int
    currency: str
    lines: Mapping[tuple[Component, str, PhaseStatus], RateLine]

    def cost(
        self, component: Component, code: str, status: PhaseStatus, quantity: Decimal, unit: str
    ) -> Decimal | None:
        """The cost of `quantity`, not rounded; None where no rate is known for it.

        Machine time without a rate for its status takes the device's rate for any status.
        """
        line = self.lines.get((component, code, status)) or self.lines.get(
            (component, code, PhaseStatus.UNKNOWN)
        )
        if line is None:
            return None
        in_rate_unit = converted(quantity, unit, line.unit)
        return None if in_rate_unit is None else in_rate_unit * line.rate / line.per


def table_of(rates: CostRate) -> CostTable:
    """The table of one version of cost rates; its lines are checked to be distinct beforehand."""
    return CostTable(
        cost_rate_id=rates.cost_rate_id,
        version=rates.version,
        currency=rates.currency,
        lines={(line.component, line.code, line.status): line for line in rates.lines},
    )


def rates_in_force(versions: Iterable[R], on: date) -> R | None:
    """The one version of all of an entity's cost rates that holds on `on`, or None.

    An entity has one set at a time; where several are in force, the one that began last holds.
    """
    by_id: dict[str, list[R]] = defaultdict(list)
    for version in versions:
        by_id[version.cost_rate_id].append(version)
    found = [answer for of_id in by_id.values() if (answer := in_force(of_id, on))]
    return max(found, key=lambda v: (v.valid_from, v.cost_rate_id), default=None)
