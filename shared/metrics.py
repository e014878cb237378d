"""Every metric this project exposes: its name, type, labels and meaning, once.

Labels are the service, topics and closed lists; the partition stands on gauges only. A test holds
the exposition of each service to this list.
"""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

REGISTRY: Final = CollectorRegistry()
disable_created_metrics()  # type: ignore[no-untyped-call]  # one name, one series

_SECONDS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.2,
    0.4,
    0.6,
    1.0,
    1.5,
    2.5,
    5.0,
    10.0,
    30.0,
    120.0,
    600.0,
)
_RECORDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(f"colophon_{name}", meaning, ("service", *labels), registry=REGISTRY)


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(f"colophon_{name}", meaning, ("service", *labels), registry=REGISTRY)


def _histogram(
    name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = _SECONDS
) -> Histogram:
    return Histogram(
        f"colophon_{name}", meaning, ("service", *labels), registry=REGISTRY, buckets=buckets
    )


READY = _gauge("ready", "1 where a check of /readyz holds, 0 where it does not.", "check")

# The consumer.
CONSUMER_LAG_RECORDS = _gauge(
    "consumer_lag_records", "Records not yet consumed.", "topic", "partition"
)
CONSUMER_LAG_SECONDS = _gauge(
    "consumer_lag_seconds",
    "Age of the last consumed record while there is lag.",
    "topic",
    "partition",
)
CONSUMER_RECORDS = _counter(
    "consumer_records_total", "Records by what became of them.", "topic", "result"
)
CONSUMER_BATCH_SIZE = _histogram("consumer_batch_size", "Records in a batch.", buckets=_RECORDS)
CONSUMER_BATCH_DURATION = _histogram(
    "consumer_batch_duration_seconds", "From the first record of a batch to its commit."
)
END_TO_END_LATENCY = _histogram(
    "end_to_end_latency_seconds", "Commit time minus the event's ce_time.", "topic"
)
CONSUMER_RETRIES = _counter("consumer_retries_total", "Batches tried again, by why.", "reason")
CONSUMER_BISECT_ATTEMPTS = _counter(
    "consumer_bisect_attempts_total", "Halves tried while tracing a refusal to its record."
)
CONSUMER_FENCED = _counter("consumer_fenced_total", "Partitions found to be another instance's.")
CONSUMER_IN_DOUBT_COMMITS = _counter(
    "consumer_in_doubt_commits_total",
    "Commits whose answer was lost, by what was found.",
    "outcome",
)
CONSUMER_REBALANCES = _counter(
    "consumer_rebalances_total", "Assignments, revocations and losses.", "type"
)
CONSUMER_PAUSED_PARTITIONS = _gauge(
    "consumer_paused_partitions", "Partitions this instance holds back, by why.", "reason"
)
CONSUMER_LAST_PROGRESS = _gauge(
    "consumer_last_progress_timestamp_seconds", "System time of the last commit."
)

# Dead letters and waiting.
DLQ_RECORDS = _counter("dlq_records_total", "Records dead-lettered.", "stage", "code")
DLQ_DEPTH = _gauge("dlq_depth", "Dead letters by status.", "status")
DLQ_OLDEST_AGE = _gauge("dlq_oldest_age_seconds", "Age of the oldest open dead letter.")
DLQ_PARKED_KEYS = _gauge("dlq_parked_keys", "Keys whose later records queue behind a head.")
DLQ_BREAKER_STATE = _gauge(
    "dlq_breaker_state", "0 closed, 1 half-open, 2 open: the worst of this instance's partitions."
)
DLQ_REPLAYED = _counter("dlq_replayed_total", "Dead letters taken up again.", "outcome")
WAITING_EVENTS = _gauge("waiting_events", "Records that wait, by the kind of fact.", "for")
WAITING_OLDEST_AGE = _gauge("waiting_oldest_age_seconds", "Age of the oldest waiting record.")

# The outbox and the database.
OUTBOX_DEPTH = _gauge("outbox_depth", "Records not yet published.")
OUTBOX_OLDEST_AGE = _gauge("outbox_oldest_age_seconds", "Age of the oldest unpublished record.")
OUTBOX_PUBLISH_LATENCY = _histogram(
    "outbox_publish_latency_seconds", "From a record's commit to its publication."
)
OUTBOX_RELAY_IS_LEADER = _gauge("outbox_relay_is_leader", "1 where this instance publishes.")
OUTBOX_RELAY_FENCED = _counter(
    "outbox_relay_fenced_total", "Publications refused because another relay had taken over."
)
OUTBOX_QUARANTINED = _gauge("outbox_quarantined_rows", "Records the broker refuses for their size.")
DB_TRANSACTION = _histogram("db_transaction_seconds", "Transactions by how they ended.", "outcome")

# Business.
JOB_TO_INVOICE = _histogram(
    "job_completed_to_invoice_seconds", "From completion of a job to its invoice.",
    buckets=(1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, 259200.0, 604800.0),
)  # fmt: skip
JOBS_PRICED = _counter("jobs_priced_total", "Prices by billing path.", "path")
INVOICES_ISSUED = _counter("invoices_issued_total", "Invoices by billing path.", "path")
VARIANCE_RATIO = _histogram(
    "variance_ratio", "Actual over estimate, total.",
    buckets=(0.5, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0),
)  # fmt: skip
OPEN_AMOUNT = _gauge("open_amount", "Receivables not yet settled.", "currency")
OVERDUE_AMOUNT = _gauge("overdue_amount", "Receivables past their due date.", "currency")
LEDGER_IMBALANCE = _gauge("ledger_imbalance", "Debits minus credits: must be 0.", "currency")
DOCUMENTS = _counter("documents_total", "Documents by what became of rendering them.", "outcome")
JOBS_UNBILLED = _gauge(
    "jobs_unbilled", "Completed jobs without an invoice, where they stand.", "state"
)
DELIVERIES = _counter(
    "deliveries_total", "Deliveries by channel and outcome.", "channel", "outcome"
)
MAIL_AMBIGUOUS = _counter(
    "mail_ambiguous_total", "Mails sent again because a crash hid the answer to the first."
)
REMINDERS = _counter("reminders_total", "Reminders decided, by stage.", "stage")
