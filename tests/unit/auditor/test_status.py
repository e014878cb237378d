"""When the pipeline is at rest, and when it only looks so."""

from dataclasses import replace

import pytest

from services.auditor.domain.status import (
    Ends,
    Place,
    ServiceStatus,
    Status,
    Tables,
    assess,
    has_moved,
)

PLACE = Place("t", 0)
OTHER = Place("t", 1)
AT_REST = Tables(next_offsets={PLACE: 10, OTHER: 0})


def seen(tables: Tables | None, end: int = 10, committed: int = 0) -> ServiceStatus:
    ends = Ends({PLACE: end, Place("unread", 0): 99}, {"pricer": {PLACE: committed}})
    return assess("pricer", ["t"], tables, tables, ends)


def test_what_has_read_everything_and_owes_nothing_is_settled() -> None:
    status = Status((seen(AT_REST),))
    assert status.is_settled
    assert (status.done, status.expected, status.explanation) == (10, 10, "")


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        (replace(AT_REST, next_offsets={PLACE: 7}), "pricer: 3 t to read"),
        (replace(AT_REST, outbox=2), "pricer: 2 records to publish"),
        (replace(AT_REST, lanes_ready=1), "pricer: 1 held keys to take up"),
        (replace(AT_REST, due={"documents": 4}), "pricer: 4 documents"),
        (None, "pricer: 10 t to read; pricer: not migrated"),
    ],
)
def test_whatever_is_to_be_done_now_is_in_flight(tables: Tables | None, why: str) -> None:
    status = Status((seen(tables),))
    assert not status.is_settled
    assert status.explanation == why


def test_what_waits_for_people_or_for_its_time_is_not_in_flight() -> None:
    tables = replace(
        AT_REST, waiting={"estimate": 1}, parked=2, dead={"conflict": 1}, later={"deliveries": 3}
    )
    assert Status((seen(replace(tables, quarantined=1)),)).is_settled


def test_transaction_markers_after_the_last_record_are_no_lag() -> None:
    # Given 10 records and a marker: the table knows 10, Kafka's copy 11
    assert seen(AT_REST, end=11, committed=11).lag == {"t": 0}


def test_a_commit_of_a_group_whose_tables_know_nothing_does_not_count() -> None:
    # Given a database that was made anew while the group's commits stand
    fresh = replace(AT_REST, next_offsets={})
    assert seen(fresh, committed=10).lag == {"t": 10}


def test_a_partition_without_an_end_is_not_taken_for_read() -> None:
    ends = Ends({}, {}, unknown=frozenset({PLACE, Place("unread", 0)}))
    status = Status((assess("pricer", ["t"], AT_REST, AT_REST, ends),))
    assert status.explanation == "pricer: 1 partitions without a known end"


def test_work_between_the_two_looks_is_seen() -> None:
    before = {"pricer": AT_REST}
    assert not has_moved(before, {"pricer": replace(AT_REST)})
    assert has_moved(before, {"pricer": replace(AT_REST, next_offsets={PLACE: 11})})
    moved = Status((seen(AT_REST),), moved=True)
    assert not moved.is_settled
    assert moved.explanation == "records were read while the status was taken"
