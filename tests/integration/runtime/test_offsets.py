"""Offsets that Kafka does not have: refused with what to do about it, never a silent reset."""

import pytest
from confluent_kafka import TopicPartition

from tests.integration.runtime.bench import Echo, admin
from tests.integration.runtime.conftest import new_topic
from tests.integration.runtime.echo import POLICIES, REQUESTED, policy, request
from tests.integration.runtime.instances import Instances, until

SUBJECTS = [f"s{number}" for number in range(12)]


def test_records_deleted_before_they_were_read_are_missed(echo: Echo, instances: Instances) -> None:
    """Given records deleted behind our offset, then we refuse to skip them, and say which."""
    echo.publish(*(request(subject, 1) for subject in SUBJECTS))
    instances.ready("one")
    until(echo.is_drained, "the first records")
    assert instances.stop("one") == 0
    reached = echo.reached()
    echo.publish(*(request(subject, 2) for subject in SUBJECTS))
    ends = echo.ends()
    gone = [TopicPartition(*place, end) for place, end in ends.items()]
    for deleted in admin(echo.settings).delete_records(gone).values():
        deleted.result()
    echo.publish(*(request(subject, 3) for subject in SUBJECTS))
    instances.start("two")
    assert instances.wait("two") == 2, instances.log("two")
    refused = instances.log("two")
    assert any(
        f"{topic}/{partition} has no offset {offset}" in refused
        for (topic, partition), offset in reached.items()
        if offset < ends[topic, partition]
    )
    assert "set next_offset in consumer_offset" in refused
    assert echo.subjects() == dict.fromkeys(SUBJECTS, "1,")
    assert echo.reached() == reached


def test_an_offset_past_the_end_is_refused(echo: Echo, instances: Instances) -> None:
    """Given a topic that is shorter than what we have read, then we refuse to go on there."""
    echo.publish(request("s1", 1))
    instances.ready("one")
    until(echo.is_drained, "the first record")
    assert instances.stop("one") == 0
    echo.query(
        "UPDATE consumer_offset SET next_offset = 1000000 WHERE topic = :t AND partition = 0",
        t=REQUESTED,
    )
    instances.start("two")
    assert instances.wait("two") == 2, instances.log("two")
    assert f"{REQUESTED}/0 has no offset 1000000" in instances.log("two")


@pytest.mark.parametrize("is_running", [True, False])
def test_a_topic_made_anew_is_refused(
    echo: Echo, instances: Instances, *, is_running: bool
) -> None:
    """Given a topic deleted and created again with more records, then none of them is applied."""
    instances.ready("one")
    echo.publish(policy("p1"))
    until(echo.is_drained, "the first record")
    if not is_running:
        assert instances.stop("one") == 0
    kafka = admin(echo.settings)
    kafka.delete_topics([POLICIES])[POLICIES].result()
    until(lambda: POLICIES not in kafka.list_topics().topics, "it to be deleted")
    kafka.create_topics([new_topic(POLICIES)])[POLICIES].result()
    echo.publish(*(policy(f"q{number}") for number in range(50)))
    if not is_running:
        instances.start("one")
    assert instances.wait("one") == 2, instances.log("one")
    refused = instances.log("one")
    assert f"topic {POLICIES} is not the one this service has read" in refused
    assert "delete its rows from consumer_offset to start over" in refused
    assert echo.query("SELECT policy_id FROM policy") == [("p1",)]
