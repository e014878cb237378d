"""What the pricer knows: estimates, customers, agreements, rate cards, jobs and their prices.

Dated master data are picked by their heads (a few columns of every version); whole versions are
read only where they may hold on a day that is asked for. Whoever prices holds the advisory lock
shared, whoever learns master data holds it alone: so a job that goes on hold in one process and
the version it lacks, arriving in another, never miss each other.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy import Connection, text

from services.pricer.domain import Known, PriceList, price_list
from services.pricer.store.news import News, columns, news_in
from services.pricer.store.tables import (
    AGREEMENT,
    CUSTOMER,
    ESTIMATE,
    JOB,
    METRICS,
    PRICING,
    RATE_CARD,
    AgreementRow,
    CustomerRow,
    EstimateRow,
    Head,
    JobRow,
    MetricsRow,
    PricingRow,
    RateCardRow,
)
from services.pricer.store.versions import Versions
from shared.events.base import Event
from shared.events.billing import JobPriced
from shared.events.masterdata import Agreement
from shared.events.production import MetricsExtracted
from shared.events.sales import EstimateAccepted
from shared.store import Key, Store

# One lock for all prices of this service, held to the end of the transaction.
_PRICE = text("SELECT pg_advisory_xact_lock_shared(hashtext('colophon pricer master data'))")
_LEARN = text("SELECT pg_advisory_xact_lock(hashtext('colophon pricer master data'))")

_CUSTOMER_HEADS: Final = text(
    "SELECT customer_id, version, valid_from, valid_to FROM customer"
    " WHERE customer_id = ANY (CAST(:customers AS text[]))"
)
# All versions of the agreements that name one of the customers in any version, or that are asked
# for by id: a version may have taken an agreement from one customer to another.
_AGREEMENT_HEADS: Final = text(
    "WITH wanted AS ("
    " SELECT a.legal_entity_id, a.agreement_id FROM agreement a"
    " JOIN unnest(CAST(:entities AS text[]), CAST(:customers AS text[]))"
    " AS w (legal_entity_id, customer_id) USING (legal_entity_id, customer_id)"
    " UNION SELECT * FROM unnest(CAST(:id_entities AS text[]), CAST(:ids AS text[])))"
    " SELECT legal_entity_id, agreement_id, version, valid_from, valid_to, customer_id,"
    " rate_card_id FROM agreement JOIN wanted USING (legal_entity_id, agreement_id)"
)
_RATE_CARD_HEADS: Final = text(
    "SELECT legal_entity_id, rate_card_id, version, valid_from, valid_to FROM rate_card"
    " JOIN unnest(CAST(:entities AS text[]), CAST(:cards AS text[]))"
    " AS w (legal_entity_id, rate_card_id) USING (legal_entity_id, rate_card_id)"
)
# Jobs on hold that what has just been learnt may release; few jobs are on hold at a time.
_MARK: Final = text(
    "UPDATE job SET reprice = true WHERE path = 'HOLD' AND NOT reprice AND ("
    " customer_id = ANY (CAST(:customers AS text[]))"
    " OR (legal_entity_id, customer_id) IN (SELECT * FROM"
    " unnest(CAST(:deal_entities AS text[]), CAST(:deal_customers AS text[])))"
    " OR (legal_entity_id, rate_card_id) IN (SELECT * FROM"
    " unnest(CAST(:card_entities AS text[]), CAST(:cards AS text[])))"
    " OR (legal_entity_id, job_id) IN (SELECT * FROM"
    " unnest(CAST(:job_entities AS text[]), CAST(:jobs AS text[]))))"
)
# A portion of the marked jobs; those that a batch of events holds now are taken next time.
_CLAIM: Final = text(
    "SELECT * FROM job WHERE reprice ORDER BY legal_entity_id, job_id"
    " LIMIT :portion FOR UPDATE SKIP LOCKED"
)


class PricerStore(Store):
    """The tables of this service, for one batch or one tick."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.customers = Versions(self.rows(CUSTOMER, CustomerRow, lock=False))
        self.agreements = Versions(self.rows(AGREEMENT, AgreementRow, lock=False))
        self.rate_cards = Versions(self.rows(RATE_CARD, RateCardRow, lock=False))
        self.estimates = self.rows(ESTIMATE, EstimateRow, lock=False)
        self.jobs = self.rows(JOB, JobRow)
        self.metrics = self.rows(METRICS, MetricsRow, lock=False)
        self.pricings = self.rows(PRICING, PricingRow, lock=False)
        self._deals: dict[Key, set[Key]] = defaultdict(set)
        self._price_lists: dict[Key, PriceList] = {}
        self._news = News()

    def prefetch(self, events: Sequence[Event]) -> None:
        """The lock first, then the jobs, then all that their prices may turn on."""
        jobs = [event for event in events if isinstance(event, MetricsExtracted)]
        self._news = news_in(events)
        self.connection.execute(_LEARN if self._news else _PRICE)
        self.jobs.load(self.connection, {(job.legal_entity_id, job.job_id) for job in jobs})
        self._load_terms(jobs, self._news)

    def claim(self, portion: int) -> list[JobRow]:
        """At most `portion` jobs to price anew, locked, with all that their prices may turn on."""
        self.connection.execute(_PRICE)
        self.jobs.adopt(self.connection.execute(_CLAIM, {"portion": portion}).mappings())
        jobs = self.jobs.all()
        keys = [(job.legal_entity_id, job.job_id) for job in jobs]
        revisions, numbers = [job.revision for job in jobs], [job.pricing_no for job in jobs]
        self.metrics.load(
            self.connection, ((*key, it) for key, it in zip(keys, revisions, strict=True))
        )
        self.pricings.load(
            self.connection, ((*key, it) for key, it in zip(keys, numbers, strict=True))
        )
        self._load_terms([row.content for row in self.metrics.all()], News())
        return jobs

    def flush(self) -> None:
        """Write what was put; then mark the jobs on hold that the news may release."""
        super().flush()
        if self._news:
            self.connection.execute(_MARK, self._concerned(self._news))

    def learn_agreement(self, row: AgreementRow) -> None:
        """A new version of an agreement."""
        self.agreements.put(row)
        self._deals[row.legal_entity_id, row.customer_id].add(row.head.key[:-1])

    def metrics_of(self, job: JobRow) -> MetricsExtracted:
        """The metrics that the newest price of a claimed job was computed from."""
        row = self.metrics.get(job.legal_entity_id, job.job_id, job.revision)
        if row is None:
            msg = f"job {job.job_id} has no metrics of revision {job.revision}"
            raise LookupError(msg)
        return row.content

    def price_of(self, job: JobRow) -> JobPriced:
        """The newest price of a claimed job."""
        row = self.pricings.get(job.legal_entity_id, job.job_id, job.pricing_no)
        if row is None:
            msg = f"job {job.job_id} has no pricing {job.pricing_no}"
            raise LookupError(msg)
        return row.content

    def known(self, metrics: MetricsExtracted) -> Known:
        """What the job refers to, on the day of its completion, as far as it was ever seen."""
        entity, on = metrics.legal_entity_id, metrics.completed_on
        customers = self.customers.holding((metrics.customer_id,), on)
        agreements = self._agreements(metrics)
        price_lists: dict[str, tuple[PriceList, ...]] = {}
        for agreement in agreements or ():
            cards = self.rate_cards.holding((entity, agreement.rate_card_id), on)
            if cards is not None:
                price_lists[agreement.rate_card_id] = tuple(map(self._price_list, cards))
        return Known(
            customers=None if customers is None else tuple(row.content for row in customers),
            agreements=agreements,
            price_lists=price_lists,
            estimate=self._estimate(metrics),
        )

    def _agreements(self, metrics: MetricsExtracted) -> tuple[Agreement, ...] | None:
        deals = self._deals.get((metrics.legal_entity_id, metrics.customer_id))
        if deals is None:
            return None
        return tuple(
            row.content
            for deal in sorted(deals)
            for row in self.agreements.holding(deal, metrics.completed_on) or ()
            if row.customer_id == metrics.customer_id
        )

    def _price_list(self, row: RateCardRow) -> PriceList:
        key = row.head.key
        if key not in self._price_lists:
            self._price_lists[key] = price_list(row.content)
        return self._price_lists[key]

    def _estimate(self, metrics: MetricsExtracted) -> EstimateAccepted | None:
        if metrics.estimate_ref is None:
            return None
        row = self.estimates.get(metrics.legal_entity_id, metrics.estimate_ref, metrics.job_id)
        return row.content if row else None

    def _load_terms(self, jobs: Sequence[MetricsExtracted], news: News) -> None:
        self.estimates.load(
            self.connection,
            {(e.legal_entity_id, e.estimate_id, e.job_id) for e in news.estimates}
            | {(j.legal_entity_id, j.estimate_ref, j.job_id) for j in jobs if j.estimate_ref},
        )
        days = {job.completed_on for job in jobs}
        self._load_customers(jobs, news, days)
        self._load_agreements(jobs, news, days)
        self._load_rate_cards(jobs, news, days)

    def _load_customers(
        self, jobs: Sequence[MetricsExtracted], news: News, days: set[date]
    ) -> None:
        wanted = {job.customer_id for job in jobs}
        if wanted:
            found = self.connection.execute(_CUSTOMER_HEADS, {"customers": sorted(wanted)})
            self.customers.add_heads(Head(tuple(row[:2]), *row[1:4]) for row in found)
        keys = [(c.customer_id, c.version) for c in news.customers]
        self.customers.load(self.connection, days, keys)

    def _load_agreements(
        self, jobs: Sequence[MetricsExtracted], news: News, days: set[date]
    ) -> None:
        customers = {(job.legal_entity_id, job.customer_id) for job in jobs}
        ids = {(a.legal_entity_id, a.agreement_id) for a in news.agreements}
        if customers or ids:
            found = self.connection.execute(
                _AGREEMENT_HEADS,
                columns(customers, "entities", "customers") | columns(ids, "id_entities", "ids"),
            )
            for row in found:
                self.agreements.add_heads([Head(tuple(row[:3]), *row[2:5])])
                self._deals[row.legal_entity_id, row.customer_id].add(tuple(row[:2]))
        keys = [(a.legal_entity_id, a.agreement_id, a.version) for a in news.agreements]
        self.agreements.load(self.connection, days, keys)

    def _load_rate_cards(
        self, jobs: Sequence[MetricsExtracted], news: News, days: set[date]
    ) -> None:
        wanted = {(row.legal_entity_id, row.rate_card_id) for row in self.agreements.rows.all()}
        wanted |= {(event.legal_entity_id, event.rate_card_id) for event in news.agreements}
        if jobs and wanted:
            found = self.connection.execute(_RATE_CARD_HEADS, columns(wanted, "entities", "cards"))
            self.rate_cards.add_heads(Head(tuple(row[:3]), *row[2:5]) for row in found)
        keys = [(c.legal_entity_id, c.rate_card_id, c.version) for c in news.rate_cards]
        self.rate_cards.load(self.connection, days, keys)

    def _concerned(self, news: News) -> dict[str, list[object]]:
        """Whose jobs the news may release, as parameters of the statement that marks them."""
        changed = {(a.legal_entity_id, a.agreement_id) for a in news.agreements}
        buyers = {buyer for buyer, deals in self._deals.items() if deals & changed}
        buyers |= {(a.legal_entity_id, a.customer_id) for a in news.agreements}
        cards = {(c.legal_entity_id, c.rate_card_id) for c in news.rate_cards}
        jobs = {(e.legal_entity_id, e.job_id) for e in news.estimates}
        return {
            **columns({(c.customer_id,) for c in news.customers}, "customers"),
            **columns(buyers, "deal_entities", "deal_customers"),
            **columns(cards, "card_entities", "cards"),
            **columns(jobs, "job_entities", "jobs"),
        }
