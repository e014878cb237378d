"""JMF and XJMF: what devices tell while they work, one usage report for each message and job.

A message is known by its id and time together: devices number their messages anew.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from services.ingest.domain.context import Context
from services.ingest.domain.devices import counter_of, distinct, job_phase
from services.ingest.domain.element import Element
from services.ingest.domain.jdf_statements import of_amounts, partition
from services.ingest.domain.outcome import Found
from services.ingest.domain.parts import common_part
from services.ingest.domain.reader import ID_MAX, Reader
from services.ingest.domain.statement import Statement
from services.ingest.domain.ticket import UNKNOWN_DEVICE, Usage, report_of, usage_of
from services.ingest.domain.words import NOTHING_SAID, attribution_of
from services.ingest.domain.xjdf_statements import statements_of_info
from shared.events.production import Counter, Phase, UsageReported
from shared.ids import cause_id

_TELLING: Final = ("Signal", "Response")
_NO_USE: Final = {"Allowed": "what it may use", "Present": "what lies ready"}
_JMF_PRODUCED: Final = ("PhaseAmount", "PhaseWaste")


@dataclass(frozen=True, slots=True)
class Message:
    """One message: whether it tells or asks, what about, who sent it, when and under which id."""

    at: Element
    verb: str
    subject: str
    sender: str
    time: datetime | None
    message_id: str | None
    context: Context


@dataclass(slots=True)
class Told:
    """What messages say of one job so far."""

    section: str | None
    statements: list[Statement] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)


@dataclass(slots=True)
class Hearing:
    """What one message says, by job, and why some of it is of no use here."""

    jobs: dict[str, Told] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def of(self, job_id: str, section: str | None) -> Told:
        """What is told of this job."""
        return self.jobs.setdefault(job_id, Told(section))


Statements = Callable[[Element, Context], Iterator[Statement]]


def read_jmf(root: Element, r: Reader) -> Found:
    """The events in a JMF."""
    return _found([_jmf(at, root, r) for at in root.children], r, _jmf_statements)


def read_xjmf(root: Element, r: Reader) -> Found:
    """The events in an XJMF."""
    messages = [_xjmf(at, root, r) for at in root.children if at.name != "Header"]
    return _found(messages, r, statements_of_info)


def _jmf(at: Element, root: Element, r: Reader) -> Message:
    sender = r.ident(at, "SenderID") or r.ident(root, "SenderID") or UNKNOWN_DEVICE
    time = r.instant(at, "Time") or r.instant(root, "TimeStamp")
    context = Context(r, None, sender[:64], read_at=time, produced=_JMF_PRODUCED)
    return Message(at, at.name, at.text("Type") or "", sender, time, r.ident(at, "ID"), context)


def _xjmf(at: Element, root: Element, r: Reader) -> Message:
    header = at.first("Header") or root.first("Header") or at
    sender = r.code(header, "DeviceID") or UNKNOWN_DEVICE
    verb = next((one for one in _TELLING if at.name.startswith(one)), at.name)
    time = r.instant(header, "Time")
    context = Context(r, None, sender, actual=True, read_at=time)
    subject = at.name.removeprefix(verb)
    return Message(at, verb, subject, sender, time, r.ident(header, "ID"), context)


def _found(messages: list[Message], r: Reader, read: Statements) -> Found:
    events: list[UsageReported] = []
    reasons: list[str] = []
    for message in messages:
        heard = _hear(message, read)
        reasons += [f"line {message.at.line}: {reason}" for reason in heard.reasons]
        events += _reports(message, heard.jobs, r)
    return Found(tuple(events), tuple(reasons) or (() if events else ("it holds no message",)))


def _hear(message: Message, read: Statements) -> Hearing:
    heard = Hearing()
    if message.verb not in _TELLING:
        heard.reasons.append(f"{message.at.name} asks or orders; it tells nothing")
    elif message.subject == "Status":
        _hear_status(message, heard)
    elif message.subject == "Resource":
        _hear_resources(message, read, heard)
    else:
        heard.reasons.append(f"{message.at.name} {message.subject} tells of no material or time")
    return heard


def _hear_status(message: Message, heard: Hearing) -> None:
    r = message.context.r
    for info in message.at.all("DeviceInfo"):
        named = info.first("Device") or info
        device = r.code(info, "DeviceID") or r.code(named, "DeviceID") or message.context.device
        phases = list(info.all("JobPhase"))
        if not phases:
            status = info.text("Status") or info.text("DeviceStatus")
            heard.reasons.append(f"device {device} is {status}; it names no job")
        for at in phases:
            job_id, part = r.ident(at, "JobID"), r.ident(at, "JobPartID")
            context = replace(message.context, device=device, section=part)
            phase = job_phase(at, info, context)
            reading = counter_of(info, context) if len(phases) == 1 else None
            if job_id is None:
                heard.reasons.append(f"a job phase of device {device} names no job")
            elif phase is None:
                heard.reasons.append(f"the job phase of {job_id} has no start or takes no time")
            else:
                told = heard.of(job_id, part)
                told.phases.append(phase)
                told.counters += [reading] if reading else []


def _hear_resources(message: Message, read: Statements, heard: Hearing) -> None:
    r = message.context.r
    asked = message.at.first("ResourceQuParams") or message.at
    for info in message.at.all("ResourceInfo"):
        job_id = r.ident(info, "JobID") or r.ident(asked, "JobID")
        part = r.ident(info, "JobPartID") or r.ident(asked, "JobPartID")
        scope = info.text("Scope") or asked.text("Scope") or ""
        if scope in _NO_USE:
            heard.reasons.append(f"@Scope {scope} is {_NO_USE[scope]}, not what a job used")
        elif job_id is None:
            heard.reasons.append("a resource info names no job")
        else:
            actual = message.context.actual and scope != "Estimate"
            context = replace(message.context, section=part, actual=actual)
            heard.of(job_id, part).statements += read(info, context)


def _jmf_statements(info: Element, context: Context) -> Iterator[Statement]:
    name = info.text("ResourceName") or ""
    resource = info.first(name) or Element(name)
    part = common_part(info)
    module = info.text("ModuleID")
    whole = Statement(
        at=info,
        name=name,
        traits={**partition(resource, part, context.r), **({"ModuleID": module} if module else {})},
        part=part,
        output=info.text("Usage") == "Output",
        unit=info.text("Unit") or resource.text("Unit"),
        section=context.section,
        attribution=attribution_of(info.first("MISDetails"), NOTHING_SAID),
        device=context.device,
        read_at=context.read_at,
    )
    yield from of_amounts(whole, resource, list(info.all("AmountPool", "PartAmount")), context)


def _reports(message: Message, jobs: Mapping[str, Told], r: Reader) -> Iterator[UsageReported]:
    for job_id, told in jobs.items():
        usage = usage_of(told.statements)
        usage = replace(
            usage,
            phases=distinct(told.phases),
            counters=(*usage.counters, *told.counters),
        )
        if usage == Usage():
            r.note(f"line {message.at.line}: no amount of a material for job {job_id}")
            continue
        if message.time is None:
            raise message.at.unreadable("the message has no time")
        report = report_of(
            r,
            job_id,
            usage,
            sender_id=message.sender,
            message_id="-",
            reported_at=message.time,
            section=told.section,
        )
        yield report.model_copy(update={"message_id": _id(message, report, alone=len(jobs) == 1)})


def _id(message: Message, report: UsageReported, *, alone: bool) -> str:
    """The sender's id with the time, and the job where the message tells of several.

    Without an id the content is what makes the message, so that the same one is known again.
    """
    content = report.model_dump_json(exclude={"message_id"}, exclude_defaults=True)
    derived = str(cause_id("ingest-message", content))
    if message.message_id is None:
        return derived
    told = f"{message.message_id}@{report.reported_at.isoformat()}"
    known = told if alone else f"{told}/{report.job_id}"
    return known if len(known) <= ID_MAX else derived
