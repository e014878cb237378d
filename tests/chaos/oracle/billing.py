"""From prices to invoices, from invoices to the books, and what is delivered.

What rests with chance is taken from what was published, and held to what it must be: which number
and instant an invoice was given, and which entry came first in a chain. The rest must follow.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from services.invoicer.domain.invoice import (
    Known,
    draft,
    invoice_id,
    is_live,
    issue,
    newest,
)
from services.invoicer.domain.job import (
    CORRECTION_OPEN,
    INVOICED,
    NOT_LIVE,
    TAX_HOLD,
    UNBILLABLE,
    check_path,
    correction_review,
    draft_review,
    is_newer,
    needs_correction,
)
from services.invoicer.domain.master import check_customer, check_legal_entity, check_tax_rule
from services.invoicer.domain.numbering import Series
from services.invoicer.domain.tax import TaxHold
from services.ledger_writer.domain import chain, entries, open_items, told
from services.ledger_writer.domain.open_items import OpenItem
from shared.errors import WaitFor
from shared.events.accounting import EntryPosted
from shared.events.base import Event
from shared.events.billing import InvoiceIssued, JobPriced
from shared.events.masterdata import Customer, LegalEntity, TaxRule
from shared.events.payments import PaymentApplied
from shared.ids import record_key
from tests.chaos.oracle.production import SOME_TIME, JobKey


@dataclass(frozen=True)
class Billed:
    """The newest price of a job, what became of it, and its invoice."""

    priced: JobPriced
    state: str
    invoice: InvoiceIssued | None = None


class Invoicing:
    """The invoicer; `chosen` are the invoices as published, by id: number and time are theirs."""

    def __init__(
        self, chosen: Mapping[str, InvoiceIssued], link_key: bytes | None, now: datetime
    ) -> None:
        self.jobs: dict[JobKey, Billed] = {}
        self._chosen, self._link_key, self._now = chosen, link_key, now
        self._entities: dict[str, list[LegalEntity]] = defaultdict(list)
        self._customers: dict[str, list[Customer]] = defaultdict(list)
        self._rules: dict[str, list[TaxRule]] = defaultdict(list)

    def rule(self, event: Event) -> Iterable[Event]:
        """What follows from an event."""
        match event:
            case LegalEntity():
                check_legal_entity(event, self._entities[event.legal_entity_id])
                self._entities[event.legal_entity_id].append(event)
            case Customer():
                check_customer(event)
                self._customers[event.customer_id].append(event)
            case TaxRule():
                check_tax_rule(event)
                self._rules[event.seller_country].append(event)
            case JobPriced():
                return self._price(event)
            case _:
                pass
        return ()

    def _price(self, priced: JobPriced) -> Iterable[Event]:
        check_path(priced)
        key = (priced.legal_entity_id, priced.job_id)
        before = self.jobs.get(key)
        if before and not is_newer(priced, before.priced.revision, before.priced.pricing_no):
            return ()
        if before and before.invoice:
            if not needs_correction(priced, before.invoice.revision):
                return ()
            self.jobs[key] = Billed(priced, CORRECTION_OPEN, before.invoice)
            return (correction_review(priced, before.invoice, SOME_TIME),)
        if priced.path in UNBILLABLE:
            self.jobs[key] = Billed(priced, UNBILLABLE[priced.path])
            return ()
        self.jobs[key], events = self._bill(priced)
        return events

    def _bill(self, priced: JobPriced) -> tuple[Billed, Iterable[Event]]:
        known = self._known(priced)
        if not is_live(priced, newest(known.entities)):
            return Billed(priced, NOT_LIVE), ()
        chosen = self._chosen.get(invoice_id(priced.legal_entity_id, priced.job_id))
        now = chosen.issued_at if chosen else self._now
        ready = draft(priced, known, now)
        if isinstance(ready, TaxHold):
            return Billed(priced, TAX_HOLD), (draft_review(priced, ready.reasons, SOME_TIME),)
        series = [] if chosen is None or chosen.sequence == 1 else [_before(chosen)]
        issued, _ = issue(ready, series, now, self._link_key)
        return Billed(priced, INVOICED, issued), (issued,)

    def _known(self, priced: JobPriced) -> Known:
        entities = tuple(self._entities[priced.legal_entity_id])
        if not entities:
            raise WaitFor("legal-entity", record_key(priced.legal_entity_id))
        customers = tuple(self._customers[priced.customer_id])
        if not customers:
            raise WaitFor("customer", record_key(priced.customer_id))
        country = newest(entities).address.country
        rules = tuple(self._rules[country])
        if not rules:
            raise WaitFor("tax-rule", record_key(country))
        return Known(entities, customers, rules)


def numbering(issued: Iterable[InvoiceIssued]) -> Iterable[str]:
    """What is wrong with the numbers given: each series runs from 1 without gap, dates with it."""
    series: dict[tuple[str, str, int], list[InvoiceIssued]] = defaultdict(list)
    for one in issued:
        series[one.legal_entity_id, one.series, one.fiscal_year].append(one)
    for name, members in series.items():
        members.sort(key=lambda one: one.sequence)
        numbers = [one.sequence for one in members]
        if numbers != list(range(1, len(members) + 1)):
            yield f"series {name}: its numbers are {numbers}"
        if any(a.issued_on > b.issued_on for a, b in pairwise(members)):
            yield f"series {name}: a later number bears an earlier date"


class Books:
    """The ledger. Every invoice and payment is posted once; the chain says in which order.

    `items` are what is owed, by legal entity and invoice; `wrong` what is wrong with the order.
    """

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], OpenItem] = {}
        self.wrong: list[str] = []
        self._causes: dict[str, InvoiceIssued | PaymentApplied] = {}

    def rule(self, event: Event) -> Iterable[Event]:
        """Take an invoice or payment down; it is posted by `posted`."""
        match event:
            case InvoiceIssued():
                self._causes[entries.invoice_entry_id(event)] = event
                self.items[event.legal_entity_id, event.invoice_id] = open_items.open_item(event)
            case PaymentApplied():
                key = (event.legal_entity_id, event.invoice_id)
                if key not in self.items:
                    raise WaitFor("invoice", record_key(*key))
                self._causes[entries.payment_entry_id(event)] = event
                self.items[key] = open_items.paid(self.items[key], event)
            case _:
                pass
        return ()

    def posted(self, published: Sequence[EntryPosted]) -> Iterable[Event]:
        """The entries and postings that follow, in the order of the entries published.

        Order and instant are theirs; an entry that nothing asks for has no successor here, and an
        invoice that has none is posted last.
        """
        heads: dict[str, chain.Head] = {}
        posted: set[str] = set()
        at = {entry.entry_id: entry for entry in published}
        order = sorted(published, key=lambda entry: (entry.legal_entity_id, entry.sequence))
        names = [entry.entry_id for entry in order if entry.entry_id in self._causes]
        names += [name for name in self._causes if name not in at]
        for name in names:
            event = self._causes[name]
            of = event.legal_entity_id
            head = heads.get(of) or chain.first_head(of)
            posted_at = at[name].posted_at if name in at else SOME_TIME
            entry = chain.post(_draft(event), head, posted_at)
            heads[of] = chain.head_after(entry)
            yield entry
            if isinstance(event, InvoiceIssued):
                posted.add(event.invoice_id)
                yield told.invoice_posted(event, entry)
            elif event.invoice_id not in posted:
                self.wrong.append(f"payment {event.payment_id} is posted before its invoice")


def _draft(event: InvoiceIssued | PaymentApplied) -> entries.Draft:
    if isinstance(event, InvoiceIssued):
        return entries.draft_invoice(event)
    return entries.draft_payment(event)


def _before(chosen: InvoiceIssued) -> Series:
    """The series as it stood when it gave the number of `chosen`."""
    return Series(
        chosen.legal_entity_id,
        chosen.series,
        chosen.fiscal_year,
        chosen.sequence - 1,
        chosen.issued_on,
    )
