"""Durations as people type them."""

import re
from datetime import timedelta

from shared.errors import ConfigurationError

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def duration(text: str) -> timedelta:
    """14d, 36h, 90m or 30s as a timedelta; raises `ConfigurationError` on anything else."""
    found = re.fullmatch(r"(\d{1,6})([dhms])", text)
    if found is None:
        msg = f"not a duration: {text!r}; write 14d, 36h, 90m or 30s"
        raise ConfigurationError(msg)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
