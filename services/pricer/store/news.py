"""The estimates and master data of a batch: what to read for them, and which jobs they concern."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from shared.events.base import Event
from shared.events.masterdata import Agreement, Customer, RateCard
from shared.events.sales import EstimateAccepted
from shared.store import Key

Columns = dict[str, list[object]]


@dataclass(frozen=True, slots=True)
class News:
    """What a batch teaches, by kind; false when it teaches nothing."""

    customers: Sequence[Customer] = ()
    agreements: Sequence[Agreement] = ()
    rate_cards: Sequence[RateCard] = ()
    estimates: Sequence[EstimateAccepted] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to learn."""
        return bool(self.customers or self.agreements or self.rate_cards or self.estimates)


def news_in(events: Iterable[Event]) -> News:
    """The news among `events`."""
    events = list(events)
    return News(
        customers=[event for event in events if isinstance(event, Customer)],
        agreements=[event for event in events if isinstance(event, Agreement)],
        rate_cards=[event for event in events if isinstance(event, RateCard)],
        estimates=[event for event in events if isinstance(event, EstimateAccepted)],
    )


def columns(keys: Collection[Key], *names: str) -> Columns:
    """`keys` turned into one list for each of `names`, as `unnest` takes them."""
    ordered = sorted(keys)
    return {name: [key[place] for key in ordered] for place, name in enumerate(names)}
