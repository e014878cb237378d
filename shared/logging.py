"""Logs are events with keys, one bounded JSON object a line on standard error, without secrets."""

import logging
import sys
from typing import Any

import structlog

from shared.errors import stack_of

# Until `configure`, as in a command: lines for people, and never among what a command prints.
structlog.configure(logger_factory=lambda *_: structlog.WriteLogger(sys.stderr))


def configure(service: str, level: str) -> None:
    """Set up logging for this process; every line carries the service's name."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(lambda info: stack_of(info[1])),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def logger(**context: object) -> Any:  # noqa: ANN401 - structlog's own type is Any
    """A logger that adds `context` to each of its events."""
    return structlog.get_logger(**context)
