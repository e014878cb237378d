"""Job files made for the tests, and what they become."""

import re
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.ingest.domain.outcome import Failed, Nothing, Outcome, Produced
from services.ingest.handler import read_file
from shared.events.base import Event
from shared.events.production import JobCompleted, Resource, UsageReported

ENTITY = "DE01"
TIME = "2026-03-02T10:00:00+01:00"
TWO = 'xmlns="http://www.CIP4.org/JDFSchema_2_0"'
ONE = 'xmlns="http://www.CIP4.org/JDFSchema_1_1"'
RUN = (
    f'<AuditProcessRun><Header DeviceID="Press" ID="end" Time="{TIME}"/>'
    '<ProcessRun Start="2026-03-02T07:00:00+01:00" End="2026-03-02T09:55:00+01:00"'
    ' EndStatus="Completed"/></AuditProcessRun>'
)


def taken(text: str | bytes, source: str = "made", zone: str | None = None) -> Outcome:
    """What a file with this content becomes."""
    data = text if isinstance(text, bytes) else text.encode()
    time_zone = ZoneInfo(zone) if zone else None
    return read_file(data, legal_entity_id=ENTITY, time_zone=time_zone, source=source)


def produced(text: str | bytes, source: str = "made", zone: str | None = None) -> Produced:
    """The same, which must be events."""
    outcome = taken(text, source, zone)
    assert isinstance(outcome, Produced), outcome
    return outcome


def reason(text: str | bytes) -> str:
    """Why a file becomes nothing."""
    outcome = taken(text)
    assert isinstance(outcome, Nothing), outcome
    return outcome.reason


def fault(text: str | bytes, source: str = "made") -> str:
    """What is wrong with a file, in one line."""
    outcome = taken(text, source)
    assert isinstance(outcome, Failed), outcome
    return "; ".join(map(str, outcome.faults))


def report(text: str, zone: str | None = None) -> UsageReported:
    """The one usage report that a file becomes."""
    (event,) = produced(text, zone=zone).events
    assert isinstance(event, UsageReported)
    return event


def completed(text: str) -> JobCompleted:
    """The one completed job that a file becomes."""
    (event,) = produced(text).events
    assert isinstance(event, JobCompleted)
    return event


def figures(resource: Resource) -> tuple[str | None, ...]:
    """Planned good and waste, actual good and waste."""
    found = (
        resource.planned_good,
        resource.planned_waste,
        resource.actual_good,
        resource.actual_waste,
    )
    return tuple(None if one is None else f"{one:f}" for one in found)


def plain(value: Decimal | None) -> str | None:
    """A decimal as it is written."""
    return None if value is None else f"{value:f}"


def kinds(events: tuple[Event, ...]) -> list[str]:
    """The classes of events, in order."""
    return [type(event).__name__ for event in events]


def xjdf(body: str = "", audits: str = RUN, attributes: str = 'Types="Product"') -> str:
    """An XJDF of job J1 with these audits and this body."""
    pool = f"<AuditPool>{audits}</AuditPool>" if audits else ""
    return f'<XJDF {TWO} JobID="J1" {attributes}>{pool}{body}</XJDF>'


def resource_set(name: str, resources: str, usage: str = "Input", more: str = "") -> str:
    """A resource set of an XJDF."""
    return f'<ResourceSet Name="{name}" Usage="{usage}" {more}>{resources}</ResourceSet>'


def audited(rset: str, details: str = "", header: str = 'ID="r1"') -> str:
    """A resource audit of an XJDF."""
    return (
        f'<AuditResource><Header DeviceID="Press" {header} Time="{TIME}"/>'
        f"<ResourceInfo>{details}{rset}</ResourceInfo></AuditResource>"
    )


def amount(attributes: str, inner: str = "") -> str:
    """An amount pool with one amount, its attributes as in `Amount=5 Waste=1`."""
    quoted = re.sub(r"=(\S+)", r'="\1"', attributes)
    return f"<AmountPool><PartAmount {quoted}>{inner}</PartAmount></AmountPool>"


def xjmf(body: str, kind: str = "SignalResource", header: str = 'ID="s1"') -> str:
    """An XJMF with one message."""
    return (
        f'<XJMF {TWO}><Header DeviceID="MIS" Time="{TIME}"/><{kind}>'
        f'<Header DeviceID="Press" {header} Time="{TIME}"/>{body}</{kind}></XJMF>'
    )


def jmf(body: str, kind: str = "Resource", attributes: str = "") -> str:
    """A JMF with one signal."""
    return (
        f'<JMF {ONE} SenderID="MIS" TimeStamp="{TIME}" Version="1.6">'
        f'<Signal Type="{kind}" SenderID="Press" ID="s1" {attributes}>{body}</Signal></JMF>'
    )


def jdf(pool: str = "", links: str = "", audits: str = "", nodes: str = "", more: str = "") -> str:
    """A JDF of job J1 with these resources, links, audits and nodes below the root."""
    return (
        f'<JDF {ONE} Version="1.5" ID="n1" JobID="J1" {more or PRODUCT}>'
        f"<ResourcePool>{pool}</ResourcePool><ResourceLinkPool>{links}</ResourceLinkPool>"
        f"<AuditPool>{audits}</AuditPool>{nodes}</JDF>"
    )


LEAFLET = (
    '<ProductList><Product ID="P1" ExternalID="leaflet" IsRoot="true" Amount="1000"'
    ' ProductType="BusinessCard" DescriptiveName="Cards"/></ProductList>'
)
PRINTING = 'Types="ConventionalPrinting"'
PRODUCT = 'Type="Product" Status="Completed"'
ENDED = (
    f'<ProcessRun ID="e1" TimeStamp="{TIME}" Start="2026-03-02T07:00:00+01:00"'
    ' End="2026-03-02T09:55:00+01:00" EndStatus="Completed"/>'
)


def paper(inner: str, attributes: str = 'ExternalID="SILK"', media: str = "") -> str:
    """A media set of an XJDF."""
    return resource_set("Media", f"<Resource {attributes}>{inner}<Media {media}/></Resource>")


def output(inner: str, index: str = "0") -> str:
    """What left a process, in a component set of an XJDF."""
    resource = f"<Resource>{inner}<Component/></Resource>"
    return resource_set("Component", resource, "Output", f'CombinedProcessIndex="{index}"')


def status(attributes: str, inner: str = "", header: str = "") -> str:
    """An audited job phase."""
    return (
        f'<AuditStatus><Header DeviceID="Press" {header} Time="{TIME}"/>'
        f'<DeviceInfo Status="Production"><JobPhase JobID="J1" {attributes}>{inner}</JobPhase>'
        "</DeviceInfo></AuditStatus>"
    )


def drops(*amounts: str, reference: str = "P1") -> str:
    """One drop of the product for each of these amounts."""
    resources = "".join(
        f'<Resource><Part DropID="D{number}"/><DeliveryParams>'
        f'<DropItem ItemRef="{reference}" {one}/></DeliveryParams></Resource>'
        for number, one in enumerate(amounts, 1)
    )
    return resource_set("DeliveryParams", resources)


def contact(part: str, address: str, types: str = "Delivery") -> str:
    """A contact with an address."""
    inner = f'<Part {part}/><Contact ContactTypes="{types}"><Address {address}/></Contact>'
    return resource_set("Contact", f"<Resource>{inner}</Resource>")


def sheets(attributes: str, more: str = "", sheet: str = "S1") -> str:
    """Sheets that go into a process."""
    part = f'<Part SheetName="{sheet}"/>'
    return resource_set(
        "Component", f"<Resource>{amount(attributes)}{part}<Component {more}/></Resource>"
    )
