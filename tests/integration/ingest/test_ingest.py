"""Job files on real servers: what is published can be read back; samples become invoices."""

import json
from collections.abc import Callable
from pathlib import Path

import typer
from confluent_kafka import Consumer
from typer.testing import CliRunner

from services.ingest.domain.outcome import Produced
from services.ingest.main import SAMPLE_ENTITY, command, read_all, samples
from services.simulator.main import master_data
from shared import topics
from shared.codec.codec import Codec
from shared.events.base import Event
from shared.events.billing import InvoiceIssued
from shared.events.production import JobCompleted, QualityDecided, UsageReported
from shared.identity import key_of, message_id
from shared.settings import Settings
from shared.testing import ServiceHarness
from shared.topology import BY_EVENT, BY_NAME
from tests.integration.simulator.test_paths import Pipeline

TAKEN = (JobCompleted, QualityDecided, UsageReported)


def sample_events() -> list[Event]:
    """What the sample files become."""
    outcomes = read_all(sorted(samples().iterdir()), SAMPLE_ENTITY)
    return [event for one in outcomes if isinstance(one, Produced) for event in one.events]


def test_the_finished_sample_jobs_become_invoices(
    service_harness: Callable[..., ServiceHarness],
) -> None:
    # given who trades with whom, and the sample files
    events = [*master_data(), *sample_events()]

    # when the services have done with all of them
    done = Pipeline(service_harness).run(events)

    # then both finished jobs are invoiced, the one under way is not
    issued = {event.job_id: event for event in done if isinstance(event, InvoiceIssued)}
    assert issued.keys() == {"S-2503-01", "S-2503-02"}
    assert {invoice.path for invoice in issued.values()} == {"STRAIGHT_THROUGH"}
    assert issued["S-2503-01"].buyer.customer_id == "C-1014"
    # and the quote, with a hundred overs at their price, is what the brochure costs
    assert issued["S-2503-02"].net_total == 1705


def test_what_the_command_publishes_can_be_read_back(settings: Settings) -> None:
    # given topics, and a command that publishes to this broker
    topics.apply(settings, topics.plan(settings))
    app = typer.Typer()
    app.command()(command(lambda: settings))
    files = [str(file) for file in sorted(samples().iterdir())]

    # when the same files are ingested twice
    results = [
        CliRunner().invoke(app, [*files, "--legal-entity", SAMPLE_ENTITY, "--json"])
        for _ in range(2)
    ]

    # then all that it said was published is there, twice under the same ids
    assert [result.exit_code for result in results] == [0, 0]
    said = json.loads(results[0].stdout)
    assert said["summary"]["published"] == said["summary"]["events"] == len(sample_events())
    expected = [event for event in sample_events() if isinstance(event, TAKEN)]
    read = read_back(settings, 2 * len(expected))
    names = sorted(name for name, _ in read)
    told = sorted(str(message_id(BY_EVENT[type(event)], event)) for event in expected * 2)
    assert names == told
    assert [event for _, event in read if event not in expected] == []


def read_back(settings: Settings, count: int) -> list[tuple[str, Event]]:
    """Message id and event of the records that ingest wrote, each under its own key."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": "reads-ingest",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([BY_EVENT[event].name for event in TAKEN])
    found: list[tuple[str, Event]] = []
    codec = Codec()
    try:
        while len(found) < count:
            record = consumer.poll(30)
            assert record is not None, f"{len(found)} of {count} records within 30 s"
            assert record.error() is None
            headers = dict(record.headers() or [])
            if headers["ce_source"] != b"/colophon/ingest":
                continue
            event = codec.decode(BY_NAME[record.topic() or ""], record.value() or b"")
            assert (record.key() or b"").decode() == key_of(BY_EVENT[type(event)], event)
            identity = headers["ce_id"]
            assert isinstance(identity, bytes)
            found.append((identity.decode(), event))
    finally:
        consumer.close()
    return found


def test_a_folder_of_samples_ships_with_the_package() -> None:
    assert {file.suffix for file in samples().iterdir()} == {
        ".jdf",
        ".jmf",
        ".xjdf",
        ".xjmf",
        ".json",
    }
    assert samples().parent == Path(command.__code__.co_filename).parent
