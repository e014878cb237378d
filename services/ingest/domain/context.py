"""What holds for all statements of one work step or message."""

from dataclasses import dataclass
from datetime import datetime

from services.ingest.domain.reader import Reader
from services.ingest.domain.words import NOTHING_SAID
from shared.events.production import Attribution


@dataclass(frozen=True, slots=True)
class Context:
    """`actual`: amounts say what was used, not what is planned; `produced`: a phase's own figures.

    A JMF job phase counts its own sheets in @PhaseAmount, because its @Amount runs on through the
    job; an XJMF job phase has @Amount alone.
    """

    r: Reader
    section: str | None
    device: str
    attribution: Attribution = NOTHING_SAID
    actual: bool = False
    read_at: datetime | None = None
    produced: tuple[str, str] = ("Amount", "Waste")
