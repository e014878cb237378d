"""A short run of `make chaos`: every kind of fault once, on fewer jobs."""

from pathlib import Path

from tests.chaos.plan import WEIGHTS
from tests.chaos.run import Chaos, Options


def test_no_fault_loses_doubles_or_reorders_anything(tmp_path: Path) -> None:
    """Given work under every kind of fault, then the books are what an undisturbed run writes."""
    options = Options(seed=3, seconds=8, every_s=0.35, instances=1)
    result = Chaos(tmp_path, options, lambda _text: None).run()
    assert result.wrong == []
    assert set(WEIGHTS) <= set(result.survived)
    assert result.jobs >= 30
