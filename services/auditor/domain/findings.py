"""What a check found: each finding says what was expected, what stands there, where to look."""

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from enum import StrEnum
from typing import ParamSpec

P = ParamSpec("P")


class Severity(StrEnum):
    """An error makes the books unsound; an info is for people to know."""

    ERROR = "error"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    `cause_ms` is when (system time, Unix milliseconds) the record was written whose effect is
    missing: while the pipeline works, a young one is in flight and no error.
    """

    subject: str
    expected: str
    found: str
    look: str
    severity: Severity = Severity.ERROR
    cause_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """One rule, how many things it was held against, and what it found."""

    rule: str
    meaning: str
    looked_at: int
    findings: tuple[Finding, ...]


def check(
    rule: Callable[P, Iterator[Finding]], looked_at: Sized | int, *args: P.args, **kwargs: P.kwargs
) -> Checked:
    """Hold `rule` against its arguments; its name and the first line of its docstring tell it."""
    count = looked_at if isinstance(looked_at, int) else len(looked_at)
    return checked(rule, count, rule(*args, **kwargs))


def checked(
    rule: Callable[..., Iterator[Finding]], looked_at: int, findings: Iterable[Finding]
) -> Checked:
    """The result of a rule that was held against things as they passed by."""
    meaning = (rule.__doc__ or "").partition("\n")[0].rstrip(".")
    return Checked(rule.__name__.replace("_", " "), meaning, looked_at, tuple(findings))
