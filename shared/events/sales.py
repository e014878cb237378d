"""What was sold: the estimate a customer accepted for one job."""

from shared.events.base import Amount, Currency, Event, Id, Quantity, Rate, Text, Time, Value
from shared.events.production import Component


class EstimateComponent(Value):
    """The estimated net price of one component."""

    component: Component
    net: Amount


class Quote(Value):
    """A fixed price for `quantity` pieces, and what fewer or more cost (trade customs).

    `run_on_price` per `run_on_per` pieces. Tolerances in percent of `quantity`; no
    `under_tolerance` means the quantity is guaranteed.
    """

    price: Amount
    quantity: Quantity
    run_on_price: Rate
    run_on_per: Quantity
    over_tolerance: Rate
    under_tolerance: Rate | None = None


class EstimateAccepted(Event):
    """The accepted estimate of one job; one event per job of the estimate."""

    legal_entity_id: Id
    estimate_id: Id
    job_id: Id
    customer_id: Id
    accepted_at: Time
    currency: Currency
    description: Text
    components: tuple[EstimateComponent, ...]
    net_total: Amount
    quote: Quote | None = None
