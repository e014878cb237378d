"""What the runtime's tables say to the people on call: depths and ages, by state."""

from sqlalchemy import Connection, text

from shared import metrics

_HELD = text(
    "SELECT state, coalesce(fact_kind, '') AS fact, count(*) AS records,"
    " extract(epoch FROM now() - min(coalesce(first_failed_at, held_at))) AS age_s"
    " FROM held_record WHERE state IN ('waiting', 'dead', 'parked') GROUP BY 1, 2"
)
_KEYS = text("SELECT count(*) FROM held_key")
_OUTBOX = text(
    "SELECT count(*) AS depth, count(*) FILTER (WHERE quarantined IS NOT NULL) AS quarantined,"
    " coalesce(extract(epoch FROM now() - min(created_at)), 0) AS age_s FROM outbox"
)


def show(connection: Connection, service: str) -> None:
    """Set the gauges of held records and of the outbox."""
    rows = connection.execute(_HELD).all()
    for state in ("waiting", "dead", "parked"):
        count = sum(row.records for row in rows if row.state == state)
        metrics.DLQ_DEPTH.labels(service, state).set(count)
    metrics.WAITING_EVENTS.clear()
    for row in rows:
        if row.state == "waiting":
            metrics.WAITING_EVENTS.labels(service, row.fact).set(row.records)
    ages = {
        state: [float(r.age_s) for r in rows if r.state == state] for state in ("waiting", "dead")
    }
    metrics.WAITING_OLDEST_AGE.labels(service).set(max(ages["waiting"], default=0.0))
    metrics.DLQ_OLDEST_AGE.labels(service).set(max(ages["dead"], default=0.0))
    metrics.DLQ_PARKED_KEYS.labels(service).set(connection.execute(_KEYS).scalar_one())
    box = connection.execute(_OUTBOX).one()
    metrics.OUTBOX_DEPTH.labels(service).set(box.depth)
    metrics.OUTBOX_OLDEST_AGE.labels(service).set(float(box.age_s))
    metrics.OUTBOX_QUARANTINED.labels(service).set(box.quarantined)
