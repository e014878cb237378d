"""Where a demo or a test moves the business clock to: a moment at which sellers are at work.

Reminders leave within the seller's business hours only, so that moving the clock by some days may
end on a Sunday, on a holiday or in the night, when nothing falls due.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from shared.calendar import is_business_day

NOON: Final = time(12, tzinfo=UTC)
"""Past nine and before five in Berlin and in London, summer and winter."""
_SELLERS: Final = (("DE", "BE"), ("GB", "ENG"))


def working_hour(at: datetime) -> datetime:
    """The first noon (UTC) from `at` on, on a business day in both Berlin and London."""
    noon = datetime.combine(at.astimezone(UTC).date(), NOON)
    while noon < at or not all(is_business_day(noon.date(), *seller) for seller in _SELLERS):
        noon += timedelta(days=1)
    return noon
