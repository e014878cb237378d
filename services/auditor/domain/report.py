"""The outcome of `verify`: every rule with what it found, what became of the jobs, the totals."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from services.auditor.domain.facts import INVOICE, Document, JobKey
from services.auditor.domain.findings import Checked, Finding, Severity
from services.auditor.domain.jobs import Claim, Outcome

IN_FLIGHT_MAX_MS: Final = 15 * 60 * 1000
"""So long may an effect take while the pipeline works; what is missing longer is missing."""


class Turnover(NamedTuple):
    """Issued documents of one legal entity, kind and currency."""

    legal_entity_id: str
    kind: str
    currency: str
    documents: int
    net: Decimal
    tax: Decimal
    gross: Decimal


@dataclass(frozen=True)
class Report:
    """What was checked and found. `in_flight`: effects not there yet while the pipeline works."""

    checks: tuple[Checked, ...]
    outcomes: Mapping[Claim, int]
    turnover: tuple[Turnover, ...]
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    is_settled: bool
    in_flight: int = 0
    seconds: float = 0.0

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that make the books unsound."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything found, infos included."""
        return tuple(one for each in self.checks for one in each.findings)

    @property
    def is_sound(self) -> bool:
        """Whether every rule holds."""
        return not self.errors


def judged(
    checks: Iterable[Checked], *, is_settled: bool, now_ms: int
) -> tuple[tuple[Checked, ...], int]:
    """`checks` without what is only in flight, and how much that is.

    At rest nothing is in flight: whatever is missing is missing.
    """
    kept, in_flight = [], 0
    for one in checks:
        found = tuple(
            finding
            for finding in one.findings
            if is_settled
            or finding.cause_ms is None
            or now_ms - finding.cause_ms > IN_FLIGHT_MAX_MS
        )
        in_flight += len(one.findings) - len(found)
        kept.append(replace(one, findings=found))
    return tuple(kept), in_flight


def outcomes_of(claims: Mapping[JobKey, frozenset[Claim]]) -> Mapping[Claim, int]:
    """How many jobs came to which outcome, for which reason; lost are those without any."""
    counted: Counter[Claim] = Counter()
    for said in claims.values():
        counted[min(said, default=Claim(Outcome.LOST))] += 1
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def turnover_of(issued: Iterable[Document]) -> tuple[Turnover, ...]:
    """What was issued, by legal entity, kind and currency."""
    groups: defaultdict[tuple[str, str, str], list[Document]] = defaultdict(list)
    for one in issued:
        kind = "invoices" if one.document_type == INVOICE else "credit notes"
        groups[one.legal_entity_id, kind, one.currency].append(one)
    return tuple(
        Turnover(
            *group,
            len(members),
            sum((one.net_total for one in members), Decimal(0)),
            sum((one.tax_total for one in members), Decimal(0)),
            sum((one.gross_total for one in members), Decimal(0)),
        )
        for group, members in sorted(groups.items())
    )
