"""What was planned and used of one thing, by one statement: the form in which facts add up."""

from decimal import Decimal
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from shared.events.production import Attribution, Component, CostType, PhaseStatus, WorkType


class Kind(Enum):
    """How a thing is measured; the billing rules differ by it."""

    MATERIAL = auto()
    TIME = auto()
    COUNTER = auto()
    WORK = auto()


class Subject(NamedTuple):
    """The thing that was used: what agrees in all of this is one. `code` is the quoted thing's."""

    kind: Kind
    component: Component
    code: str
    unit: str
    section: str | None = None
    separation: str | None = None
    status: PhaseStatus = PhaseStatus.UNKNOWN
    customer_supplied: bool = False


class Share(NamedTuple):
    """A job's weight on a gang sheet, the weight of the jobs before it, and the weight of all."""

    before: Decimal
    own: Decimal
    whole: Decimal


class Usage(NamedTuple):
    """Quantities in the subject's unit; None where nothing was said.

    `cost_code` is what was really used, where another was quoted. `outlay` is what a third party
    charged, in the job's currency. With a `share` the figures are a whole gang sheet's.
    """

    subject: Subject
    attribution: Attribution
    cost_code: str
    description: str
    planned_good: Decimal | None = None
    planned_waste: Decimal | None = None
    good: Decimal | None = None
    waste: Decimal | None = None
    outlay: Decimal | None = None
    share: Share | None = None


@lru_cache(maxsize=4096)
def attributed(attribution: Attribution) -> Attribution:
    """`attribution` with the gaps filled that have one meaning (CIP4 MISDetails).

    Work of no stated type is original. Work of no stated cost type is chargeable, rework not.
    """
    work = attribution.work_type
    work = WorkType.ORIGINAL if work is WorkType.UNKNOWN else work
    cost = attribution.cost_type
    if cost is CostType.UNKNOWN:
        is_rework = work is WorkType.REWORK
        cost = CostType.NON_CHARGEABLE if is_rework else CostType.CHARGEABLE
    return attribution.model_copy(update={"work_type": work, "cost_type": cost})
