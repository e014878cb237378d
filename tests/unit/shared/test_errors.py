"""How errors are told: what broke and where, bounded, without the values that broke it."""

import json

import pytest
import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from shared import db
from shared.errors import STACK_MAX, headline, stack_of
from shared.logging import configure, logger
from shared.settings import Settings

SECRET = "Erika Mustermann"


def chained(depth: int) -> Exception:
    """An error behind so many others, each told at length."""
    try:
        if depth:
            raise chained(depth - 1)
        msg = "the root of it\nDETAIL: Failing row contains (" + SECRET + ")"
        raise ZeroDivisionError(msg)
    except Exception as error:  # noqa: BLE001 -- to be chained
        try:
            msg = f"level {depth} " + "x" * 10_000
            raise ValueError(msg) from error
        except ValueError as outer:
            return outer


def test_a_stack_trace_is_bounded_and_tells_the_innermost_cause_first() -> None:
    """Given an error behind nine others, then its root, where it was raised, no values."""
    told = stack_of(chained(9))
    assert len(told) <= STACK_MAX
    assert told.index("ZeroDivisionError: the root of it") < told.index("ValueError: level")
    assert "in chained" in told
    assert SECRET not in told
    assert told.count("which led to") == 3


def test_a_headline_is_one_line() -> None:
    assert headline(KeyError("k")) == "KeyError: 'k'"
    assert headline(ValueError("one\ntwo")) == "ValueError: one"
    assert len(headline(ValueError("x" * 10_000))) == 500


def test_a_logged_exception_is_as_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    """Given a service's log, when an error is logged, then one short line of JSON."""
    configure("pricer", "INFO")
    try:
        logger().error("failed", exc_info=chained(9))
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) < 2 * STACK_MAX
    assert "ZeroDivisionError: the root of it" in json.loads(line)["exception"]
    assert SECRET not in line


def test_the_services_engines_tell_no_values() -> None:
    """Given an error of a statement, then its text does not hold the statement's values."""
    ours = db.engine(Settings(), "colophon_pricer")
    plain = create_engine("sqlite://", hide_parameters=ours.hide_parameters)
    with plain.connect() as connection, pytest.raises(DBAPIError) as failed:
        connection.execute(text("SELECT :name FROM missing"), {"name": SECRET})
    assert SECRET not in str(failed.value)
