"""Crash points are for the children of a test, and nobody else's."""

import pytest

from shared.errors import ConfigurationError
from shared.runtime import faults
from shared.runtime.faults import Point
from shared.settings import Settings


@pytest.mark.parametrize(
    ("fault", "stop_with_parent"),
    [("fenced:kill", False), ("nowhere:kill", True), ("fenced:sing", True), ("fenced", True)],
)
def test_a_fault_that_no_test_asks_for_is_refused(fault: str, *, stop_with_parent: bool) -> None:
    """Given a setting that names no point, no action, or has no parent, then we do not start."""
    with pytest.raises(ConfigurationError, match=f"COLOPHON_FAULT={fault}: it is for tests"):
        faults.arm(Settings(fault=fault, stop_with_parent=stop_with_parent))


def test_without_a_fault_a_point_is_passed() -> None:
    """Given no setting, when armed, then every point is passed."""
    faults.arm(Settings())
    assert faults.reach is faults._pass
    for point in Point:
        faults.reach(point)
