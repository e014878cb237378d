"""What became of every completed job: exactly one thing, or it is lost or told twice."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Final, NamedTuple

from services.auditor.domain.arithmetic import plain
from services.auditor.domain.facts import (
    Completed,
    Document,
    Extracted,
    JobKey,
    Price,
    topic_of,
)
from services.auditor.domain.findings import Finding
from services.auditor.domain.held import NOWHERE, Applied, Held
from shared.events.billing import InvoiceIssued, JobPriced, ReviewRequested
from shared.events.production import JobCompleted, MetricsExtracted

PASSED: Final = "PASSED"
BILLABLE: Final = frozenset({"STRAIGHT_THROUGH", "ACTUAL_WITHIN_CAP", "APPROVED"})


class Outcome(StrEnum):
    """What became of a job; each has exactly one of these."""

    INVOICED = "invoiced"
    CORRECTION_OPEN = "invoiced, correction open"
    IN_REVIEW = "in review"
    ON_HOLD = "on hold"
    WAITING = "waiting"
    NOT_BILLABLE = "not billable"
    REJECTED = "rejected"
    NOT_LIVE = "before going live"
    LOST = "lost"


_UNBILLED: Final = {
    "not_billable": Outcome.NOT_BILLABLE,
    "waiting_quality": Outcome.NOT_BILLABLE,
    "awaiting_reports": Outcome.WAITING,
}


class Claim(NamedTuple):
    """One fact's word on what became of a job, and why."""

    outcome: Outcome
    reason: str = ""


class Extraction(NamedTuple):
    """The metrics extractor's word on a job: the newest revision that it took, and its state."""

    revision: int | None
    state: str
    reason: str | None


@dataclass(slots=True)
class Story:
    """All that the topics tell of one job."""

    completed: dict[int, Completed] = field(default_factory=dict)
    qualities: list[tuple[int | None, str]] = field(default_factory=list)
    extracted: dict[int, Extracted] = field(default_factory=dict)
    prices: dict[tuple[int, int], Price] = field(default_factory=dict)
    invoices: list[Document] = field(default_factory=list)

    @property
    def price(self) -> Price | None:
        """The price that holds."""
        return self.prices[max(self.prices)] if self.prices else None


class Tables(NamedTuple):
    """What the services' own tables say of jobs."""

    accepted: frozenset[tuple[str, str, int]]
    extractions: Mapping[JobKey, Extraction]
    billing_states: Mapping[JobKey, str]


class Jobs:
    """The stories of all jobs, told by the topics as they pass by."""

    def __init__(self) -> None:
        self.stories: defaultdict[JobKey, Story] = defaultdict(Story)

    @property
    def completed(self) -> Mapping[JobKey, Story]:
        """The jobs of which a completed revision was seen."""
        return {job: story for job, story in self.stories.items() if story.completed}

    def outcomes(self, tables: Tables, applied: Applied) -> Mapping[JobKey, frozenset[Claim]]:
        """Of every completed job what each fact says became of it."""
        return {
            job: frozenset(_claims(job, story, tables, applied))
            for job, story in self.completed.items()
        }


def every_job_has_one_outcome(
    claims: Mapping[JobKey, frozenset[Claim]], jobs: Mapping[JobKey, Story]
) -> Iterator[Finding]:
    """Every completed job is exactly one of invoiced, in review, on hold, waiting, and so on."""
    for job, said in claims.items():
        outcomes = {claim.outcome for claim in said}
        if len(outcomes) > 1:
            found, look = " and ".join(sorted(outcomes)), "the services' job tables"
            cause = _newest_ms(jobs[job])
            yield Finding(str(job), "one outcome", found, look, cause_ms=cause)
        elif not outcomes:
            newest = jobs[job].completed[max(jobs[job].completed)]
            look = f"{topic_of(JobCompleted)}/{newest.place[1]}@{newest.place[2]}"
            yield Finding(str(job), "an outcome", "none", look, cause_ms=_newest_ms(jobs[job]))


def one_invoice_per_job(jobs: Mapping[JobKey, Story]) -> Iterator[Finding]:
    """No job is invoiced twice."""
    for job, story in jobs.items():
        if len(story.invoices) > 1:
            numbers = ", ".join(sorted(invoice.number for invoice in story.invoices))
            yield Finding(str(job), "one invoice", numbers, topic_of(InvoiceIssued))


def only_released_jobs_are_invoiced(
    jobs: Mapping[JobKey, Story], accepted: Collection[tuple[str, str, int]]
) -> Iterator[Finding]:
    """What is invoiced was completed, taken by the metrics extractor, and passed quality control.

    `accepted`: legal entity, job and revision by the extractor's table.
    """
    for job, story in jobs.items():
        for invoice in story.invoices:
            completed, cause = story.completed.get(invoice.revision), invoice.at_ms
            what, look = f"{job} revision {invoice.revision}", topic_of(JobCompleted)
            if completed is None:
                expected, found = f"{what} completed", "no such record"
                yield Finding(str(invoice), expected, found, look, cause_ms=cause)
            elif (*job, invoice.revision) not in accepted:
                expected, look = f"{what} taken", "metrics_extractor.completed_job"
                yield Finding(str(invoice), expected, "no such row", look, cause_ms=cause)
            elif completed.quality != PASSED and not _was_released(story, invoice.revision):
                found = f"{job}: {completed.quality}"
                yield Finding(str(invoice), "quality passed", found, look, cause_ms=cause)


def invoices_rest_on_their_price(jobs: Mapping[JobKey, Story]) -> Iterator[Finding]:
    """An invoice charges the lines of the billable price that it names, unchanged."""
    for story in jobs.values():
        for invoice in story.invoices:
            price = story.prices.get((invoice.revision, invoice.pricing_no))
            wanted = f"revision {invoice.revision}, pricing {invoice.pricing_no}"
            look = f"{topic_of(JobPriced)}, {invoice.job}"
            if price is None:
                expected, cause = f"a price ({wanted})", invoice.at_ms
                yield Finding(str(invoice), expected, "no such record", look, cause_ms=cause)
            elif price.path not in BILLABLE or price.path != invoice.path:
                found = f"{price.path}, on the invoice {invoice.path}"
                yield Finding(str(invoice), "a billable path", found, look)
            elif (price.currency, price.net_total) != (invoice.currency, invoice.net_total):
                expected = f"{price.currency} {plain(price.net_total)}"
                found = f"{invoice.currency} {plain(invoice.net_total)}"
                yield Finding(f"{invoice}, net total", expected, found, look)
            elif price.lines != invoice.lines:
                yield Finding(f"{invoice}, lines", f"those of {wanted}", "others", look)


def reviews_are_requested(
    jobs: Mapping[JobKey, Story],
    tables: Tables,
    requested: Collection[tuple[str, str, str, int]],
) -> Iterator[Finding]:
    """Whatever needs a person's decision was asked for: a price, a draft, a correction.

    `requested`: legal entity, kind, subject and version of every request.
    """
    for job, story in jobs.items():
        invoiced = max((invoice.revision for invoice in story.invoices), default=None)
        for price in story.prices.values():
            wanted = {"price"} if price.path == "REVIEW" else set()
            if invoiced is not None and price.revision > invoiced:
                wanted |= {"correction"} if price.path not in ("HOLD", "REJECTED") else set()
            elif price is story.price and tables.billing_states.get(job) == "tax_hold":
                wanted |= {"draft"}
            for kind in sorted(wanted):
                if (job.legal_entity_id, kind, job.job_id, price.pricing_no) not in requested:
                    subject = f"{job}, pricing {price.pricing_no}"
                    look = topic_of(ReviewRequested)
                    yield Finding(
                        subject, f"a review of its {kind}", "none", look, cause_ms=price.at_ms
                    )


def _claims(job: JobKey, story: Story, tables: Tables, applied: Applied) -> Iterator[Claim]:
    """What each fact says; a newer revision of an invoiced job adds nothing before its price."""
    invoiced = max((invoice.revision for invoice in story.invoices), default=None)
    price = story.price
    if invoiced is not None:
        is_open = _asks_for_correction(story, invoiced)
        yield (
            Claim(Outcome.CORRECTION_OPEN)
            if is_open
            else Claim(
                Outcome.INVOICED, _in_words(max(story.invoices, key=attrgetter("revision")).path)
            )
        )
    accepted = [revision for revision in story.completed if (*job, revision) in tables.accepted]
    if not accepted:
        yield from _not_accepted(story, applied)
        return
    newest = max(accepted)
    if invoiced is not None and newest > invoiced:
        return
    yield from _extraction(newest, tables.extractions.get(job))
    extracted = story.extracted.get(newest)
    if extracted and (held := _held(applied, "pricer", MetricsExtracted, extracted)):
        yield _claim_of(held)
    if price is not None and price.revision == newest:
        yield from _price(job, price, tables, applied, is_invoiced=invoiced is not None)


def _not_accepted(story: Story, applied: Applied) -> Iterator[Claim]:
    """No revision was taken: the newest that is held says why."""
    for revision in sorted(story.completed, reverse=True):
        completed = story.completed[revision]
        topic = completed.place[0]
        held = applied.held_instead(
            "metrics_extractor", topic, completed.message_id, completed.place
        )
        if held is not None:
            yield _claim_of(held)
            return


def _extraction(newest: int, known: Extraction | None) -> Iterator[Claim]:
    if known is None or known.revision != newest:
        return
    outcome = _UNBILLED.get(known.state)
    if outcome is not None:
        yield Claim(outcome, known.reason or "")


def _in_words(path: str) -> str:
    """A billing path as people name it: straight-through."""
    return path.lower().replace("_", "-")


def _price(
    job: JobKey, price: Price, tables: Tables, applied: Applied, *, is_invoiced: bool
) -> Iterator[Claim]:
    state = tables.billing_states.get(job)
    match price.path:
        case "REVIEW":
            yield Claim(Outcome.IN_REVIEW, ", ".join(price.reasons))
        case "HOLD":
            yield Claim(Outcome.ON_HOLD, "price")
        case "REJECTED":
            yield Claim(Outcome.REJECTED, "by decision")
        case _ if is_invoiced:
            return
        case _ if held := _held(applied, "invoicer", JobPriced, price):
            yield _claim_of(held)
        case _ if state == "tax_hold":
            yield Claim(Outcome.ON_HOLD, "tax")
        case _ if state == "not_live":
            yield Claim(Outcome.NOT_LIVE)


def _held(
    applied: Applied,
    service: str,
    event: type[MetricsExtracted | JobPriced],
    fact: Extracted | Price,
) -> Held | None:
    return applied.held_instead(service, topic_of(event), fact.message_id, NOWHERE)


def _claim_of(held: Held) -> Claim:
    if held.state == "waiting":
        return Claim(Outcome.WAITING, held.reason)
    return Claim(Outcome.REJECTED, held.reason or held.state)


def _asks_for_correction(story: Story, invoiced: int) -> bool:
    """Whether a newer revision than the invoiced one has a price, so that people must decide."""
    return any(
        price.revision > invoiced and price.path not in ("HOLD", "REJECTED")
        for price in story.prices.values()
    )


def _was_released(story: Story, revision: int) -> bool:
    return any(
        quality == PASSED and about in (None, revision) for about, quality in story.qualities
    )


def _newest_ms(story: Story) -> int:
    """When the last record about the job was written."""
    last = max(record.at_ms for record in story.completed.values())
    last = max([last, *(record.at_ms for record in story.extracted.values())])
    last = max([last, *(invoice.at_ms for invoice in story.invoices)])
    return max([last, *(record.at_ms for record in story.prices.values())])
