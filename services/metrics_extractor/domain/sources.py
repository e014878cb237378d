"""Who says what about a job: the completed job first, then its reports, the newest first."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from services.metrics_extractor.domain.usage import Share
from shared.events.production import GangShare, JobCompleted, UsageReported
from shared.money import ZERO


class Source(NamedTuple):
    """One statement of facts; `section` is that of facts which name none.

    `shares` are the job's shares in the gang sheets that the statement is about, by the sheet's
    id, which is the section of the facts about it.
    """

    facts: JobCompleted | UsageReported
    sender: str
    section: str | None
    shares: Mapping[str, Share]

    def place(self, section: str | None) -> tuple[str | None, Share | None]:
        """The section that a fact of `section` is about, and the job's share in it, if shared."""
        section = section or self.section
        return section, self.shares.get(section) if section and self.shares else None


class Told:
    """Which statement is the first to tell something: the one that holds, sources being in order.

    What one statement tells of a thing in several parts adds up.
    """

    def __init__(self) -> None:
        self._by: dict[Hashable, int] = {}

    def holds(self, thing: Hashable, source: int) -> bool:
        """Whether source number `source` is the strongest that tells `thing`."""
        return self._by.setdefault(thing, source) == source


def sources_of(completed: JobCompleted, reports: Sequence[UsageReported]) -> Sequence[Source]:
    """The completed job and its `reports`, strongest first, in an order that no replay changes.

    What the completed job says of a gang sheet's shares holds for reports that say nothing of it.
    """
    newest_first = sorted(
        reports, key=lambda r: (r.reported_at, r.sender_id, r.message_id), reverse=True
    )
    shares = shares_of(completed.job_id, completed.gang_shares)
    sources = [Source(completed, "", None, shares)]
    for report in newest_first:
        own = shares_of(report.job_id, report.gang_shares)
        sources.append(Source(report, report.sender_id, report.section, {**shares, **own}))
    return sources


def shares_of(job_id: str, gang: Sequence[GangShare]) -> Mapping[str, Share]:
    """The share of `job_id` in each gang sheet, by sheet id; checked to be there beforehand."""
    shares = {}
    in_order = sorted(gang, key=attrgetter("sheet_id", "job_id"))
    for sheet_id, of_sheet in groupby(in_order, attrgetter("sheet_id")):
        weights = [(share.job_id, share.copies * share.area) for share in of_sheet]
        shares[sheet_id] = Share(
            before=sum((weight for job, weight in weights if job < job_id), ZERO),
            own=sum((weight for job, weight in weights if job == job_id), ZERO),
            whole=sum((weight for _, weight in weights), ZERO),
        )
    return shares
