"""The simulation is deterministic, in order of arrival, and made of events that anybody accepts."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.simulator.main import (
    SPECIAL,
    in_order,
    master_data,
    payment_of,
    simulate,
    special_cases,
    starting_for,
    stories_of,
)
from services.simulator.mix import JOBS_A_DAY, MIX, working_day
from services.simulator.scene import Arrival, Story
from shared.codec.codec import Codec
from shared.events.base import Event
from shared.events.production import JobCompleted, UsageReported
from shared.identity import key_of, message_id, topic_of
from shared.topology import TOPICS
from tests.invoices import ISSUED

START = date(2026, 3, 2)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """A day and a half of work."""
    return list(simulate(130, 7, starting=START))


def job_ids(events: Iterable[Event]) -> set[str]:
    found = (getattr(event, "job_id", None) for event in events)
    return {job_id for job_id in found if job_id}


def test_the_same_arguments_give_the_same_events(events: list[Event]) -> None:
    assert list(simulate(130, 7, starting=START)) == events


def test_more_jobs_are_the_same_jobs_and_further_ones() -> None:
    few = {story.job_id: story for story in stories_of(20, 7, starting=START)}
    more = {story.job_id: story for story in stories_of(40, 7, starting=START)}

    assert few == {job_id: more[job_id] for job_id in few}
    assert len(more) == 40


@pytest.mark.parametrize(("seed", "starting"), [(8, START), (7, START + timedelta(days=1))])
def test_another_seed_or_day_gives_other_jobs_and_the_same_master_data(
    events: list[Event], seed: int, starting: date
) -> None:
    # so that two simulations on one installation neither repeat nor contradict each other
    others = list(simulate(30, seed, starting=starting))

    assert job_ids(events).isdisjoint(job_ids(others))
    assert others[: len(master_data())] == events[: len(master_data())]


def test_every_event_can_be_written_and_read_again(events: list[Event]) -> None:
    # the codec refuses what the topic's schema cannot hold, amounts finer than their currency too
    codec = Codec()

    for event in events:
        assert codec.decode(topic_of(event), codec.encode(event)) == event


def test_every_event_of_the_simulator_stands_on_the_map_as_its_own(events: list[Event]) -> None:
    produced = {topic.event for topic in TOPICS if "simulator" in topic.producers}

    assert {type(event) for event in events} == produced


def test_no_fact_is_told_twice(events: list[Event]) -> None:
    ids = Counter(message_id(topic_of(event), event) for event in events)

    assert ids.most_common(1)[0][1] == 1


def test_reports_of_a_job_carry_its_key_and_are_counted(events: list[Event]) -> None:
    # a job that says how many reports to expect must get exactly as many, or it waits for ever
    reports = Counter(event.job_id for event in events if isinstance(event, UsageReported))
    expected = {
        event.job_id: event.reports_expected
        for event in events
        if isinstance(event, JobCompleted) and event.reports_expected
    }
    keys = {key_of(topic_of(event), event) for event in events if isinstance(event, UsageReported)}

    assert reports == expected
    assert keys <= {key_of(topic_of(e), e) for e in events if isinstance(e, JobCompleted)}
    assert reports


def test_events_come_in_the_order_of_their_arrival() -> None:
    stories = list(stories_of(60, 3, starting=START))
    places = {id_of(a.event): a.at for story in stories for a in story.arrivals}

    merged = list(simulate(60, 3, starting=START))[len(master_data()) :]

    # none is lost, and each stands where its time puts it
    assert [places[id_of(event)] for event in merged] == sorted(places.values())


def id_of(event: Event) -> tuple[type[Event], str]:
    return type(event), str(message_id(topic_of(event), event))


def test_a_long_simulation_holds_only_the_work_of_some_days() -> None:
    # given a hundred days of work, an event two weeks before each day and one three days after
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    event, told = master_data()[0], 0

    def days() -> Iterator[Story]:
        nonlocal told
        for day in range(100):
            told += 1
            at = noon + timedelta(days=day)
            ends = Arrival(at - timedelta(days=13), event), Arrival(at + timedelta(days=3), event)
            yield Story("day", str(day), "straight-through", ends)

    # when they are merged
    seen = []
    for arrival in in_order(days()):
        seen.append(arrival.at)
        assert told - len(seen) / 2 < 20

    # then they are in order, all of them
    assert seen == sorted(seen)
    assert len(seen) == 200


def test_jobs_end_on_weekdays_a_day_s_work_at_a_time() -> None:
    days = Counter(working_day(START, number) for number in range(1, 6 * JOBS_A_DAY + 1))

    assert list(days) == [
        *(date(2026, 3, day) for day in (2, 3, 4, 5, 6)),
        date(2026, 3, 9),
    ]
    assert set(days.values()) == {JOBS_A_DAY}


def test_work_that_starts_on_a_weekend_starts_on_monday() -> None:
    assert working_day(date(2026, 3, 7), 1) == date(2026, 3, 9)
    assert working_day(date(2026, 3, 8), 1) == date(2026, 3, 9)
    assert working_day(date(2026, 3, 6), JOBS_A_DAY + 1) == date(2026, 3, 9)


@pytest.mark.parametrize("jobs", [1, 120, 121])
@pytest.mark.parametrize("until", [date(2026, 3, 2), date(2026, 3, 8)])
def test_all_that_is_to_have_happened_has_happened(jobs: int, until: date) -> None:
    # given a simulation whose events must all be in the past
    starting = starting_for(jobs, until)

    last = max(arrival.at for s in stories_of(jobs, 1, starting=starting) for arrival in s.arrivals)

    assert last < datetime.combine(until, datetime.min.time(), UTC)
    # and no more than a week earlier than it has to be
    too_late = datetime.combine(
        working_day(starting + timedelta(days=7), jobs), datetime.min.time(), UTC
    )
    assert too_late > datetime.combine(until - timedelta(days=5), datetime.min.time(), UTC)


def test_the_mix_is_out_of_a_thousand_and_most_jobs_go_straight_through() -> None:
    outcomes = Counter(story.outcome for story in stories_of(800, 1, starting=START))

    assert sum(weight for _, weight in MIX) == 1000
    assert 0.80 < outcomes["straight-through"] / 800 < 0.90
    assert set(outcomes) == {
        "straight-through",
        "actual-within-cap",
        "review",
        "hold",
        "tax-hold",
        "not-billable",
    }


def test_every_special_case_is_told_and_named_in_its_job() -> None:
    cases = special_cases(1, starting=START)

    assert set(cases) == set(SPECIAL)
    assert all(case.job_id.endswith(name) for name, case in cases.items())
    assert {case.outcome for case in cases.values()} >= {
        "straight-through",
        "actual-within-cap",
        "review",
        "hold",
        "not-billable",
    }


def completed(name: str) -> list[JobCompleted]:
    case = special_cases(1, starting=START)[name]
    return [a.event for a in case.arrivals if isinstance(a.event, JobCompleted)]


def test_the_duplicate_is_one_and_the_conflict_is_one() -> None:
    first, again = completed("duplicate")
    one, other = completed("conflict")

    assert first == again
    assert one != other
    assert message_id(topic_of(one), one) == message_id(topic_of(other), other)


def test_revisions_arrive_in_the_order_that_their_names_say() -> None:
    assert [job.revision for job in completed("revision")] == [1, 2]
    assert [job.revision for job in completed("outrun-revision")] == [2, 1]
    assert [job.revision for job in completed("revision-after-issue")] == [1, 2]


def test_the_late_estimate_is_late() -> None:
    case = special_cases(1, starting=START)["late-estimate"]

    assert [type(arrival.event).__name__ for arrival in case.arrivals] == [
        "JobCompleted",
        "EstimateAccepted",
    ]


def test_a_customer_pays_all_or_a_part() -> None:
    now = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)

    whole = payment_of(ISSUED, now)
    half = payment_of(ISSUED, now, percent=Decimal(50))

    assert (whole.amount, whole.open_amount) == (Decimal("1223.08"), Decimal(0))
    assert (half.amount, half.open_amount) == (Decimal("611.54"), Decimal("611.54"))
    # the day is the seller's, not the server's
    assert whole.applied_on == date(2026, 4, 1)
