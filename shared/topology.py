"""The map: every topic and every service, once; all else is derived or tested against it.

A topic's key is the smallest thing whose order matters, because a poisoned record blocks its key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.events import (
    accounting,
    billing,
    collections,
    delivery,
    disputes,
    masterdata,
    payments,
    production,
    sales,
)
from shared.events.base import Event

JOB: Final = "{legal_entity_id}/{job_id}"
INVOICE: Final = "{legal_entity_id}/{invoice_id}"
FOR_EVER_MS: Final = -1
WHOLE: Final = ""
"""The path of a value itself, where each of its fields is meant."""
KIB: Final = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class Topic:
    """One topic: its name, event, key, and the business key that makes its event unique.

    `key` is a template over fields of the value, each filled in percent-encoded. `revision` names
    the field by which a newer record supersedes an older dead letter. `tombstones`: a null value
    is an erasure. `personal` names the fields that are about people, or `WHOLE`: what is said of a
    record quotes none of them. `version` is the schema version written today. `later` names
    services that will read it in a later release: they neither subscribe nor have a dead-letter
    topic yet.
    """

    name: str
    event: type[Event]
    key: str
    key_why: str
    business_key: tuple[str, ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    partitions: int = 6
    retention_ms: int = FOR_EVER_MS
    cleanup_policy: Literal["delete", "compact"] = "delete"
    max_message_bytes: int = 1024 * KIB
    version: int = 1
    revision: str | None = None
    tombstones: bool = False
    personal: tuple[str, ...] = ()

    def dead_letters(self, service: str) -> str:
        """The name of the topic on which `service` publishes the dead letters of this one."""
        return f"{self.name}.{service}.dlq"

    def is_personal(self, path: str) -> bool:
        """Whether what stands at `path` is about people: buyer.address.city, or `WHOLE`."""
        return WHOLE in self.personal or path.partition(".")[0] in self.personal


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service: a process, a consumer group, a schema, a role and a port of the same name.

    `planned` services stand on the map, so that their topics have their final readers, but have no
    folder yet. `port` serves /metrics, /livez and /readyz; tools have none. `secrets` are the files
    of `COLOPHON_SECRETS_DIR` that it needs beside its role's own. `rereads` are topics of its own
    that it reads to check itself against.
    """

    name: str
    job: str
    port: int | None = None
    planned: bool = False
    secrets: tuple[str, ...] = ()
    rereads: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """Its role in the database and user in Kafka: what is its own, and nothing else."""
        return role_of(self.name)


def role_of(service: str) -> str:
    """The role of the service of this name."""
    return f"colophon_{service}"


SERVICES: Final = (
    Service(name="metrics_extractor", port=9101, job="what a job really used, and what it cost"),
    Service(name="pricer", port=9102, job="price, comparison with the estimate, billing path"),
    Service(name="approver", port=9103, planned=True, job="reviews decided"),
    Service(
        name="invoicer",
        port=9104,
        job="numbers, tax, due dates, documents",
        secrets=("payment_link_key",),
        rereads=("billing.invoice-issued.v1", "billing.credit-note-issued.v1"),
    ),
    Service(name="notifier", port=9105, job="documents and reminders delivered"),
    Service(
        name="payment_matcher", port=9106, planned=True, job="money received, invoices settled"
    ),
    Service(name="ledger_writer", port=9107, job="double-entry books; accounting told"),
    Service(name="dunning_scheduler", port=9108, job="when to remind, escalate, stop"),
    Service(name="reporter", port=9109, planned=True, job="read models and reports"),
    Service(name="ingest", job="job files and JSON in"),
    Service(name="simulator", job="a print shop's work, deterministic"),
    Service(name="auditor", job="verify and status, with arithmetic of its own"),
)

_FLOOR = ("MES", "ingest", "simulator")
_OFFICE = ("ERP/CRM", "ingest", "simulator")


def _master(
    name: str,
    event: type[Event],
    key: str,
    consumers: tuple[str, ...],
    *,
    versioned_by: str,
    personal: tuple[str, ...] = (),
) -> Topic:
    fields = tuple(part.strip("{}") for part in key.replace("@", "/").split("/"))
    return Topic(
        name=f"masterdata.{name}.v1",
        event=event,
        key=key,
        key_why=f"one immutable version of one {versioned_by}",
        business_key=fields,
        producers=_OFFICE,
        consumers=consumers,
        partitions=2,
        cleanup_policy="compact",
        personal=personal,
    )


TOPICS: Final = (
    Topic(
        name="production.usage-reported.v1",
        event=production.UsageReported,
        key=JOB,
        key_why="running totals of one job follow each other",
        business_key=("legal_entity_id", "sender_id", "message_id"),
        producers=_FLOOR,
        consumers=("metrics_extractor",),
    ),
    Topic(
        name="production.quality-decided.v1",
        event=production.QualityDecided,
        key=JOB,
        key_why="the later decision on a job holds",
        business_key=("legal_entity_id", "sender_id", "message_id"),
        producers=_FLOOR,
        consumers=("metrics_extractor",),
    ),
    Topic(
        name="production.job-completed.v1",
        event=production.JobCompleted,
        key=JOB,
        key_why="revisions of a job rise in order",
        business_key=("legal_entity_id", "job_id", "revision"),
        producers=_FLOOR,
        consumers=("metrics_extractor",),
        max_message_bytes=4096 * KIB,
        revision="revision",
    ),
    Topic(
        name="sales.estimate-accepted.v1",
        event=sales.EstimateAccepted,
        key=JOB,
        key_why="one estimate holds for a job",
        business_key=("legal_entity_id", "estimate_id", "job_id"),
        producers=("MES/MIS", "ingest", "simulator"),
        consumers=("pricer",),
    ),
    _master(
        "legal-entity",
        masterdata.LegalEntity,
        "{legal_entity_id}@{version}",
        ("metrics_extractor", "invoicer"),
        versioned_by="legal entity",
    ),
    _master(
        "customer",
        masterdata.Customer,
        "{customer_id}@{version}",
        ("pricer", "invoicer", "notifier"),
        versioned_by="customer",
        personal=(WHOLE,),
    ),
    _master(
        "agreement",
        masterdata.Agreement,
        "{legal_entity_id}/{agreement_id}@{version}",
        ("pricer",),
        versioned_by="agreement",
    ),
    _master(
        "rate-card",
        masterdata.RateCard,
        "{legal_entity_id}/{rate_card_id}@{version}",
        ("pricer",),
        versioned_by="rate card",
    ),
    _master(
        "cost-rate",
        masterdata.CostRate,
        "{legal_entity_id}/{cost_rate_id}@{version}",
        ("metrics_extractor",),
        versioned_by="set of cost rates",
    ),
    _master(
        "tax-rule",
        masterdata.TaxRule,
        "{tax_rule_id}@{version}",
        ("invoicer",),
        versioned_by="tax rule",
    ),
    _master(
        "approval-policy",
        masterdata.ApprovalPolicy,
        "{legal_entity_id}/{policy_id}@{version}",
        ("approver",),
        versioned_by="approval policy",
    ),
    Topic(
        name="masterdata.contact.v1",
        event=masterdata.Contact,
        key="{contact_id}",
        key_why="the newest revision holds; a tombstone erases the person",
        business_key=("contact_id", "revision"),
        producers=_OFFICE,
        consumers=("notifier",),
        later=("invoicer",),
        partitions=2,
        cleanup_policy="compact",
        revision="revision",
        tombstones=True,
        personal=(WHOLE,),
    ),
    Topic(
        name="production.metrics-extracted.v1",
        event=production.MetricsExtracted,
        key=JOB,
        key_why="revisions of a job rise in order",
        business_key=("legal_entity_id", "job_id", "revision"),
        producers=("metrics_extractor",),
        consumers=("pricer", "reporter"),
        max_message_bytes=4096 * KIB,
        revision="revision",
    ),
    Topic(
        name="billing.job-priced.v1",
        event=billing.JobPriced,
        key=JOB,
        key_why="pricings of a job replace each other in order",
        business_key=("legal_entity_id", "job_id", "revision", "pricing_no"),
        producers=("pricer",),
        consumers=("invoicer", "reporter"),
        max_message_bytes=4096 * KIB,
        revision="pricing_no",
    ),
    Topic(
        name="billing.review-requested.v1",
        event=billing.ReviewRequested,
        key="{legal_entity_id}/{subject_id}",
        key_why="versions of a subject rise in order",
        business_key=("legal_entity_id", "subject_kind", "subject_id", "subject_version"),
        producers=("pricer", "invoicer"),
        consumers=("approver", "reporter"),
    ),
    Topic(
        name="billing.review-decided.v1",
        event=billing.ReviewDecided,
        key="{legal_entity_id}/{subject_id}",
        key_why="decisions on a subject follow each other",
        business_key=("legal_entity_id", "subject_kind", "subject_id", "decision_id"),
        producers=("approver",),
        consumers=("reporter",),
        later=("pricer", "invoicer", "ledger_writer"),
    ),
    Topic(
        name="billing.invoice-issued.v1",
        event=billing.InvoiceIssued,
        key=INVOICE,
        key_why="an invoice's story is told in order",
        business_key=("legal_entity_id", "invoice_id"),
        producers=("invoicer",),
        consumers=(
            "notifier",
            "ledger_writer",
            "dunning_scheduler",
            "payment_matcher",
            "reporter",
        ),
        max_message_bytes=4096 * KIB,
        personal=("buyer",),
    ),
    Topic(
        name="billing.credit-note-issued.v1",
        event=billing.CreditNoteIssued,
        key=INVOICE,
        key_why="it changes the story of the original invoice",
        business_key=("legal_entity_id", "credit_note_id"),
        producers=("invoicer",),
        consumers=(
            "notifier",
            "ledger_writer",
            "dunning_scheduler",
            "payment_matcher",
            "reporter",
        ),
        max_message_bytes=4096 * KIB,
        personal=("buyer",),
    ),
    Topic(
        name="billing.document-rendered.v1",
        event=billing.DocumentRendered,
        key=INVOICE,
        key_why="an invoice's documents follow it",
        business_key=("legal_entity_id", "invoice_id", "document_kind"),
        producers=("invoicer",),
        consumers=("notifier", "reporter"),
    ),
    Topic(
        name="delivery.document-delivered.v1",
        event=delivery.DocumentDelivered,
        key=INVOICE,
        key_why="attempts to deliver an invoice follow each other",
        business_key=("legal_entity_id", "message_id"),
        producers=("notifier",),
        consumers=("dunning_scheduler", "reporter"),
    ),
    Topic(
        name="delivery.document-failed.v1",
        event=delivery.DocumentFailed,
        key=INVOICE,
        key_why="attempts to deliver an invoice follow each other",
        business_key=("legal_entity_id", "message_id", "attempts"),
        producers=("notifier",),
        consumers=("dunning_scheduler", "reporter"),
    ),
    Topic(
        name="payments.payment-received.v1",
        event=payments.PaymentReceived,
        key="{legal_entity_id}/{payment_id}",
        key_why="a payment and its reversal keep their order",
        business_key=("legal_entity_id", "payment_id"),
        producers=("gateway", "ingest"),
        consumers=("payment_matcher",),
        later=("ledger_writer",),
        personal=("payer_name",),
    ),
    Topic(
        name="payments.payment-applied.v1",
        event=payments.PaymentApplied,
        key=INVOICE,
        key_why="applications to an invoice follow each other",
        business_key=("legal_entity_id", "payment_id", "invoice_id", "application_no"),
        producers=("payment_matcher", "ingest"),
        consumers=("ledger_writer", "dunning_scheduler", "notifier", "reporter"),
    ),
    Topic(
        name="collections.reminder-due.v1",
        event=collections.ReminderDue,
        key=INVOICE,
        key_why="stages of an invoice follow each other",
        business_key=("legal_entity_id", "invoice_id", "stage"),
        producers=("dunning_scheduler",),
        consumers=("notifier", "reporter"),
    ),
    Topic(
        name="disputes.dispute-opened.v1",
        event=disputes.DisputeOpened,
        key=INVOICE,
        key_why="a dispute opens before it is resolved",
        business_key=("legal_entity_id", "dispute_id"),
        producers=("gateway", "ingest"),
        consumers=("dunning_scheduler", "notifier", "reporter"),
        later=("invoicer",),
    ),
    Topic(
        name="disputes.dispute-resolved.v1",
        event=disputes.DisputeResolved,
        key=INVOICE,
        key_why="a dispute opens before it is resolved",
        business_key=("legal_entity_id", "dispute_id"),
        producers=("gateway", "ingest"),
        consumers=("dunning_scheduler", "notifier", "reporter"),
        later=("invoicer",),
    ),
    Topic(
        name="accounting.invoice-posted.v1",
        event=accounting.InvoicePosted,
        key=INVOICE,
        key_why="an invoice is posted before its credit note",
        business_key=("legal_entity_id", "document_id"),
        producers=("ledger_writer",),
        consumers=("accounting", "reporter"),
        personal=("customer_name", "customer_vat_id"),
    ),
    Topic(
        name="accounting.entry-posted.v1",
        event=accounting.EntryPosted,
        key="{legal_entity_id}/{entry_id}",
        key_why="entries are independent; their sequence orders them",
        business_key=("legal_entity_id", "entry_id"),
        producers=("ledger_writer",),
        consumers=("reporter",),
    ),
)

BY_NAME: Final[Mapping[str, Topic]] = {topic.name: topic for topic in TOPICS}
BY_EVENT: Final[Mapping[type[Event], Topic]] = {topic.event: topic for topic in TOPICS}
SERVICE: Final[Mapping[str, Service]] = {service.name: service for service in SERVICES}


def built() -> tuple[Service, ...]:
    """The services that have a folder today, tools included."""
    return tuple(service for service in SERVICES if not service.planned)


def consumers() -> tuple[Service, ...]:
    """The services that consume topics today, in the order of the pipeline."""
    return tuple(service for service in built() if service.port)


def consumed_by(service: str) -> tuple[Topic, ...]:
    """The topics `service` reads."""
    return tuple(topic for topic in TOPICS if service in topic.consumers)


def produced_by(service: str) -> tuple[Topic, ...]:
    """The topics `service` writes."""
    return tuple(topic for topic in TOPICS if service in topic.producers)


def dead_letter_topics() -> Mapping[str, Topic]:
    """Every dead-letter topic by name, with the topic whose records it holds."""
    return {
        topic.dead_letters(service.name): topic
        for service in consumers()
        for topic in consumed_by(service.name)
    }
