"""What stands on a topic and in no table is found, and so is a broker that does not answer."""

import pytest
from confluent_kafka import Producer
from pydantic import SecretStr

from services.auditor.main import status, verify
from shared import kafka
from shared.errors import Transient
from shared.events.production import JobCompleted
from shared.producer import publish
from shared.topology import BY_EVENT, role_of
from tests.integration.auditor.house import House
from tests.invoices import invoice, numbered


def test_records_that_nobody_took_are_found(house: House) -> None:
    # Given invoices that no service issued, one said twice and differently, and mere bytes
    settings = house.settings
    publish(settings, [invoice(), numbered(3), invoice(description="otherwise")], "test")
    jobs = BY_EVENT[JobCompleted]
    producer = Producer(kafka.producer(settings, role_of("simulator")))
    producer.produce(jobs.name, b"this is not Avro", b"DE01/UNDECODABLE")
    producer.produce(jobs.name, b"nor is this")
    assert producer.flush(10) == 0
    house.settle()
    # When the books are verified
    report = verify(settings)
    found = {check.rule: len(check.findings) for check in report.checks if check.findings}
    # Then all of it is found
    readers = ("notifier", "ledger_writer", "dunning_scheduler")
    assert found["unreadable records are dead letters"] == 2
    assert found["repeats say the same"] == 1
    assert found["every record has its effect"] == 2 * len(readers)
    assert found["numbers are contiguous"] == 1
    assert found["invoices are published as stored"] == 2
    assert found["documents are posted once"] == 2
    assert found["invoices rest on their price"] == 2
    (repeat,) = next(c.findings for c in report.checks if c.rule == "repeats say the same")
    assert repeat.found == "differs in description"


def test_a_pipeline_that_was_never_set_up_is_not_settled(house: House) -> None:
    nobody = house.settings.model_copy(
        update={"database_url": SecretStr(_other_database(house, "template1"))}
    )
    found = status(nobody)
    assert not found.is_settled
    assert "pricer: not migrated" in found.explanation
    assert verify(nobody).counts["journal entries"] == 0


def test_servers_that_do_not_answer_are_said_to(house: House) -> None:
    away = house.settings.model_copy(
        update={"database_url": SecretStr("postgresql://nobody@127.0.0.1:9/none")}
    )
    with pytest.raises(Transient, match="database does not answer"):
        status(away)


def _other_database(house: House, name: str) -> str:
    return house.settings.database_url.get_secret_value().rpartition("/")[0] + f"/{name}"
