"""What a broker with an authorizer lets each role do: what the map says, and nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from typer.testing import CliRunner

from shared import kafka, reading, rights, topics
from shared.cli import topics as commands
from shared.db import AUDITOR, OPERATOR, OWNER
from shared.errors import ConfigurationError, Transient, Unreachable
from shared.events.billing import InvoiceIssued, JobPriced
from shared.events.production import JobCompleted
from shared.producer import publish
from shared.rights import Right
from shared.settings import Settings
from shared.topology import BY_EVENT, TOPICS, consumed_by, consumers, produced_by, role_of
from tests.integration.runtime.echo import request
from tests.integration.runtime.instances import until
from tests.integration.transport.withdraw import withdraw
from tests.unit.metrics_extractor.builders import job

ISSUED = BY_EVENT[InvoiceIssued].name


def test_apply_grants_what_the_map_says_and_once(deployed: Settings) -> None:
    until(lambda: topics.plan(deployed).is_met, "Kafka as the map says")
    assert topics.plan(deployed).rights == ()


def test_the_command_names_a_missing_right_and_grants_it(
    deployed: Settings, superuser: AdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a right that somebody took away, then plan exits 1 and names it, and apply mends it."""
    until(lambda: topics.plan(deployed).is_met, "Kafka as the map says")
    monkeypatch.setattr(commands, "servers", lambda: deployed)
    right = Right(role_of("pricer"), "read", "group", "pricer")
    withdraw(superuser, right)
    until(lambda: topics.plan(deployed).rights == (right,), "the right to be gone")
    planned = CliRunner().invoke(commands.app, ["plan"])
    assert (planned.exit_code, planned.output) == (
        1,
        "missing: colophon_pricer may read group pricer\n",
    )
    applied = CliRunner().invoke(commands.app, ["apply"])
    assert applied.exit_code == 0
    users = len(rights.roles())
    assert applied.output.splitlines() == [
        "created 0 topics",
        "granted 1 rights",
        f"set the passwords of {users} users",
    ]
    until(lambda: CliRunner().invoke(commands.app, ["plan"]).exit_code == 0, "all as the map says")


def test_a_right_that_the_map_does_not_know_is_said_and_stays(
    deployed: Settings, superuser: AdminClient
) -> None:
    """If it failed: a right that a service once had would be its own for ever, unseen."""
    prefix = ("billing.", ResourcePatternType.PREFIXED, f"User:{role_of('pricer')}", "*")
    how = (AclOperation.WRITE, AclPermissionType.ALLOW)
    binding = AclBinding(ResourceType.TOPIC, *prefix, *how)
    for done in superuser.create_acls([binding]).values():
        done.result()
    said = "colophon_pricer may write topic billing.*: the map does not say so"
    until(lambda: said in topics.plan(deployed).drift, said)
    topics.apply(deployed, topics.plan(deployed))
    assert topics.plan(deployed).drift == (said,)
    for removed in superuser.delete_acls(
        [AclBindingFilter(ResourceType.TOPIC, *prefix, *how)]
    ).values():
        assert removed.result()
    until(lambda: topics.plan(deployed).is_met, "the right removed")


def test_a_right_of_one_host_is_not_granted(deployed: Settings, superuser: AdminClient) -> None:
    """If it failed: `plan` would find all well while the service, elsewhere, is let do nothing."""
    right = Right(role_of("pricer"), "read", "group", "pricer")
    elsewhere = replace(right, host="192.0.2.1")
    until(lambda: topics.plan(deployed).is_met, "Kafka as the map says")
    withdraw(superuser, right)
    rights.grant(superuser, [elsewhere])
    said = "colophon_pricer may read group pricer from 192.0.2.1: the map does not say so"
    until(lambda: topics.plan(deployed).drift == (said,), said)
    assert topics.plan(deployed).rights == (right,)
    topics.apply(deployed, topics.plan(deployed))
    withdraw(superuser, elsewhere)
    until(lambda: topics.plan(deployed).is_met, "the right granted, the other removed")


def test_what_is_denied_is_said(deployed: Settings, superuser: AdminClient) -> None:
    """If it failed: `plan` would find all well, because what is denied is also allowed."""
    denied = Right(role_of("pricer"), "read", "group", "pricer", permission="deny")
    until(lambda: topics.plan(deployed).is_met, "Kafka as the map says")
    rights.grant(superuser, [denied])
    said = "colophon_pricer may not read group pricer: the map does not say so"
    until(lambda: topics.plan(deployed).drift == (said,), said)
    assert topics.plan(deployed).rights == ()
    withdraw(superuser, denied)
    until(lambda: topics.plan(deployed).is_met, "it removed")


def test_no_service_reads_what_it_does_not_consume(by_certificate: Settings) -> None:
    """If it failed: whoever breaks into one service reads what all the others say."""
    for service in consumers():
        mine = {topic.name for topic in consumed_by(service.name)} | set(service.rereads)
        names = [topic.name for topic in TOPICS]
        assert _visible(by_certificate, service.role, "read", names) == mine, service.name


def test_no_service_writes_what_it_does_not_own(by_certificate: Settings) -> None:
    """If it failed: one service could say what only another may."""
    every = [topic.name for topic in topics.wanted()]
    for service in consumers():
        mine = {topic.name for topic in produced_by(service.name)}
        mine |= {topic.dead_letters(service.name) for topic in consumed_by(service.name)}
        assert _visible(by_certificate, service.role, "write", every) == mine, service.name
    for tool in ("ingest", "simulator"):
        mine = {topic.name for topic in produced_by(tool)}
        assert _visible(by_certificate, role_of(tool), "write", every) == mine, tool
        assert _visible(by_certificate, role_of(tool), "read", every) == set()


def test_people_read_and_write_nothing(by_certificate: Settings) -> None:
    every = [topic.name for topic in topics.wanted()]
    facts = {topic.name for topic in TOPICS}
    decided = {topic.name for service in consumers() for topic in consumed_by(service.name)}
    for role, readable in ((AUDITOR, facts), (OPERATOR, decided)):
        assert _visible(by_certificate, role, "read", every) == readable
        assert _visible(by_certificate, role, "write", every) == set()


def _visible(settings: Settings, role: str, operation: str, names: Sequence[str]) -> set[str]:
    """Those of the topics `names` on which the broker says that `role` may do `operation`."""
    admin = AdminClient(kafka.client(settings, role))
    asked = [Right(role, operation, "topic", name) for name in names]
    refused = rights.refused(admin, asked, timeout_s=10)
    return {right.name for right in asked if right not in refused}


def test_a_refused_read_write_group_and_transaction_are_refused(by_password: Settings) -> None:
    """The broker's word is its deed: each kind tried once, by a service's own client."""
    reader = Consumer(kafka.reader(by_password, role_of("pricer")) | {"group.id": "pricer"})
    reader.assign([TopicPartition(BY_EVENT[JobPriced].name, 0, 0)])
    assert _error(reader) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    reader.close()
    stranger = Consumer(kafka.client(by_password, role_of("pricer")) | {"group.id": "invoicer"})
    stranger.subscribe([topic.name for topic in consumed_by("pricer")])
    assert _error(stranger) == KafkaError.GROUP_AUTHORIZATION_FAILED
    stranger.close()
    false = Producer(
        kafka.relay_producer(by_password, "pricer")
        | {"transactional.id": kafka.relay_id("invoicer")}
    )
    with pytest.raises(KafkaException) as refused:
        false.init_transactions(10)
    code = refused.value.args[0].code()
    assert code == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    forged: list[KafkaError | None] = []
    writer = Producer(kafka.producer(by_password, role_of("pricer")))
    writer.produce(ISSUED, b"forged", on_delivery=lambda error, _: forged.append(error))
    assert writer.flush(10) == 0
    assert [error.code() for error in forged if error] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def _error(consumer: Consumer) -> int:
    """The first thing that the consumer hears of; it must be an error."""
    message = consumer.poll(20)
    assert message is not None
    error = message.error()
    assert error is not None
    return error.code()


def test_somebody_without_the_right_to_write_is_told(by_password: Settings) -> None:
    with pytest.raises(Transient, match=r"Topic authorization failed; colophon topics apply"):
        publish(by_password, [request("forged", 1)], "simulator")


def test_the_operator_reads_the_record_that_a_dead_letter_differs_from(
    by_password: Settings,
) -> None:
    """If it failed: `colophon dlq show` could not say what was applied."""
    publish(by_password, [job()], "simulator")
    with reading.reader(by_password, OPERATOR) as consumer:
        topic = BY_EVENT[JobCompleted].name
        places = reading.partitions(by_password, OPERATOR, [topic])
        assert list(reading.read_on(consumer, dict.fromkeys(places, OFFSET_BEGINNING)))


def test_what_may_not_be_seen_is_not_taken_for_absent(deployed: Settings) -> None:
    """If it failed: the invoicer, without its right, would find that no number was ever given."""
    admin = AdminClient(kafka.client(deployed, role_of("pricer")))
    with pytest.raises(Unreachable, match=rf"{ISSUED} may not be .*topics apply"):
        kafka.present(deployed, admin, [ISSUED])
    owner = AdminClient(kafka.client(deployed, OWNER))
    assert kafka.present(deployed, owner, ["no-such-topic"]) == {}


def test_to_look_for_a_topic_does_not_make_it(
    by_password: Settings, superuser: AdminClient
) -> None:
    """If it failed: `status` would make topics with the broker's defaults, which no map knows."""
    assert kafka.present(by_password, superuser, ["looked-for"]) == {}
    until(lambda: made(superuser, "asked-for"), "the broker to make what others ask for")
    assert "looked-for" not in superuser.list_topics(timeout=10).topics


def made(superuser: AdminClient, name: str) -> bool:
    """Whether the topic is there; asks for it by name, as clients do that have it made."""
    return superuser.list_topics(name, timeout=10).topics[name].error is None


def test_only_the_owner_grants(by_password: Settings) -> None:
    admin = AdminClient(kafka.client(by_password, role_of("pricer")))
    with pytest.raises(ConfigurationError, match="as colophon_owner"):
        rights.granted(admin)
    right = Right(role_of("pricer"), "read", "topic", ISSUED)
    with pytest.raises(ConfigurationError, match="cannot be granted that colophon_pricer may read"):
        rights.grant(admin, [right])


def test_a_broker_without_an_authorizer_has_no_rights_to_grant(settings: Settings) -> None:
    admin = AdminClient(kafka.client(settings, OWNER))
    assert rights.granted(admin) is None
    assert topics.plan(settings).rights == ()
