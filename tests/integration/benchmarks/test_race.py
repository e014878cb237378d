"""The benchmark's contenders do the work that is measured; how fast is not asked here."""

import pytest

from shared import topics
from shared.settings import Settings
from tests.benchmarks.runtime.race import race


@pytest.mark.parametrize(
    ("module", "processes"),
    [("colophon", 2), ("bare", 1), ("plain", 1), ("executemany", 1), ("unchecked", 1)],
)
def test_every_record_comes_out_once(settings: Settings, module: str, processes: int) -> None:
    """`race` itself fails unless exactly as many come out."""
    topics.apply(settings, topics.plan(settings))
    found = race(settings, f"tests.benchmarks.runtime.{module}", 300, 2, processes=processes)
    assert found.records == 300
    assert found.per_s > 0
