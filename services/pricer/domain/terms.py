"""Which versions of customer, agreement, rate card and estimate a job is priced by, or why none is.

*Missing* is what was never seen: the job waits for it. *Known without an answer* (no version in
force, two agreements at once) cannot be waited for: the job goes on hold, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.events.billing import Reason
from shared.events.masterdata import Agreement, Customer, RateCard, RateLine
from shared.events.production import Component, Metric, MetricsExtracted, PhaseStatus
from shared.events.sales import EstimateAccepted
from shared.ids import record_key

RateKey = tuple[Component, str, PhaseStatus]


@dataclass(frozen=True, slots=True)
class PriceList:
    """A version of a rate card with its lines ready to be looked up."""

    card: RateCard
    lines: Mapping[RateKey, RateLine]

    def find(self, metric: Metric) -> RateLine | None:
        """The price of a metric: of its phase status, else of the code at any status."""
        exact = self.lines.get((metric.component, metric.code, metric.status))
        return exact or self.lines.get((metric.component, metric.code, PhaseStatus.UNKNOWN))


@dataclass(frozen=True, slots=True)
class Known:
    """What the service knows of what a job refers to, on the date of its completion.

    None is what was never seen; an empty tuple is known, but no version of it is in force.
    `agreements` are all with the customer, `price_lists` are by rate card.
    """

    customers: tuple[Customer, ...] | None = None
    agreements: tuple[Agreement, ...] | None = None
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
    if known.customers is None:
        return _never_seen("customer", record_key(of), f"Customer {of}")
    if not known.customers:
        return _not_in_force(metrics, "customer", f"customer {of}")
    return known.customers[0]


def _agreement(metrics: MetricsExtracted, known: Known) -> Agreement | Missing | Reason:
    of = metrics.customer_id
    if known.agreements is None:
        key = record_key(metrics.legal_entity_id, of)
        return _never_seen("agreement", key, f"An agreement with customer {of}")
    if not known.agreements:
        return _not_in_force(metrics, "agreement", f"an agreement with customer {of}")
    if len(known.agreements) > 1:
        names = sorted(f"{a.agreement_id} version {a.version}" for a in known.agreements)
        text = (
            f"Several agreements with customer {of} are in force on {metrics.completed_on}: "
            f"{', '.join(names)}. End all but one by a new version, and the job is priced anew."
        )
        return Reason(code="agreement-ambiguous", text=text)
    return known.agreements[0]


def _prices(
    metrics: MetricsExtracted, known: Known, agreement: Agreement
) -> PriceList | Missing | Reason:
    of = agreement.rate_card_id
    price_lists = known.price_lists.get(of)
    if price_lists is None:
        key = record_key(metrics.legal_entity_id, of)
        return _never_seen("rate-card", key, f"Rate card {of}")
    if not price_lists:
        return _not_in_force(metrics, "rate-card", f"rate card {of}")
    return price_lists[0]


def _estimate(metrics: MetricsExtracted, known: Known) -> EstimateAccepted | Missing | None:
    of = metrics.estimate_ref
    if of is None or known.estimate is not None:
        return known.estimate
    key = record_key(metrics.legal_entity_id, of, metrics.job_id)
    return _never_seen("estimate", key, f"Estimate {of} of job {metrics.job_id}")


def _never_seen(kind: str, key: str, what: str) -> Missing:
    text = f"{what} has not arrived: send it, and the job is priced anew."
    return Missing(kind, key, Reason(code=f"{kind}-missing", text=text))


def _not_in_force(metrics: MetricsExtracted, kind: str, what: str) -> Reason:
    text = (
        f"No version of {what} is in force on {metrics.completed_on}, the day on which the job "
        "was completed: send a version that covers that day, and the job is priced anew."
    )
    return Reason(code=f"{kind}-not-in-force", text=text)
