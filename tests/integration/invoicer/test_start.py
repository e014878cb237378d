"""What an invoicer checks before it gives a number: that it knows every number that is out."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer
from pydantic import SecretStr
from sqlalchemy import text

from services.auditor.gateway.offsets import read_ends
from services.invoicer.gateway import NUMBERED
from services.invoicer.handler.numbers import check_numbers, keep_checked
from services.invoicer.main import SERVICE
from shared import db, kafka, topics
from shared.db import OWNER
from shared.errors import ConfigurationError, Transient
from shared.events.billing import InvoiceIssued
from shared.local.environment import environment
from shared.local.fleet import Fleet
from shared.migrate import bring_up
from shared.producer import publish
from shared.settings import Settings
from shared.testing import ServiceHarness, scratch_database
from shared.topology import BY_EVENT, role_of
from tests.integration.invoicer.made import MovableClock, issued, job
from tests.unit.invoicer.factory import NOW, customer, entity, tax_rule

TOPIC = BY_EVENT[InvoiceIssued].name


@pytest.fixture
def house(settings: Settings) -> Iterator[Settings]:
    """An invoicer's database that knows whatever other tests have left on the topics."""
    topics.apply(settings, topics.plan(settings))
    with scratch_database(settings) as scratch:
        bring_up(scratch, [SERVICE])
        with at_work(scratch) as invoicer, invoicer.begin() as unit:
            ends = read_ends(settings, {"invoicer": NUMBERED}).end
            unit.store.have_read({(p.topic, p.partition): end for p, end in ends.items()})
        yield scratch


@contextmanager
def at_work(settings: Settings) -> Iterator[ServiceHarness]:
    with ServiceHarness(SERVICE, settings, MovableClock(NOW)) as invoicer:
        yield invoicer


def bill(invoicer: ServiceHarness, *numbers: int) -> None:
    """Issue an invoice for each of these jobs, and publish it."""
    events = issued(
        invoicer.apply(entity(), customer(), tax_rule(), *(job(number) for number in numbers))
    )
    assert len(events) == len(numbers)
    publish(invoicer.settings, events, "test")


@contextmanager
def backup_of(settings: Settings) -> Iterator[Settings]:
    """The database as it stands now, restored as another one."""
    name = db.engine(settings, OWNER).url.database
    copy, url = f"{name}_backup", settings.database_url.get_secret_value()
    other = settings.model_copy(update={"database_url": SecretStr(url.replace(str(name), copy))})
    admin = settings.model_copy(
        update={"database_url": SecretStr(url.replace(str(name), "postgres"))}
    )
    server = db.engine(admin, OWNER).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {copy} TEMPLATE {name}"))
    try:
        bring_up(other, [SERVICE])
        yield other
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {copy} WITH (FORCE)"))
        server.dispose()


def test_an_old_backup_refuses_to_start_and_the_newest_state_starts(house: Settings) -> None:
    """If it failed: the second and third number would be given again, to other customers."""
    # given a backup taken after the first of three invoices
    with at_work(house) as invoicer:
        bill(invoicer, 1)
    with backup_of(house) as old:
        with at_work(house) as invoicer:
            bill(invoicer, 2, 3)
        # when the invoicer is started on the newest state, then it works
        fleet = Fleet(house)
        fleet.start_all(["invoicer"])
        assert fleet.stop() == [0]
        # when it is started on the backup, then it refuses and says why
        started = subprocess.run(
            [sys.executable, "-m", "services.invoicer"],
            env=environment(old.model_copy(update={"http_port": 0})),
            capture_output=True,
            check=False,
            timeout=60,
        )
    assert started.returncode == 2
    said = started.stderr.decode() + started.stdout.decode()
    behind = r"legal entity DE01, series R: R-2026-(\d{6}) is published, R-2026-000001 is known"
    found = re.search(behind, said)
    assert found, said
    assert int(found[1]) >= 3  # the service in between may have billed what other tests left
    assert "Restore it to its last commit" in said


def test_where_nothing_was_published_it_starts(house: Settings) -> None:
    with at_work(house) as invoicer:
        check_numbers(invoicer)


def test_each_check_reads_only_what_is_new(house: Settings) -> None:
    """A million invoices ago does not matter: the place is kept, with what was known there."""
    with at_work(house) as invoicer:
        before = places(invoicer)
        bill(invoicer, 1, 2)
        assert keep_checked(invoicer) == 0
        after = places(invoicer)
        assert sum(after.values()) - sum(before.values()) >= 2
        # when a table without its numbers has the place, then nothing is read before it
        with invoicer.engine.begin() as connection:
            connection.execute(text("DELETE FROM number_series"))
        check_numbers(invoicer)
        assert places(invoicer) == after


def test_a_series_that_the_table_does_not_know_at_all_is_missed(house: Settings) -> None:
    with at_work(house) as invoicer:
        bill(invoicer, 1)
        with invoicer.engine.begin() as connection:
            connection.execute(text("DELETE FROM number_series"))
        with pytest.raises(ConfigurationError, match="R-2026-000001 is published, none is known"):
            check_numbers(invoicer)


def test_a_record_that_cannot_be_read_gives_no_number(
    house: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    producer = Producer(kafka.producer(house, role_of("invoicer")))
    producer.produce(TOPIC, b"not Avro", b"DE01/x")
    assert producer.flush(10) == 0
    with at_work(house) as invoicer:
        check_numbers(invoicer)
    assert "unreadable number" in capsys.readouterr().err


def test_without_a_broker_the_check_is_tried_again(
    house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "ANSWER_S", 0.3)
    away = house.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    with at_work(away) as invoicer, pytest.raises(Transient, match="broker does not answer"):
        check_numbers(invoicer)


def places(invoicer: ServiceHarness) -> dict[tuple[str, int], int]:
    rows = invoicer.query("SELECT topic, partition, read_up_to FROM published")
    return {(row.topic, row.partition): row.read_up_to for row in rows}
