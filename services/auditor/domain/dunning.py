"""Reminders: a stage once, only for what is live, overdue and open; balances alike everywhere."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from services.auditor.domain.arithmetic import plain
from services.auditor.domain.facts import Document, InvoiceKey, topic_of
from services.auditor.domain.findings import Finding
from services.auditor.domain.held import Applied
from services.auditor.domain.postings import Application, Payment, Settled, settlements
from shared.events.collections import ReminderDue

Stage = tuple[InvoiceKey, int]


class Reminder(NamedTuple):
    """A reminder as the topic says it."""

    due_on: date
    days_overdue: int
    decided_at: datetime
    open_amount: Decimal
    disputed_amount: Decimal
    at_ms: int


def reminders_are_published_as_decided(
    decided: Mapping[Stage, bool],
    published: Mapping[Stage, Reminder],
    outbox_ms: int | None = None,
) -> Iterator[Finding]:
    """Every stage that was decided was published once, and none that was skipped.

    `decided`: whether the scheduler's table says that the stage was skipped.
    """
    for invoice, stage in sorted({*decided, *published}):
        subject = f"reminder {stage} of {invoice}"
        look = f"dunning_scheduler.reminder where invoice_id = '{invoice.invoice_id}'"
        reminder, skipped = published.get((invoice, stage)), decided.get((invoice, stage))
        if reminder is None:
            if not skipped:
                yield Finding(subject, "a record on the topic", "none", look, cause_ms=outbox_ms)
        elif skipped is None:
            yield Finding(subject, "a row", "none", look, cause_ms=reminder.at_ms)
        elif skipped:
            yield Finding(subject, "no record: it was skipped", "one", topic_of(ReminderDue))


def reminders_ask_for_what_is_overdue(
    published: Mapping[Stage, Reminder], invoices: Mapping[InvoiceKey, Document]
) -> Iterator[Finding]:
    """A reminder asks for an issued, live, overdue invoice, and never for more than its gross."""
    for (key, stage), reminder in published.items():
        subject = f"reminder {stage} of {key}"
        invoice = invoices.get(key)
        look = topic_of(ReminderDue)
        if invoice is None or not invoice.live:
            found = "no such invoice" if invoice is None else "one from before going live"
            cause = reminder.at_ms if invoice is None else None
            yield Finding(subject, "a live invoice", found, look, cause_ms=cause)
            continue
        if reminder.due_on != invoice.due_on or reminder.days_overdue < 1:
            expected = f"due {invoice.due_on}, a day overdue at least"
            found = f"due {reminder.due_on}, {reminder.days_overdue} days overdue"
            yield Finding(subject, expected, found, look)
        demanded = reminder.open_amount - reminder.disputed_amount
        if not 0 < demanded <= invoice.gross_total:
            expected = f"above 0, at most {plain(invoice.gross_total)}"
            yield Finding(subject, expected, plain(demanded), look)


def stages_follow_each_other(published: Mapping[Stage, Reminder]) -> Iterator[Finding]:
    """A later stage is decided on a later day than the one before."""
    days: defaultdict[InvoiceKey, list[tuple[int, datetime]]] = defaultdict(list)
    for (key, stage), reminder in published.items():
        days[key].append((stage, reminder.decided_at))
    for key, stages in days.items():
        ordered = sorted(stages)
        for (_, earlier), (stage, later) in pairwise(ordered):
            if later.date() <= earlier.date():
                expected = f"after {earlier:%Y-%m-%d}"
                subject = f"reminder {stage} of {key}"
                yield Finding(subject, expected, f"{later:%Y-%m-%d}", topic_of(ReminderDue))


def balances_follow_from_events(
    balances: Mapping[str, Mapping[InvoiceKey, Settled]],
    issued: Mapping[InvoiceKey, Document],
    payments: Mapping[Application, Payment],
    applied: Applied,
) -> Iterator[Finding]:
    """What scheduler and notifier believe to be paid and credited is what the topics say."""
    for service, believed in balances.items():
        settled = settlements(service, issued, payments, applied)
        for key, balance in believed.items():
            wanted = settled[key]
            if balance[:2] != wanted[:2]:
                expected = "paid {}, credited {}".format(*map(plain, wanted[:2]))
                found = "paid {}, credited {}".format(*map(plain, balance[:2]))
                look = f"{service}.invoice, {service}.movement"
                cause = wanted.newest_ms or None
                yield Finding(f"{service}: {key}", expected, found, look, cause_ms=cause)
