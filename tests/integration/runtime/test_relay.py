"""The relay: each key's records are published in the order of their commits, whoever leads."""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event as Signal
from threading import Thread, current_thread
from types import ModuleType
from typing import ClassVar

import pytest
from confluent_kafka import Producer
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from shared import db, kafka, outbox
from shared.codec.codec import Codec
from shared.errors import ConfigurationError
from shared.events.base import Event
from shared.events.billing import ReviewDecided
from shared.outbox import Outgoing
from shared.runtime import relay
from shared.runtime.relay import Relay
from shared.topology import BY_NAME, SERVICE
from tests.integration.runtime.bench import Echo, metric
from tests.integration.runtime.echo import AT, DECIDED, REQUESTED, SPEC, request
from tests.integration.runtime.instances import until

WRITERS = 16
TURNS = 40
KEYS = [f"k{number:02}" for number in range(12)]


def decided(key: str, number: int) -> Outgoing:
    """The record of the decision `number` on `key`."""
    return out(
        ReviewDecided(
            legal_entity_id="DE01",
            subject_kind="price",
            subject_id=key,
            subject_version=number,
            decision_id=str(number),
            decided_at=AT,
            decided_by="test",
            approved=True,
        )
    )


def out(event: Event) -> Outgoing:
    return outbox.outgoing(Codec(), event, SPEC.name, None)


def write(echo: Echo, *records: Outgoing) -> None:
    """Commit `records` in one transaction, as a service would."""
    with echo.engine.begin() as connection:
        outbox.write(connection, records)


def told(echo: Echo) -> dict[str, list[int]]:
    """The numbers published under each key, in their order."""
    found: dict[str, list[int]] = defaultdict(list)
    for message in echo.published(DECIDED):
        event = Codec().decode(BY_NAME[DECIDED], message.value())
        assert isinstance(event, ReviewDecided)
        found[event.subject_id].append(int(event.decision_id))
    return dict(found)


def first_told(echo: Echo) -> dict[str, list[int]]:
    """As `told`, each number where it came first: what readers that know its id take in."""
    return {key: list(dict.fromkeys(numbers)) for key, numbers in told(echo).items()}


def drained(echo: Echo) -> None:
    """Wait until all is published."""
    until(lambda: echo.count("outbox") == 0, "an empty outbox")


def cut_leaders(echo: Echo) -> None:
    """Cut the connections of all relays: with its own, the leader loses its lock."""
    echo.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'relay-approver'"
    )


# ---------------------------------------------------------------- order


def _write_in_turns(engine: Engine, seed: int) -> None:
    """One service instance: locks what it changes, tells of it, is slow to commit or gives up."""
    dice = Random(seed)
    for _ in range(TURNS):
        with engine.connect() as connection:
            rows = connection.execute(
                text(
                    "WITH locked AS (SELECT subject_id FROM subject WHERE subject_id = ANY(:keys)"
                    " ORDER BY subject_id FOR UPDATE) UPDATE subject s SET total = s.total + 1"
                    " FROM locked WHERE s.subject_id = locked.subject_id"
                    " RETURNING s.subject_id, s.total"
                ),
                {"keys": dice.sample(KEYS, dice.randint(1, 3))},
            )
            outbox.write(connection, [decided(row.subject_id, row.total) for row in rows])
            connection.execute(text("SELECT pg_sleep(:s)"), {"s": dice.uniform(0, 0.004)})
            if dice.random() < 0.8:
                connection.commit()


def test_each_key_is_published_in_the_order_of_its_commits(
    echo: Echo, start_relay: Callable[[], Relay]
) -> None:
    """Given 16 writers to the same keys, rollbacks and relays cut off, then no key loses order.

    A writer stands for a key of its input and writes to any key of the output: rows of one key
    come from all writers, and commit later than rows with higher ids.
    """
    echo.query(
        "INSERT INTO subject (subject_id, versions, total)"
        " SELECT k, '', 0 FROM unnest(CAST(:keys AS text[])) k",
        keys=KEYS,
    )
    start_relay()
    start_relay()
    engine = db.engine(echo.settings, SERVICE[SPEC.name].role, pool_size=WRITERS)
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(_write_in_turns, engine, seed) for seed in range(WRITERS)]
        for share in (1, 2, 3):
            until(lambda s=share: sum(f.done() for f in writing) >= 4 * s, "writers")  # type: ignore[misc]
            cut_leaders(echo)
        for each in writing:
            each.result()
    engine.dispose()
    drained(echo)
    totals = {row.subject_id: row.total for row in echo.query("SELECT * FROM subject")}
    assert sum(totals.values()) < 2 * WRITERS * TURNS  # some gave up
    expected = {key: list(range(1, total + 1)) for key, total in totals.items()}
    until(lambda: first_told(echo) == expected, "all of it, in order")


def test_a_row_that_commits_after_later_ids_is_not_missed(
    echo: Echo, start_relay: Callable[[], Relay]
) -> None:
    """Given a row whose transaction is open while later rows are published, then it follows."""
    start_relay()
    with echo.engine.begin() as slow:
        outbox.write(slow, [decided("slow", 1)])
        write(echo, decided("fast", 1), decided("fast", 2))
        drained(echo)
        until(lambda: told(echo) == {"fast": [1, 2]}, "the later rows")
    until(lambda: told(echo) == {"fast": [1, 2], "slow": [1]}, "the earlier row")


# ---------------------------------------------------------------- who leads


class Gate:
    """Stops one thread at one step until it is let through."""

    def __init__(self, step: str) -> None:
        self._step = step
        self.victim: Thread | None = None
        self.is_set, self.reached, self.opened = Signal(), Signal(), Signal()

    def pass_by(self, step: str) -> None:
        """Stop here if this is the step and the thread."""
        assert self.is_set.wait(60)
        if step == self._step and current_thread() is self.victim and not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(60)


class GatedProducer(Producer):
    """A relay's producer with a gate before and after each of its steps."""

    gate: ClassVar[Gate]

    def init_transactions(self, *args: float) -> None:
        self.gate.pass_by("locked")
        super().init_transactions(*args)

    def begin_transaction(self) -> None:
        self.gate.pass_by("selected")
        super().begin_transaction()

    def commit_transaction(self, *args: float) -> None:
        self.gate.pass_by("produced")
        super().commit_transaction(*args)
        self.gate.pass_by("committed")


def stopped_at(
    step: str, monkeypatch: pytest.MonkeyPatch, start_relay: Callable[[], Relay]
) -> Gate:
    """The gate at which a first relay will stop; it has the lead, or is about to have it."""
    GatedProducer.gate = gate = Gate(step)
    monkeypatch.setattr(relay, "Producer", GatedProducer)
    monkeypatch.setattr(relay, "RELAY_IDLE_SESSION_MS", 1500)
    gate.victim = start_relay()
    gate.is_set.set()
    return gate


@pytest.mark.parametrize("step", ["locked", "selected", "produced", "committed"])
def test_a_leader_stopped_at_any_step_is_replaced_and_disturbs_nothing(
    echo: Echo, start_relay: Callable[[], Relay], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Given a leader that stops at a step and goes on later, then order is kept, nothing lost.

    Its lock goes with its idle session. What it had published and not deleted comes again, with
    the same ids; nothing else comes twice.
    """
    fenced = metric("outbox_relay_fenced_total")
    gate = stopped_at(step, monkeypatch, start_relay)
    write(echo, *(decided(key, 1) for key in KEYS))
    assert gate.reached.wait(30)
    start_relay()
    write(echo, *(decided(key, 2) for key in KEYS))
    drained(echo)
    gate.opened.set()
    write(echo, *(decided(key, 3) for key in KEYS))
    drained(echo)
    expected = [1, 1, 2, 3] if step == "committed" else [1, 2, 3]
    until(lambda: told(echo) == dict.fromkeys(KEYS, expected), f"each key {expected}")
    messages = echo.published(DECIDED)
    ids = {dict(message.headers())["ce_id"] for message in messages}
    assert len(ids) == len({message.value() for message in messages}) == 3 * len(KEYS)
    if step in {"selected", "produced"}:
        until(lambda: metric("outbox_relay_fenced_total") == fenced + 1, "a fenced relay counted")


def test_what_is_published_again_is_a_duplicate_to_its_readers(
    echo: Echo, start_relay: Callable[[], Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a crash between the broker's commit and the DELETE, then readers see one effect."""
    before = metric("consumer_records_total", topic=REQUESTED, result="duplicate")
    gate = stopped_at("committed", monkeypatch, start_relay)
    write(echo, *(out(request(key, 1)) for key in KEYS))
    assert gate.reached.wait(30)
    cut_leaders(echo)
    start_relay()
    drained(echo)
    gate.opened.set()
    write(echo, *(out(request(key, 2)) for key in KEYS))
    echo.until(lambda: echo.subjects() == dict.fromkeys(KEYS, "1,2,"))
    after = metric("consumer_records_total", topic=REQUESTED, result="duplicate")
    assert after == before + len(KEYS)


def test_one_relay_leads_and_says_so(echo: Echo, start_relay: Callable[[], Relay]) -> None:
    """Given two relays, then one leads; when it stops, the other does."""
    first = start_relay()
    until(lambda: first.is_leader, "the first leads")
    second = start_relay()
    write(echo, decided("a", 1))
    drained(echo)
    assert (first.is_leader, second.is_leader) == (True, False)
    first.stop()
    until(lambda: second.is_leader, "the second leads")
    assert not first.is_leader
    assert metric("outbox_relay_is_leader") == 1


def test_a_stopped_relay_has_published_what_was_there(
    echo: Echo, start_relay: Callable[[], Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given rows for several portions, when the relay is told to stop, then none is left."""
    monkeypatch.setattr(relay, "ROWS_MAX", 7)
    one = start_relay()
    until(lambda: one.is_leader, "it leads")
    write(echo, *(decided("a", number) for number in range(1, 51)))
    one.stop()
    one.join(30)
    assert echo.count("outbox") == 0
    until(lambda: told(echo) == {"a": list(range(1, 51))}, "all published")


# ---------------------------------------------------------------- whatever breaks


@pytest.mark.parametrize(
    ("module", "name", "error"),
    [
        (kafka, "relay_producer", ConfigurationError("the key is not the certificate's")),
        (relay, "_send", ZeroDivisionError("a bug")),
    ],
)
def test_whatever_breaks_is_said_and_tried_again(
    echo: Echo,
    start_relay: Callable[[], Relay],
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    error: Exception,
) -> None:
    """Given an error that nobody foresaw, then the relay lets go, and publishes once it is mended.

    If it failed: the thread would end, and a service that looks well would publish nothing.
    """

    def broken(*_: object) -> None:
        raise error

    write(echo, decided("a", 1))
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(module, name, broken)
        one = start_relay()
        until(lambda: one.failure is error and not one.is_leader, "the failure")
        until(lambda: [said for said in logs if said.get("exc_info") is error], "the stack")
    drained(echo)
    until(lambda: one.is_leader and one.failure is None, "the lead")
    assert told(echo) == {"a": [1]}
