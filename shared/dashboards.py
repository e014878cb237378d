"""The Grafana dashboards, made from the map and one template, so that no two services' can drift.

`python -m shared.generate` writes them to deploy/grafana/dashboards. A panel's description is the
meaning that its metrics have in `shared.metrics`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.metrics import REGISTRY
from shared.topology import consumers

DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
WIDTH: Final = 24
HEIGHT: Final = 7
STAT_HEIGHT: Final = 4
RATE: Final = "$__rate_interval"

Query = tuple[str, str]
"""A PromQL expression and the legend of its series."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel. `kind` is Grafana's: timeseries, or stat for the figure of now.

    A stat is red from `red_from` on, or below `red_below`.
    """

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    red_from: float | None = None
    red_below: float | None = None


@dataclass(frozen=True)
class Row:
    """A headline and the panels under it."""

    title: str
    panels: tuple[Panel, ...]


def dashboards() -> Iterator[tuple[str, str]]:
    """File name and JSON of every dashboard."""
    yield "overview.json", _dashboard("overview", "Colophon: overview", _overview())
    yield "held-records.json", _dashboard("held", "Colophon: dead letters and waiting", _held())
    yield "business.json", _dashboard("business", "Colophon: business", _business())
    for service in consumers():
        file, title = f"service-{service.name}.json", f"Colophon: {service.name}"
        yield file, _dashboard(service.name.replace("_", "-"), title, _service(service.name))


# ---------------------------------------------------------------- what is shown


def _stat(
    title: str,
    expr: str,
    unit: str = "short",
    *,
    red_from: float | None = None,
    red_below: float | None = None,
) -> Panel:
    return Panel(
        title=title,
        queries=((expr, ""),),
        unit=unit,
        kind="stat",
        width=4,
        red_from=red_from,
        red_below=red_below,
    )


def _quantiles(metric: str, where: str = "", by: str = "") -> tuple[Query, ...]:
    """The median and the 99th percentile of a histogram, by one label or none."""
    labels, legend = (f"le, {by}", f" {_legend(by)}") if by else ("le", "")
    return tuple(
        (
            f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{where}[{RATE}])))",
            f"p{q[2:]}{legend}",
        )
        for q in ("0.5", "0.99")
    )


def _per_second(metric: str, where: str, by: str) -> Query:
    return f"sum by ({by}) (rate({metric}{where}[{RATE}]))", _legend(by)


def _legend(by: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by.split(", "))


def _overview() -> tuple[Row, ...]:
    late = "colophon:posting_late:ratio"
    return (
        Row("Objectives, 30 days", (
            _stat("Hops in time (99 %)", f"1 - {late}30d", "percentunit", red_below=0.99),
            _stat("Error budget left: posting", "colophon:posting_budget_left:ratio30d",
                  "percentunit", red_below=0.1),
            _stat("Error budget left: readiness", "min(colophon:ready_budget_left:ratio30d)",
                  "percentunit", red_below=0.1),
            _stat("Services ready now", "sum(colophon:service_ready:max)",
                  red_below=len(consumers())),
            _stat("Oldest open dead letter", "max(colophon_dlq_oldest_age_seconds)", "s",
                  red_from=86_400),
            _stat("Ledger off balance", "max(abs(colophon_ledger_imbalance))", red_from=0.000001),
        )),
        Row("Alerts and budgets", (
            Panel(title="Alerts firing", queries=((
                'count by (alertname, severity) (ALERTS{alertstate="firing"})',
                "{{severity}} {{alertname}}"),)),
            Panel(title="Late hops (the objective allows 1 %)", unit="percentunit", queries=(
                (f"{late}5m", "5 minutes"), (f"{late}1h", "1 hour"), (f"{late}6h", "6 hours"))),
            Panel(title="Readiness by service", unit="percentunit", queries=((
                "avg by (service) (avg_over_time(colophon:service_ready:max[1h]))",
                "{{service}}"),)),
        )),
        Row("Flow", (
            Panel(title="Records applied", unit="ops", queries=(
                _per_second("colophon_consumer_records_total", '{result="applied"}', "service"),)),
            Panel(title="Event to effect, 99th percentile", unit="s",
                  queries=_quantiles("colophon_end_to_end_latency_seconds", by="service")[1:]),
            Panel(title="Lag", queries=((
                "sum by (service) (colophon_consumer_lag_records)", "{{service}}"),)),
            Panel(title="Not yet published", queries=((
                "max by (service) (colophon_outbox_depth)", "{{service}}"),)),
            Panel(title="Open dead letters", queries=((
                'max by (service) (colophon_dlq_depth{status="dead"})', "{{service}}"),)),
            Panel(title="Tried again", unit="ops", queries=(
                _per_second("colophon_consumer_retries_total", "", "service, reason"),)),
        )),
    )  # fmt: skip


@dataclass(frozen=True)
class _Of:
    """Queries over the metrics of one service."""

    service: str

    @property
    def where(self) -> str:
        return f'{{service="{self.service}"}}'

    def gauge(self, metric: str, by: str = "", join: str = "max") -> tuple[Query, ...]:
        labels = f" by ({by})" if by else ""
        legend = _legend(by) if by else metric.removeprefix("colophon_")
        return ((f"{join}{labels} ({metric}{self.where})", legend),)

    def rate(self, metric: str, by: str = "") -> tuple[Query, ...]:
        if by:
            return (_per_second(metric, self.where, by),)
        legend = metric.removeprefix("colophon_")
        return ((f"sum(rate({metric}{self.where}[{RATE}]))", legend),)


def _service(name: str) -> tuple[Row, ...]:
    of = _Of(name)
    here, gauge, rate = of.where, of.gauge, of.rate
    own = tuple(panel for service, panel in _BUSINESS if service == name)
    return (
        Row("Health", (
            Panel(title="Checks of /readyz", queries=gauge("colophon_ready", "check", "min")),
            Panel(title="Since the last commit", unit="s", queries=((
                f"time() - max(colophon_consumer_last_progress_timestamp_seconds{here})",
                "seconds"),)),
            Panel(title="Breaker (0 closed, 1 half-open, 2 open)",
                  queries=gauge("colophon_dlq_breaker_state")),
        )),
        Row("Consumer", (
            Panel(title="Records by fate", unit="ops",
                  queries=rate("colophon_consumer_records_total", "result")),
            Panel(title="Lag, records",
                  queries=gauge("colophon_consumer_lag_records", "topic", "sum")),
            Panel(title="Lag, seconds", unit="s",
                  queries=gauge("colophon_consumer_lag_seconds", "topic")),
            Panel(title="Event to effect", unit="s",
                  queries=_quantiles("colophon_end_to_end_latency_seconds", here, "topic")),
            Panel(title="Batch duration", unit="s",
                  queries=_quantiles("colophon_consumer_batch_duration_seconds", here)),
            Panel(title="Batch size", queries=_quantiles("colophon_consumer_batch_size", here)),
            Panel(title="Tried again", unit="ops",
                  queries=rate("colophon_consumer_retries_total", "reason")),
            Panel(title="Partitions held back",
                  queries=gauge("colophon_consumer_paused_partitions", "reason", "sum")),
            Panel(title="Rebalances, partitions fenced, halves tried", unit="ops", queries=(
                *rate("colophon_consumer_rebalances_total", "type"),
                *rate("colophon_consumer_fenced_total"),
                *rate("colophon_consumer_bisect_attempts_total"))),
        )),
        Row("Held records", (
            Panel(title="Held records", queries=gauge("colophon_dlq_depth", "status")),
            Panel(title="Waiting, by fact", queries=gauge("colophon_waiting_events", "for")),
            Panel(title="Oldest", unit="s", queries=(
                *gauge("colophon_dlq_oldest_age_seconds"),
                *gauge("colophon_waiting_oldest_age_seconds"))),
        )),
        Row("Outbox and database", (
            Panel(title="Outbox", queries=(
                *gauge("colophon_outbox_depth"), *gauge("colophon_outbox_quarantined_rows"),
                *gauge("colophon_outbox_relay_is_leader", join="sum"))),
            Panel(title="Oldest unpublished record", unit="s",
                  queries=gauge("colophon_outbox_oldest_age_seconds")),
            Panel(title="Commit to publication", unit="s",
                  queries=_quantiles("colophon_outbox_publish_latency_seconds", here)),
            Panel(title="Transactions", unit="s",
                  queries=_quantiles("colophon_db_transaction_seconds", here, "outcome")),
            Panel(title="Commits in doubt", unit="ops",
                  queries=rate("colophon_consumer_in_doubt_commits_total", "outcome")),
            Panel(title="Relays fenced", unit="ops",
                  queries=rate("colophon_outbox_relay_fenced_total")),
        )),
        *((Row("Its own figures", own),) if own else ()),
    )  # fmt: skip


def _held() -> tuple[Row, ...]:
    return (
        Row("Now", (
            _stat("Open dead letters",
                  'sum(max by (service) (colophon_dlq_depth{status="dead"}))', red_from=1),
            _stat("Parked behind one",
                  'sum(max by (service) (colophon_dlq_depth{status="parked"}))'),
            _stat("Waiting for a fact",
                  'sum(max by (service) (colophon_dlq_depth{status="waiting"}))'),
            _stat("Keys held", "sum(max by (service) (colophon_dlq_parked_keys))"),
            _stat("Oldest dead letter", "max(colophon_dlq_oldest_age_seconds)", "s",
                  red_from=86_400),
            _stat("Oldest waiting", "max(colophon_waiting_oldest_age_seconds)", "s",
                  red_from=86_400),
        )),
        Row("Dead letters", (
            Panel(title="Open, by service", queries=((
                'max by (service) (colophon_dlq_depth{status="dead"})', "{{service}}"),)),
            Panel(title="New, by reason (an hour)", queries=((
                "sum by (service, code) (increase(colophon_dlq_records_total[1h]))",
                "{{service}} {{code}}"),)),
            Panel(title="New, by stage (an hour)", queries=((
                "sum by (stage) (increase(colophon_dlq_records_total[1h]))", "{{stage}}"),)),
            Panel(title="Oldest, by service", unit="s", queries=((
                "max by (service) (colophon_dlq_oldest_age_seconds)", "{{service}}"),)),
            Panel(title="Taken up again, by what became of them", unit="ops", queries=(
                _per_second("colophon_dlq_replayed_total", "", "service, outcome"),)),
            Panel(title="Breaker", queries=((
                "max by (service) (colophon_dlq_breaker_state)", "{{service}}"),)),
        )),
        Row("Waiting and parked", (
            Panel(title="Waiting, by fact", queries=((
                "max by (service, for) (colophon_waiting_events)", "{{service}} {{for}}"),)),
            Panel(title="Oldest waiting", unit="s", queries=((
                "max by (service) (colophon_waiting_oldest_age_seconds)", "{{service}}"),)),
            Panel(title="Parked", queries=((
                'max by (service) (colophon_dlq_depth{status="parked"})', "{{service}}"),)),
        )),
    )  # fmt: skip


def _business() -> tuple[Row, ...]:
    return (Row("From job to money", tuple(panel for _, panel in _BUSINESS)),)


def _hourly(metric: str, by: str) -> tuple[Query, ...]:
    return ((f"sum by ({by}) (increase({metric}[1h]))", _legend(by)),)


_BUSINESS: Final[tuple[tuple[str, Panel], ...]] = (
    ("invoicer", Panel(title="From job to invoice", unit="s",
        queries=_quantiles("colophon_job_completed_to_invoice_seconds"))),
    ("pricer", Panel(title="Prices by path (an hour)",
        queries=_hourly("colophon_jobs_priced_total", "path"))),
    ("invoicer", Panel(title="Invoices by path (an hour)",
        queries=_hourly("colophon_invoices_issued_total", "path"))),
    ("pricer", Panel(title="Actual over estimate", unit="percentunit",
        queries=_quantiles("colophon_variance_ratio"))),
    ("metrics_extractor", Panel(title="Completed, not yet extracted", queries=((
        'max by (state) (colophon_jobs_unbilled{service="metrics_extractor"})', "{{state}}"),))),
    ("invoicer", Panel(title="Extracted, not yet invoiced", queries=((
        'max by (state) (colophon_jobs_unbilled{service="invoicer"})', "{{state}}"),))),
    ("invoicer", Panel(title="Documents (an hour)",
        queries=_hourly("colophon_documents_total", "outcome"))),
    ("notifier", Panel(title="Deliveries (an hour)", queries=((
        "sum by (channel, outcome) (increase(colophon_deliveries_total[1h]))",
        "{{channel}} {{outcome}}"),))),
    ("notifier", Panel(title="Mails sent twice for want of an answer (an hour)", queries=((
        "sum(increase(colophon_mail_ambiguous_total[1h]))", "mails"),))),
    ("ledger_writer", Panel(title="Open receivables", queries=((
        "max by (currency) (colophon_open_amount)", "{{currency}}"),))),
    ("ledger_writer", Panel(title="Overdue receivables", queries=((
        "max by (currency) (colophon_overdue_amount)", "{{currency}}"),))),
    ("ledger_writer", Panel(title="Ledger: debits minus credits", queries=((
        "max by (currency) (colophon_ledger_imbalance)", "{{currency}}"),))),
    ("dunning_scheduler", Panel(title="Reminders by stage (an hour)",
        queries=_hourly("colophon_reminders_total", "stage"))),
)  # fmt: skip


# ---------------------------------------------------------------- Grafana's JSON


def _dashboard(uid: str, title: str, rows: Sequence[Row]) -> str:
    shown = {
        "uid": f"colophon-{uid}",
        "title": title,
        "tags": ["colophon"],
        "schemaVersion": 41,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [
            {"type": "dashboards", "title": "Colophon", "tags": ["colophon"], "asDropdown": True}
        ],
        "panels": list(_laid_out(rows)),
    }
    return json.dumps(shown, indent=2) + "\n"


def _laid_out(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Rows from the top, their panels from the left, in lines of 24 columns."""
    number, top = 0, 0
    for row in rows:
        number += 1
        at = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        yield {"id": number, "type": "row", "title": row.title, "gridPos": at, "panels": []}
        top, left = top + 1, 0
        for panel in row.panels:
            height = STAT_HEIGHT if panel.kind == "stat" else HEIGHT
            if left + panel.width > WIDTH:
                top, left = top + height, 0
            number += 1
            at = {"x": left, "y": top, "w": panel.width, "h": height}
            yield {"id": number, "gridPos": at, **_panel(panel)}
            left += panel.width
        top += STAT_HEIGHT if row.panels[-1].kind == "stat" else HEIGHT


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": _meaning(panel),
        "datasource": DATASOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": _thresholds(panel)},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + place), "expr": expr, "legendFormat": legend or "__auto"}
            for place, (expr, legend) in enumerate(panel.queries)
        ],
    }


def _thresholds(panel: Panel) -> dict[str, Any]:
    first, later, limit = "green", "red", panel.red_from
    if panel.red_below is not None:
        first, later, limit = "red", "green", panel.red_below
    steps: list[dict[str, Any]] = [{"color": first, "value": None}]
    if limit is not None:
        steps.append({"color": later, "value": limit})
    return {"mode": "absolute", "steps": steps}


def _meaning(panel: Panel) -> str:
    meanings = {family.name: family.documentation for family in REGISTRY.collect()}
    series = [name for expr, _ in panel.queries for name in re.findall(r"colophon_\w+", expr)]
    names = [re.sub(r"_(total|bucket|count|sum)$", "", name) for name in series]
    return " ".join(dict.fromkeys(meanings[name] for name in names if name in meanings))
