"""Meters: differences count, readings never do, and a fall is a reset."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics_extractor.domain.counters import used
from shared.events.production import Component, Counter
from tests.unit.metrics_extractor.builders import EIGHT, figures, job, metrics, only, report


def reading(value: str | int, minute: int, **changes: object) -> Counter:
    fields = {
        "counter_id": "c1",
        "device_id": "HP7900",
        "kind": "clicks-colour",
        "unit": "ZP",
        "reading": Decimal(value),
        "read_at": EIGHT + timedelta(minutes=minute),
    }
    return Counter.model_validate(fields | changes)


def test_readings_become_the_difference() -> None:
    metric = only(job(counters=(reading(2_759_237, 0), reading(2_821_737, 60))))
    assert figures(metric, "component code unit") == (
        Component.MACHINE,
        "clicks-colour",
        "ZP",
    )
    assert figures(metric, "actual_good billable") == (62_500, 62_500)


def test_one_reading_tells_no_use() -> None:
    assert only(job(counters=(reading(2_759_237, 0),))).actual_good == 0


def test_a_reading_that_falls_is_a_reset_not_negative_use() -> None:
    readings = (reading(900, 0), reading(1000, 10), reading(40, 20), reading(70, 30))
    assert only(job(counters=readings)).actual_good == 170


def test_readings_are_taken_in_order_of_time_not_of_arrival() -> None:
    """A late report of an early reading is no reset."""
    done = job(counters=(reading(1000, 30),))
    early, middle = report(2, counters=(reading(100, 0),)), report(1, counters=(reading(400, 10),))
    assert only(done, early, middle).actual_good == 900


def test_of_two_readings_of_one_instant_the_completed_jobs_holds() -> None:
    done = job(counters=(reading(100, 0), reading(150, 10)))
    assert only(done, report(counters=(reading(999, 10),))).actual_good == 50


def test_meters_of_one_kind_add_up_over_devices() -> None:
    other = {"device_id": "HP7800"}
    readings = (
        reading(0, 0), reading(5, 9), reading(100, 0, **other), reading(107, 9, **other),
    )  # fmt: skip
    assert only(job(counters=readings)).actual_good == 12


def test_what_counts_a_devices_output_is_shown_and_never_billed() -> None:
    """The items bill the output already; a press's total would be billed besides."""
    readings = (reading(0, 0, kind="Production"), reading(5200, 9, kind="Production"))
    metric = only(job(counters=readings))
    assert figures(metric, "actual_good billable") == (5200, 0)


def test_without_counters_there_is_no_metric() -> None:
    assert metrics(job()) == ()


STEPS = st.lists(st.integers(0, 1000), max_size=20)


@settings(max_examples=60)
@given(st.integers(0, 10**9), STEPS, st.sets(st.integers(0, 19)))
def test_resets_lose_nothing_that_was_counted(
    start: int, steps: list[int], resets: set[int]
) -> None:
    """A meter set to zero before some of its steps still shows all that followed."""
    value, readings, expected = start, [Decimal(start)], 0
    for number, step in enumerate(steps):
        if number in resets and value > step:
            value = 0
        value += step
        expected += step
        readings.append(Decimal(value))
    assert used(readings) == expected


@settings(max_examples=40)
@given(st.lists(st.integers(0, 10**6).map(Decimal), max_size=20))
def test_use_is_never_negative_whatever_a_meter_shows(readings: list[Decimal]) -> None:
    assert used(readings) >= 0
