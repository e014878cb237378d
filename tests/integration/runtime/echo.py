"""A small service to try the runtime on: it decides reviews, as told by the reasons' codes.

It runs under the name and role of the approver, which has no folder yet.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import CheckConstraint, Column, Connection, Integer, MetaData, Table, Text

from shared.errors import Rejected, WaitFor
from shared.events.base import Event
from shared.events.billing import Reason, ReviewDecided, ReviewRequested
from shared.events.masterdata import ApprovalPolicy
from shared.events.production import Component
from shared.events.sales import EstimateComponent
from shared.runtime.service import Fact, ServiceSpec
from shared.store import Store

METADATA = MetaData()
SUBJECT = Table(
    "subject",
    METADATA,
    Column("subject_id", Text, primary_key=True),
    Column("versions", Text, nullable=False),
    Column("total", Integer, nullable=False),
    CheckConstraint("total < 1000000", name="total_small"),
)
POLICY = Table("policy", METADATA, Column("policy_id", Text, primary_key=True))
REQUESTED: Final = "billing.review-requested.v1"
DECIDED: Final = "billing.review-decided.v1"
POLICIES: Final = "masterdata.approval-policy.v1"
AT: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)


@dataclass(frozen=True)
class SubjectRow:
    """The versions of a subject in the order of their effect."""

    subject_id: str
    versions: str
    total: int


@dataclass(frozen=True)
class PolicyRow:
    """A policy that is known."""

    policy_id: str


class EchoStore(Store):
    """Subjects and policies."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.subjects = self.rows(SUBJECT, SubjectRow)
        self.policies = self.rows(POLICY, PolicyRow)

    def prefetch(self, events: Sequence[Event]) -> None:
        """Two statements."""
        requested = [event for event in events if isinstance(event, ReviewRequested)]
        policies = [event.policy_id for event in events if isinstance(event, ApprovalPolicy)]
        policies += [r.text for event in requested for r in event.reasons if r.code == "wait"]
        self.subjects.load(self.connection, ((event.subject_id,) for event in requested))
        self.policies.load(self.connection, ((policy_id,) for policy_id in policies))


def on_requested(event: ReviewRequested, store: EchoStore, now: datetime) -> Iterable[Event]:
    """Count the version, and decide; the reasons say what shall go wrong."""
    before = store.subjects.get(event.subject_id) or SubjectRow(event.subject_id, "", 0)
    total = before.total + int(event.net_total)
    store.subjects.put(
        replace(before, versions=f"{before.versions}{event.subject_version},", total=total)
    )
    for reason in event.reasons:
        _misbehave(reason, store)
    return [
        ReviewDecided(
            legal_entity_id=event.legal_entity_id,
            subject_kind=event.subject_kind,
            subject_id=event.subject_id,
            subject_version=event.subject_version,
            decision_id=str(event.subject_version),
            decided_at=now,
            decided_by="echo",
            approved=True,
        )
    ]


def _misbehave(reason: Reason, store: EchoStore) -> None:
    if reason.code == "reject":
        raise Rejected("echo-refused", "the reason says so", text=reason.text)
    if reason.code == "bug":
        msg = "a bug in the handler"
        raise ZeroDivisionError(msg)
    if reason.code == "wait" and store.policies.get(reason.text) is None:
        raise WaitFor("policy", reason.text)
    if reason.code == "grow":
        EstimateComponent(component=Component.INK, net=Decimal(10) ** 20)
    if reason.code == "age":
        AT.replace(year=9999) + timedelta(days=366)
    if reason.code == "round":
        (Decimal(10) ** 99).quantize(Decimal("0.01"))
    if reason.code == "divide":
        Decimal(0) / Decimal(0)
    if reason.code == "convert":
        Decimal("no figure")
    while reason.code == "hang":
        time.monotonic()


def on_policy(event: ApprovalPolicy, store: EchoStore, now: datetime) -> Iterable[Event]:
    """Know the policy."""
    del now
    store.policies.put(PolicyRow(event.policy_id))
    return []


SPEC: Final = ServiceSpec(
    name="approver",
    metadata=METADATA,
    store=EchoStore,
    handlers={ReviewRequested: on_requested, ApprovalPolicy: on_policy},
    facts={ApprovalPolicy: lambda event: (Fact("policy", event.policy_id),)},
    wait_limit=timedelta(days=3),
)


def request(
    subject: str, version: int, *reasons: str, total: int = 1, note: str = ""
) -> ReviewRequested:
    """A request; each reason is "code" or "code:text"."""
    pairs = [reason.partition(":") for reason in reasons]
    return ReviewRequested(
        legal_entity_id="DE01",
        subject_kind="price",
        subject_id=subject,
        subject_version=version,
        requested_at=AT,
        requested_by=note or "test",
        reasons=tuple(Reason(code=code, text=text) for code, _, text in pairs),
        currency="EUR",
        net_total=Decimal(total),
    )


def policy(policy_id: str) -> ApprovalPolicy:
    """A policy that a request may wait for."""
    return ApprovalPolicy(
        legal_entity_id="DE01",
        policy_id=policy_id,
        version=1,
        valid_from=AT.date(),
        recorded_at=AT,
        subject_kind="price",
        base="net",
        currency="EUR",
        above=Decimal(1000),
        role="manager",
        deadline_hours=24,
    )
