"""What the shop floor says: partial usage, quality decisions, completed jobs, their metrics."""

from datetime import date
from decimal import Decimal

from shared.events.base import (
    Amount,
    Code,
    Country,
    Currency,
    Event,
    Id,
    OpenEnum,
    Positive,
    Quantity,
    Text,
    Time,
    Value,
)


class Component(OpenEnum):
    """What a job's cost and price are made of."""

    UNKNOWN = "UNKNOWN"
    SUBSTRATE = "SUBSTRATE"
    INK = "INK"
    MACHINE = "MACHINE"
    FINISHING = "FINISHING"
    SERVICES = "SERVICES"


class CostType(OpenEnum):
    """CIP4 MISDetails/@CostType."""

    UNKNOWN = "UNKNOWN"
    CHARGEABLE = "CHARGEABLE"
    NON_CHARGEABLE = "NON_CHARGEABLE"


class WorkType(OpenEnum):
    """CIP4 MISDetails/@WorkType."""

    UNKNOWN = "UNKNOWN"
    ORIGINAL = "ORIGINAL"
    ALTERATION = "ALTERATION"
    REWORK = "REWORK"


class Cause(OpenEnum):
    """Who caused what went beyond the plan."""

    UNKNOWN = "UNKNOWN"
    CUSTOMER = "CUSTOMER"
    SHOP = "SHOP"


class PhaseStatus(OpenEnum):
    """What a device did: CIP4 Setup, InProgress, Cleanup, Stopped or Suspended, Idle."""

    UNKNOWN = "UNKNOWN"
    SETUP = "SETUP"
    RUN = "RUN"
    CLEANUP = "CLEANUP"
    STOPPED = "STOPPED"
    IDLE = "IDLE"


class EndStatus(OpenEnum):
    """CIP4 ProcessRun/@EndStatus."""

    UNKNOWN = "UNKNOWN"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"


class Quality(OpenEnum):
    """The result of quality control; UNKNOWN means nobody has decided yet."""

    UNKNOWN = "UNKNOWN"
    PASSED = "PASSED"
    FAILED = "FAILED"


class Attribution(Value):
    """Who pays for a piece of work: CIP4 MISDetails, and who caused it."""

    cost_type: CostType = CostType.UNKNOWN
    work_type: WorkType = WorkType.UNKNOWN
    cause: Cause = Cause.UNKNOWN
    change_order_ref: Id | None = None


class Resource(Value):
    """One material of a job: substrate or ink, planned and actual, good and waste, in `unit`."""

    resource_id: Id
    component: Component
    product_id: Code | None = None
    description: Text | None = None
    separation: Code | None = None
    section: Id | None = None
    side: Code | None = None
    lot_id: Id | None = None
    unit: Code
    planned_good: Quantity | None = None
    planned_waste: Quantity | None = None
    actual_good: Quantity | None = None
    actual_waste: Quantity | None = None
    customer_supplied: bool = False
    substitute_for: Code | None = None
    attribution: Attribution = Attribution()


class Phase(Value):
    """What one device did from `start` to `end`; repeated or overlapping reports count once."""

    phase_id: Id
    device_id: Code
    section: Id | None = None
    status: PhaseStatus
    start: Time
    end: Time | None = None
    good: Quantity | None = None
    waste: Quantity | None = None
    attribution: Attribution = Attribution()


class PlannedTime(Value):
    """Planned hours of one device for one status."""

    device_id: Code | None = None
    section: Id | None = None
    status: PhaseStatus
    hours: Quantity


class Operation(Value):
    """Finishing or a service (`component` says which): a counted piece of work or an outlay.

    `cost` is what a third party charged (freight, postage), in the job's currency.
    """

    operation_id: Id
    component: Component
    code: Code
    description: Text | None = None
    section: Id | None = None
    unit: Code
    planned: Quantity | None = None
    actual: Quantity | None = None
    cost: Amount | None = None
    attribution: Attribution = Attribution()


class Counter(Value):
    """A meter's cumulative reading: only differences mean anything, a fall is a reset."""

    counter_id: Id
    device_id: Code
    kind: Code
    unit: Code
    reading: Quantity
    read_at: Time


class GangShare(Value):
    """One job's share of a sheet that several jobs were printed on together."""

    sheet_id: Id
    job_id: Id
    copies: Quantity
    area: Quantity


class UsageReported(Event):
    """A partial fact about a job: one resource signal, one phase, one counter.

    A `resource_id` or `operation_id` is a running total of its sender: a later report of it
    restates its figures. Deltas go under an id each.

    With `gang_shares` the figures are of the whole sheet that several jobs share, and this job's
    part of them is its share of area times copies.
    """

    legal_entity_id: Id
    sender_id: Id
    message_id: Id
    reported_at: Time
    job_id: Id
    section: Id | None = None
    resources: tuple[Resource, ...] = ()
    phases: tuple[Phase, ...] = ()
    planned_times: tuple[PlannedTime, ...] = ()
    operations: tuple[Operation, ...] = ()
    counters: tuple[Counter, ...] = ()
    gang_shares: tuple[GangShare, ...] = ()


class QualityDecided(Event):
    """Quality control's word on a job, or on one `revision` of it."""

    legal_entity_id: Id
    sender_id: Id
    message_id: Id
    decided_at: Time
    job_id: Id
    revision: Positive | None = None
    quality: Quality
    note: Text | None = None


class JobItem(Value):
    """One product of the job, in pieces: ordered, delivered, and what tax needs to know of it."""

    item_id: Id
    description: Text
    product_class: Code
    ordered: Quantity
    delivered: Quantity
    unit: Code
    ship_to_country: Country | None = None
    ship_to_region: Code | None = None
    customer_supplied: bool = False
    attribution: Attribution = Attribution()


class Delivery(Value):
    """One drop of one item."""

    delivery_id: Id
    item_id: Id
    quantity: Quantity
    ship_to_country: Country | None = None
    ship_to_region: Code | None = None
    delivered_on: date | None = None


class JobCompleted(Event):
    """A job has left the shop floor. A higher `revision` replaces a lower one.

    `reports_expected`: how many usage reports of the job were sent; where it is stated, the job
    waits for them, because topics keep no order among each other.
    """

    legal_entity_id: Id
    job_id: Id
    revision: Positive
    customer_id: Id | None = None
    order_ref: Id | None = None
    estimate_ref: Id | None = None
    description: Text
    started_at: Time | None = None
    completed_at: Time
    end_status: EndStatus
    quality: Quality
    currency: Currency | None = None
    items: tuple[JobItem, ...] = ()
    resources: tuple[Resource, ...] = ()
    phases: tuple[Phase, ...] = ()
    planned_times: tuple[PlannedTime, ...] = ()
    operations: tuple[Operation, ...] = ()
    counters: tuple[Counter, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    gang_shares: tuple[GangShare, ...] = ()
    reports_expected: Positive | None = None


class Metric(Value):
    """One normalised quantity of a job in its canonical unit, with its cost.

    Canonical units: substrate sheets (ST) or square metres (MTK), ink kilograms (KGM), machine
    hours (HUR), else as reported. `cost` is good plus waste at the cost rate; `billable` is what
    the customer may be charged for (quantity, in `unit`).
    """

    metric_id: Id
    component: Component
    code: Code
    description: Text
    section: Id | None = None
    status: PhaseStatus = PhaseStatus.UNKNOWN
    unit: Code
    planned: Quantity | None = None
    actual_good: Quantity
    actual_waste: Quantity = Decimal(0)
    billable: Quantity
    customer_supplied: bool = False
    attribution: Attribution = Attribution()
    outlay: Amount | None = None
    planned_cost: Amount | None = None
    actual_cost: Amount | None = None
    separation: Code | None = None


class MetricsExtracted(Event):
    """What a released job really used, normalised: the basis of price and profitability."""

    legal_entity_id: Id
    job_id: Id
    revision: Positive
    customer_id: Id
    order_ref: Id | None = None
    estimate_ref: Id | None = None
    description: Text
    completed_at: Time
    completed_on: date
    currency: Currency
    cost_rate_id: Id | None = None
    cost_rate_version: Positive | None = None
    items: tuple[JobItem, ...]
    metrics: tuple[Metric, ...]
    deliveries: tuple[Delivery, ...] = ()
    planned_cost: Amount | None = None
    actual_cost: Amount | None = None
