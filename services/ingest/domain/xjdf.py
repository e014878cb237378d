"""XJDF 2.x: the body is the plan, the audit pool the actual."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.ingest.domain.context import Context
from services.ingest.domain.devices import distinct, ended, job_phase
from services.ingest.domain.element import Element
from services.ingest.domain.gang import sources_of
from services.ingest.domain.outcome import Found
from services.ingest.domain.parts import common_part, section_of, sheet_of
from services.ingest.domain.reader import Reader
from services.ingest.domain.statement import Statement
from services.ingest.domain.ticket import (
    NO_RUN,
    UNKNOWN_DEVICE,
    Run,
    Ticket,
    Usage,
    expected_reports,
    found_in,
    planned_times,
    run_of,
    shared_by,
    usage_of,
)
from services.ingest.domain.words import NOTHING_SAID, PRINTING, attribution_of, general, under
from services.ingest.domain.xjdf_products import deliveries_of, items_of, operations_of
from services.ingest.domain.xjdf_statements import (
    named_as_planned,
    statements,
    statements_of_info,
    with_paper,
)
from shared.events.production import Phase, PlannedTime


def read_xjdf(root: Element, r: Reader) -> Found:
    """The events in an XJDF."""
    return found_in(_ticket(root, r), r)


def _ticket(root: Element, r: Reader) -> Ticket:
    audits = _audits(root)
    part_id, types = r.ident(root, "JobPartID"), root.words("Types")
    customer = next(_specifics(root, "CustomerInfo"), Element("CustomerInfo"))
    runs = tuple(_runs(r, audits))
    context = _context(root, r, audits, part_id)
    planned, actual = _statements(root, audits, context)
    drops = deliveries_of(root, r)
    return Ticket(
        root=root,
        job_id=r.ident(root, "JobID"),
        part_id=part_id,
        whole=part_id is None or "Product" in types,
        description=root.text("DescriptiveName") or customer.text("CustomerJobName"),
        customer_id=r.ident(customer, "CustomerID"),
        order_ref=r.ident(customer, "CustomerOrderID"),
        estimate_ref=general(root, "EstimateID"),
        currency=general(root, "Currency"),
        reports_expected=expected_reports(root),
        sender_id=_sender(r, audits),
        reported=tuple((header, "Time") for one in audits for header in one.all("Header")),
        runs=runs,
        why_open="" if runs else NO_RUN,
        items=tuple(items_of(root, r, actual, drops)),
        deliveries=drops,
        attribution=context.attribution,
        usage=_usage(root, audits, context, planned, actual, runs),
    )


def _context(root: Element, r: Reader, audits: Sequence[Element], part_id: str | None) -> Context:
    device = next(
        (found for one in _specifics(root, "Device") if (found := r.code(one, "DeviceID"))), None
    )
    details = (one for info in _specifics(root, "NodeInfo") for one in info.all("MISDetails"))
    attribution = attribution_of(next(details, None), NOTHING_SAID)
    return Context(
        r, part_id, device or _sender(r, audits), under(attribution, general(root, "ChangeOrderID"))
    )


def _statements(
    root: Element, audits: Sequence[Element], context: Context
) -> tuple[list[Statement], list[Statement]]:
    """What the body plans and what the audits say."""
    planned = [one for rset in root.all("ResourceSet") for one in statements(rset, context)]
    actual = [one for audit in audits for one in _audited(audit, context)]
    if PRINTING.intersection(root.words("Types")):
        planned, actual = with_paper(planned, actual)
    return planned, list(named_as_planned(actual, planned))


def _audited(audit: Element, context: Context) -> Iterator[Statement]:
    header = audit.first("Header")
    read_at = context.r.instant(header, "Time") if header else None
    for info in audit.all("ResourceInfo"):
        yield from statements_of_info(info, replace(context, actual=True, read_at=read_at))


def _usage(
    root: Element,
    audits: Sequence[Element],
    context: Context,
    planned: Sequence[Statement],
    actual: Sequence[Statement],
    runs: Sequence[Run],
) -> Usage:
    usage = usage_of([*planned, *actual])
    counted = operations_of(root, context.section, context.attribution, planned, actual)
    over = max((run.end for run in runs), default=None)
    whole = replace(
        usage,
        phases=distinct(list(ended(list(_phases(audits, context)), over))),
        planned_times=tuple(_planned_times(root, context)),
        operations=(*usage.operations, *counted),
    )
    return shared_by(root, whole, sources_of(root, context.r), context.section or "gang")


def _audits(root: Element) -> Sequence[Element]:
    """The audits, less those that a later one corrects (`Header/@refID`)."""
    pool = [audit for audits in root.all("AuditPool") for audit in audits.children]
    headers = [(audit, audit.first("Header") or Element("Header")) for audit in pool]
    corrected = {header.text("refID") for _, header in headers} - {None}
    return [audit for audit, header in headers if header.text("ID") not in corrected]


def _sender(r: Reader, audits: Sequence[Element]) -> str:
    headers = [header for audit in audits for header in audit.all("Header")]
    devices = (r.code(header, "DeviceID") for header in reversed(headers))
    return next(filter(None, devices), UNKNOWN_DEVICE)


def _specifics(root: Element, name: str) -> Iterator[Element]:
    """The specific resources (`Resource/Device` and so on) of the sets of this name."""
    for rset in root.all("ResourceSet"):
        if rset.text("Name") == name:
            yield from rset.all("Resource", name)


def _runs(r: Reader, audits: Sequence[Element]) -> Iterator[Run]:
    for audit in audits:
        for at in audit.all("ProcessRun"):
            part = common_part(at)
            run = run_of(r, at, sheet_of(part) or part.get("ProductPart"))
            if run:
                yield run


def _planned_times(root: Element, context: Context) -> Iterator[PlannedTime]:
    device = next((one.text("DeviceID") for one in _specifics(root, "Device")), None)
    for rset in root.all("ResourceSet"):
        for resource in rset.all("Resource"):
            for info in resource.all("NodeInfo"):
                section = section_of(resource, context.section)
                yield from planned_times(context.r, info, device, section)


def _phases(audits: Sequence[Element], context: Context) -> Iterator[Phase]:
    for audit in audits:
        header = audit.first("Header") or audit
        device = context.r.code(header, "DeviceID") or context.device
        for info in audit.all("DeviceInfo"):
            for at in info.all("JobPhase"):
                phase = job_phase(at, info, replace(context, device=device))
                if phase:
                    yield phase
