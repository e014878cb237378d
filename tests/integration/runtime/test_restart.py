"""A broker that was restarted leads its partitions under a new epoch."""

from contextlib import ExitStack
from pathlib import Path

from shared.errors import Transient
from shared.local.kafka import kafka
from shared.runtime.assignment import Assignment
from shared.settings import Settings
from tests.integration.runtime.bench import admin
from tests.integration.runtime.conftest import new_topic
from tests.integration.runtime.echo import REQUESTED, SPEC
from tests.integration.runtime.instances import until


def test_partitions_are_claimed_after_the_brokers_restart(tmp_path: Path) -> None:
    """Given an instance from before the restart, then it does not ask under the old epoch for ever.

    Without that, a service stood still for the five minutes until its client looked for itself.
    """
    broker = kafka(tmp_path, lambda _text: None)
    with ExitStack() as stack:
        stack.callback(broker.stop)
        address = broker.start()
        settings = Settings(kafka_bootstrap_servers=address)
        admin(settings).create_topics([new_topic(REQUESTED)])[REQUESTED].result()
        assignment = Assignment(settings, SPEC.name, [REQUESTED])
        stack.callback(assignment.close)
        until(lambda: can_claim(assignment), "an answer")
        broker.stop()
        assert not assignment._stands_by()  # asked of nobody: a question would abort the process
        assert broker.start() == address
        until(lambda: can_claim(assignment), "an answer after the restart")


def can_claim(assignment: Assignment) -> bool:
    """Whether Kafka says where the partition begins."""
    try:
        return assignment._low_offsets([(REQUESTED, 0)]) == {(REQUESTED, 0): 0}
    except Transient:
        return False
