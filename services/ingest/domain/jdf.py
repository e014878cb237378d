"""JDF 1.x: a tree of nodes whose links hold plan and actual, and whose audit pools say more."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.ingest.domain.context import Context
from services.ingest.domain.devices import distinct, phase
from services.ingest.domain.element import Element
from services.ingest.domain.gang import sources_of
from services.ingest.domain.jdf_nodes import Node, nodes_of, why_open
from services.ingest.domain.jdf_products import deliveries_of, items_of, operations_of
from services.ingest.domain.jdf_statements import Work, of_link, of_node
from services.ingest.domain.outcome import Found
from services.ingest.domain.parts import common_part, section_of, sheet_of
from services.ingest.domain.reader import Reader
from services.ingest.domain.statement import Amounts, Statement, total
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
from services.ingest.domain.words import (
    NOTHING_SAID,
    attribution_of,
    general,
    status_of,
    under,
)
from shared.events.production import Phase, PhaseStatus, PlannedTime


def read_jdf(root: Element, r: Reader) -> Found:
    """The events in a JDF."""
    return found_in(_ticket(root, r), r)


def _ticket(root: Element, r: Reader) -> Ticket:
    supplied, order = _customer_supplied(root), general(root, "ChangeOrderID")
    works = [_work(node, r, order, supplied=supplied) for node in nodes_of(root, r)]
    nodes = [work.node for work in works]
    statements = [one for work in works for one in work.statements]
    part_id = r.ident(root, "JobPartID")
    customers = (one for node in nodes for one in node.infos("CustomerInfo"))
    customer = next(customers, Element("CustomerInfo"))
    runs = tuple(run for node in nodes for run in _runs(node, r))
    drops = deliveries_of(nodes, r)
    usage = _usage(works, statements)
    return Ticket(
        root=root,
        job_id=r.ident(root, "JobID"),
        part_id=part_id,
        whole=part_id is None or nodes[0].product,
        description=root.text("DescriptiveName") or customer.text("CustomerJobName"),
        customer_id=r.ident(customer, "CustomerID"),
        order_ref=r.ident(customer, "CustomerOrderID"),
        estimate_ref=general(root, "EstimateID"),
        currency=general(root, "Currency"),
        reports_expected=expected_reports(root),
        sender_id=_sender(r, nodes),
        reported=tuple((audit, "TimeStamp") for node in nodes for audit in node.audits()),
        runs=runs,
        why_open=why_open(nodes[0]) if runs else NO_RUN,
        items=tuple(items_of(works, r, drops, customer_supplied=supplied)),
        deliveries=drops,
        attribution=works[0].context.attribution,
        usage=shared_by(root, usage, sources_of(root, r), part_id or "gang"),
    )


def _work(node: Node, r: Reader, of_root: str | None, *, supplied: bool) -> Work:
    devices = (r.code(one, "DeviceID") for _, one in node.links("Device"))
    device = next(filter(None, devices), UNKNOWN_DEVICE)
    details = (one for info in node.infos("NodeInfo") for one in info.all("MISDetails"))
    order = general(node.at, "ChangeOrderID") or of_root
    attribution = under(attribution_of(next(details, None), NOTHING_SAID), order)
    context = Context(r, node.section, device, attribution)
    said = of_node(node, context)
    return Work(node, context, tuple(_supplied(one) if supplied else one for one in said))


def _customer_supplied(root: Element) -> bool:
    """Whether the customer brings the paper: `MediaIntent/BuyerSupplied`."""
    spans = (one for one in root.walk() if one.name == "BuyerSupplied")
    return any("true" in {one.text("Actual"), one.text("Preferred")} for one in spans)


def _supplied(one: Statement) -> Statement:
    return replace(one, traits={**one.traits, "CustomerSupplied": "true"})


def _usage(works: Sequence[Work], statements: Sequence[Statement]) -> Usage:
    phases = [phase for work in works for phase in _phases(work)]
    counted = [operation for work in works for operation in operations_of(work)]
    usage = usage_of(statements)
    return replace(
        usage,
        phases=distinct(phases),
        planned_times=tuple(time for work in works for time in _planned_times(work)),
        operations=(*usage.operations, *counted),
    )


def _sender(r: Reader, nodes: Sequence[Node]) -> str:
    """The device, or else the program that wrote the newest audit; never @Author, a person."""
    devices = (r.ident(one, "DeviceID") for node in nodes for _, one in node.links("Device"))
    agents = (r.ident(one, "AgentName") for node in nodes for one in reversed(node.audits()))
    return next(filter(None, (*devices, *agents)), UNKNOWN_DEVICE)


def _runs(node: Node, r: Reader) -> Iterator[Run]:
    for audit in node.audits():
        if audit.name == "ProcessRun":
            sheet = sheet_of(common_part(audit))
            run = run_of(r, audit, "/".join(filter(None, (node.at.text("ID"), sheet))))
            if run:
                yield run


def _planned_times(work: Work) -> Iterator[PlannedTime]:
    known = None if work.context.device == UNKNOWN_DEVICE else work.context.device
    for info in work.node.infos("NodeInfo"):
        sheet = sheet_of(info.attributes)
        section = "/".join(filter(None, (work.node.section, sheet))) or None
        yield from planned_times(work.context.r, info, known, section)


def _phases(work: Work) -> Iterator[Phase]:
    r, context = work.context.r, work.context
    for at in work.node.audits():
        status = status_of(at.text("Status"))
        if at.name != "PhaseTime" or status is PhaseStatus.UNKNOWN:
            continue
        holders = [*at.all("Device"), *at.all("ModulePhase")]
        devices = (r.code(one, "DeviceID") for one in holders)
        found = phase(
            at,
            device_id=next(filter(None, devices), context.device),
            section=section_of(at, context.section),
            status=status,
            start=r.needed_instant(at, "Start"),
            end=r.needed_instant(at, "End"),
        )
        order = general(at, "ChangeOrderID")
        details = attribution_of(at.first("MISDetails"), context.attribution)
        made = _made(at, work)
        yield found.model_copy(
            update={
                "attribution": under(details, order),
                "good": made.actual_good,
                "waste": made.actual_waste,
            }
        )


def _made(at: Element, work: Work) -> Amounts:
    """What left the device in a phase: the component links in it."""
    context = replace(work.context, actual=True)
    return total(
        one
        for link in at.all("ComponentLink")
        for one in of_link(link, work.node.resources.get(link.text("rRef") or "", link), context)
        if one.output
    )
