"""Which versions of customer, agreement, rate card and estimate a job is priced by, or why none is.

*Missing* is what was never seen: the job waits for it. *Known without an answer* (no version in
force, two agreements at once) cannot be waited for: the job goes on hold, with the reason.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, TypeVar

from shared.events.billing import Reason
from shared.events.masterdata import Agreement, Customer, RateCard, RateLine
from shared.events.production import Component, Metric, MetricsExtracted, PhaseStatus
from shared.events.sales import EstimateAccepted
from shared.ids import record_key

RateKey = tuple[Component, str, PhaseStatus]


class Version(Protocol):
    """What every version of a master datum has."""

    @property
    def version(self) -> int:
        """Rises with each version of the same thing."""
        ...

    @property
    def valid_from(self) -> date:
        """The first day."""
        ...

    @property
    def valid_to(self) -> date | None:
        """The last day, where one is given."""
        ...


V = TypeVar("V", bound=Version)


@dataclass(frozen=True, slots=True)
class PriceList:
    """A version of a rate card with its lines ready to be looked up."""

    card: RateCard
    lines: Mapping[RateKey, RateLine]

    def find(self, metric: Metric) -> RateLine | None:
        """The price of a metric: of its phase status, else of the code at any status."""
        exact = self.lines.get((metric.component, metric.code, metric.status))
        return exact or self.lines.get((metric.component, metric.code, PhaseStatus.UNKNOWN))

    @property
    def version(self) -> int:
        """The card's version."""
        return self.card.version

    @property
    def valid_from(self) -> date:
        """The card's first day."""
        return self.card.valid_from

    @property
    def valid_to(self) -> date | None:
        """The card's last day."""
        return self.card.valid_to


@dataclass(frozen=True, slots=True)
class Known:
    """What the service has seen of what a job refers to, in all the versions that may matter.

    `agreements` are those that name the customer in any version; `price_lists` are by rate card.
    """

    customers: tuple[Customer, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    price_lists: Mapping[str, tuple[PriceList, ...]] = field(default_factory=dict)
    estimate: EstimateAccepted | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The versions a job is priced by."""

    customer: Customer
    agreement: Agreement
    prices: PriceList
    estimate: EstimateAccepted | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A fact that was never seen, as the runtime waits for it, and the sentence that says so."""

    kind: str
    key: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why there are no terms: what is missing, and what is known without an answer.

    `agreement` is the one in force where there is one.
    """

    missing: tuple[Missing, ...]
    unanswered: tuple[Reason, ...]
    agreement: Agreement | None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Everything that stands between the job and its price."""
        return (*self.unanswered, *(missing.reason for missing in self.missing))


def price_list(card: RateCard) -> PriceList:
    """`card` ready to be looked up; components that this release does not know are left out."""
    return PriceList(
        card,
        {
            (line.component, line.code, line.status): line
            for line in card.lines
            if line.component is not Component.UNKNOWN
        },
    )


def in_force(versions: Iterable[V], on: date) -> V | None:
    """The version that holds on the date `on`, or None.

    Of those that had begun by then the newest speaks: it replaces the older ones also in ending
    them, so a thing whose newest version has ended is not in force, whatever an older one said.
    """
    begun = [version for version in versions if version.valid_from <= on]
    newest = max(begun, key=lambda version: version.version, default=None)
    if newest is None or (newest.valid_to is not None and newest.valid_to < on):
        return None
    return newest


def resolve(metrics: MetricsExtracted, known: Known) -> Terms | Unresolved:
    """The terms in force on the date of completion, or everything that is in their way."""
    customer = _customer(metrics, known)
    agreement = _agreement(metrics, known)
    prices = _prices(metrics, known, agreement) if isinstance(agreement, Agreement) else None
    estimate = _estimate(metrics, known)
    if (
        isinstance(customer, Customer)
        and isinstance(agreement, Agreement)
        and isinstance(prices, PriceList)
        and not isinstance(estimate, Missing)
    ):
        return Terms(customer, agreement, prices, estimate)
    found = (customer, agreement, prices, estimate)
    return Unresolved(
        missing=tuple(each for each in found if isinstance(each, Missing)),
        unanswered=tuple(each for each in found if isinstance(each, Reason)),
        agreement=agreement if isinstance(agreement, Agreement) else None,
    )


def _customer(metrics: MetricsExtracted, known: Known) -> Customer | Missing | Reason:
    of = metrics.customer_id
    if not known.customers:
        return _never_seen("customer", record_key(of), f"Customer {of}")
    return in_force(known.customers, metrics.completed_on) or _not_in_force(
        metrics, "customer-not-in-force", f"customer {of}"
    )


def _agreement(metrics: MetricsExtracted, known: Known) -> Agreement | Missing | Reason:
    of = metrics.customer_id
    if not known.agreements:
        key = record_key(metrics.legal_entity_id, of)
        return _never_seen("agreement", key, f"An agreement with customer {of}")
    names = sorted({agreement.agreement_id for agreement in known.agreements})
    versions = (
        in_force([a for a in known.agreements if a.agreement_id == name], metrics.completed_on)
        for name in names
    )
    held = [version for version in versions if version and version.customer_id == of]
    if not held:
        what = f"agreement {', '.join(names)} with customer {of}"
        return _not_in_force(metrics, "agreement-not-in-force", what)
    if len(held) > 1:
        all_of_them = ", ".join(f"{a.agreement_id} version {a.version}" for a in held)
        text = (
            f"Several agreements with customer {of} are in force on {metrics.completed_on}: "
            f"{all_of_them}. End all but one by a new version, and the job is priced anew."
        )
        return Reason(code="agreement-ambiguous", text=text)
    return held[0]


def _prices(
    metrics: MetricsExtracted, known: Known, agreement: Agreement
) -> PriceList | Missing | Reason:
    of = agreement.rate_card_id
    versions = known.price_lists.get(of)
    if not versions:
        key = record_key(metrics.legal_entity_id, of)
        return _never_seen("rate-card", key, f"Rate card {of}")
    return in_force(versions, metrics.completed_on) or _not_in_force(
        metrics, "rate-card-not-in-force", f"rate card {of}"
    )


def _estimate(metrics: MetricsExtracted, known: Known) -> EstimateAccepted | Missing | None:
    of = metrics.estimate_ref
    if of is None or known.estimate is not None:
        return known.estimate
    key = record_key(metrics.legal_entity_id, of, metrics.job_id)
    return _never_seen("estimate", key, f"Estimate {of} of job {metrics.job_id}")


def _never_seen(kind: str, key: str, what: str) -> Missing:
    text = f"{what} has not arrived: send it, and the job is priced anew."
    return Missing(kind, key, Reason(code=f"{kind}-missing", text=text))


def _not_in_force(metrics: MetricsExtracted, code: str, what: str) -> Reason:
    text = (
        f"No version of {what} is in force on {metrics.completed_on}, the day on which the job "
        "was completed: send a version that covers that day, and the job is priced anew."
    )
    return Reason(code=code, text=text)
