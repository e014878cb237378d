"""Trace context: one trace from cause to effect, a span for each event."""

import sys
from uuid import UUID

import pytest

from shared import tracing
from shared.settings import Settings
from shared.trace import traceparent

FIRST = UUID("0af76519-16cd-53dd-8448-eb211c80319c")
NEXT = UUID("b7ad6b71-6920-5331-9bdc-0ba902012047")


def test_a_first_event_starts_a_trace() -> None:
    assert traceparent(FIRST) == "00-0af7651916cd53dd8448eb211c80319c-8448eb211c80319c-01"


def test_an_effect_stays_in_the_trace_of_its_cause() -> None:
    cause = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    assert traceparent(NEXT, cause) == "00-4bf92f3577b34da6a3ce929d0e0e4736-9bdc0ba902012047-00"


@pytest.mark.parametrize(
    "cause",
    [
        "",
        "nonsense",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ],
)
def test_a_malformed_one_counts_as_none(cause: str) -> None:
    assert traceparent(NEXT, cause) == traceparent(NEXT)


def test_without_its_packages_there_is_no_export_and_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a collector and no extra installed, then the service runs without."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings = Settings().model_copy(update={"traces_endpoint": "http://127.0.0.1:4318"})
    tracing.arm(settings, "pricer")
    assert tracing.export is None


def test_an_empty_address_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the variable, but empty, then nothing is exported, as OpenTelemetry has it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    monkeypatch.setattr(tracing, "export", None)
    tracing.arm(Settings(), "pricer")
    assert tracing.export is None
