"""Topics against the map: what is missing is made, what differs is said, nothing is deleted."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from shared import kafka, topics
from shared.errors import ConfigurationError
from shared.ids import cause_id
from shared.settings import Settings
from shared.topics import Plan, Wanted
from shared.topology import TOPICS, dead_letter_topics
from tests.integration.runtime.instances import until

CONFIG = {"retention.ms": "-1", "cleanup.policy": "delete", "max.message.bytes": "1048576"}


@pytest.fixture
def admin(settings: Settings) -> AdminClient:
    return AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})


@pytest.fixture
def wanted(
    settings: Settings,
    admin: AdminClient,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[list[Wanted]]:
    """A map of three topics that no other test has, two of them with a setting of their own."""
    stamp = cause_id("topics", request.node.name).hex[:8]
    found = [
        Wanted(f"facts-{stamp}", 3, CONFIG),
        Wanted(f"master-{stamp}", 2, CONFIG | {"cleanup.policy": "compact"}),
        Wanted(f"letters-{stamp}", 1, CONFIG | {"max.message.bytes": "1114112"}),
    ]
    monkeypatch.setattr(topics, "wanted", lambda: iter(found))
    yield found
    present = admin.list_topics(timeout=10).topics
    if made := [topic.name for topic in found if topic.name in present]:
        for done in admin.delete_topics(made).values():
            done.result()


def settles(settings: Settings, plan: Plan) -> None:
    """Wait for this plan: a broker tells of a new topic a moment after it was made."""
    until(lambda: topics.plan(settings) == plan, f"{plan}")


def test_what_is_missing_is_made_as_the_map_says(
    settings: Settings, admin: AdminClient, wanted: list[Wanted]
) -> None:
    """Given a cluster without the topics, when the plan is applied, then it says no more."""
    plan = topics.plan(settings)
    assert plan == Plan(tuple(wanted), ())
    topics.apply(settings, plan)
    settles(settings, Plan((), ()))
    made = admin.list_topics(timeout=10).topics
    assert [len(made[topic.name].partitions) for topic in wanted] == [3, 2, 1]
    topics.apply(settings, topics.plan(settings))
    assert topics.plan(settings) == Plan((), ())


def test_what_differs_is_said_and_left_as_it_is(
    settings: Settings, admin: AdminClient, wanted: list[Wanted]
) -> None:
    """Given topics with other partitions and settings, then each is named, and none is changed."""
    facts, master, letters = wanted
    made = [
        NewTopic(facts.name, 5, 1, config=CONFIG | {"retention.ms": "86400000"}),
        NewTopic(master.name, 2, 1, config=CONFIG),
    ]
    for done in admin.create_topics(made).values():
        done.result()
    drift = (
        f"{facts.name}: 5 partitions, the map says 3",
        f"{facts.name}: retention.ms is 86400000, the map says -1",
        f"{master.name}: cleanup.policy is delete, the map says compact",
    )
    settles(settings, Plan((letters,), drift))
    topics.apply(settings, topics.plan(settings))
    settles(settings, Plan((), drift))


def test_topics_of_others_are_no_concern_of_ours(
    settings: Settings, admin: AdminClient, wanted: list[Wanted]
) -> None:
    """Given a topic that is not on the map, then it is neither named nor deleted."""
    facts, *others = wanted
    topics.apply(settings, Plan((facts,), ()))
    settles(settings, Plan(tuple(others), ()))
    wanted.remove(facts)
    assert topics.plan(settings) == Plan(tuple(others), ())
    topics.apply(settings, topics.plan(settings))
    settles(settings, Plan((), ()))
    assert facts.name in admin.list_topics(timeout=10).topics
    wanted.append(facts)  # to be cleaned up


def test_a_topic_that_cannot_be_made_is_named_with_the_reason(
    settings: Settings, wanted: list[Wanted]
) -> None:
    """Given a name or a setting that Kafka refuses, then the error says which and why."""
    bad = replace(wanted[0], config={"max.message.bytes": "many"})
    with pytest.raises(ConfigurationError, match=rf"{bad.name} cannot be created: .*many"):
        topics.apply(settings, Plan((bad,), ()))


def test_a_cluster_that_does_not_answer_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given no broker, then one sentence says where it was looked for."""
    monkeypatch.setattr(kafka, "ANSWER_S", 0.5)
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(ConfigurationError, match=r"SERVERS=127\.0\.0\.1:1 \("):
        topics.plan(away)


def test_the_map_asks_for_every_topic_and_every_dead_letter_topic() -> None:
    """Given the map, then a copy of the largest record fits its dead-letter topic, with headers."""
    found = {topic.name: topic for topic in topics.wanted()}
    assert list(found) == [*(topic.name for topic in TOPICS), *dead_letter_topics()]
    for topic in TOPICS:
        assert found[topic.name].partitions == topic.partitions
        assert found[topic.name].config["cleanup.policy"] == topic.cleanup_policy
    for name, source in dead_letter_topics().items():
        size = int(found[name].config["max.message.bytes"])
        assert size == int(found[source.name].config["max.message.bytes"]) + 64 * 1024
        assert found[name].config["cleanup.policy"] == "delete"
        assert found[name].partitions == 1
