"""The oracle over a system at rest."""

from datetime import datetime

from shared.settings import Settings
from tests.chaos.oracle.compare import differences
from tests.chaos.oracle.expected import expected
from tests.chaos.oracle.records import read_topics
from tests.chaos.oracle.tables import found

LINK_KEY = "payment_link_key"


def judge(settings: Settings, now: datetime) -> list[str]:
    """What differs from what must be, in words; `now` is the business time."""
    topics = read_topics(settings)
    key = settings.secret(LINK_KEY)
    must = expected(topics, key.encode() if key else None, now)
    return differences(topics, must, found(settings))
