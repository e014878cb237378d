"""`colophon dlq` on the tables of every service: what it says, what it marks, what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from shared import db, held
from shared.cli import dlq
from shared.codec.codec import Codec
from shared.db import OWNER
from shared.dead_letter_content import HIDDEN, content
from shared.dead_letters import Filter, check_mend, find
from shared.errors import ConfigurationError, Invalid, Rejected
from shared.events.base import Event
from shared.events.masterdata import Contact
from shared.events.payments import PaymentApplied
from shared.identity import key_of, message_id, topic_of
from shared.ids import cause_id
from shared.runtime import letters
from shared.runtime.records import Record, arrive
from shared.settings import Settings
from tests.invoices import ISSUED, invoice

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
PAYMENT = PaymentApplied(
    legal_entity_id="DE01",
    payment_id="PAY-1",
    invoice_id="I-1",
    application_no=1,
    applied_at=AT,
    applied_on=AT.date(),
    currency="EUR",
    amount=Decimal(10),
    open_amount=Decimal(0),
)
TOPIC = topic_of(PAYMENT)
SERVICES = ("notifier", "ledger_writer")
IDS = {name: cause_id("dead-letter", name, TOPIC.name, 0, 7) for name in SERVICES}

Dlq = Callable[..., Result]


@pytest.fixture
def refused(migrated: Settings) -> Settings:
    """One payment, refused by two services."""
    for name in SERVICES:
        with db.transaction(migrated, OWNER, search_path=name) as connection:
            connection.execute(text("TRUNCATE held_record, held_key"))
            connection.execute(
                text(
                    "INSERT INTO held_record (topic, lane, state, partition, position,"
                    " timestamp_ms, key, value, headers, message_id, dead_letter_id, stage, code,"
                    " message, attempts, first_failed_at, failed_at) VALUES (:topic, :key, 'dead',"
                    " 0, 7, 0, :key, :value, '[]', :message_id, :id, 'handle',"
                    " 'currency-mismatch', 'in its own currency', 1, now(), now())"
                ),
                {
                    "topic": TOPIC.name,
                    "key": key_of(TOPIC, PAYMENT).encode(),
                    "value": Codec().encode(PAYMENT),
                    "message_id": message_id(TOPIC, PAYMENT),
                    "id": IDS[name],
                },
            )
    return migrated


@pytest.fixture(name="run")
def runs(refused: Settings, monkeypatch: pytest.MonkeyPatch) -> Dlq:
    """`run("list", ...)`: the command on these tables."""
    monkeypatch.setattr(dlq, "servers", lambda: refused)
    return lambda *arguments: CliRunner().invoke(dlq.app, list(map(str, arguments)))


def refusal(result: Result) -> str:
    """Why the command was refused as wrong use: exit code 2."""
    assert isinstance(result.exception, ConfigurationError), result.output
    return str(result.exception)


def states(settings: Settings) -> dict[str, str | None]:
    """What was decided, by service."""
    return {one.service: one.decision for one in find(settings, Filter(closed=True))}


def listed(run: Dlq) -> dict[UUID, Any]:
    found = json.loads(run("list", "--all", "--json").output)
    return {UUID(one["id"]): one for one in found}


def test_each_service_has_a_letter_of_its_own(run: Dlq, refused: Settings) -> None:
    """Given one record refused twice, then an id names one letter, for showing and deciding."""
    assert listed(run).keys() == set(IDS.values())
    shown = json.loads(run("show", IDS["notifier"], "--json").output)
    assert shown["service"] == "notifier"
    assert json.loads(shown["value"])["amount"] == "10.0000"
    would = run("replay", *IDS.values(), "--why", "try", "--dry-run").output
    assert all(f"{key}  {name}  {TOPIC.name}" in would for name, key in IDS.items())
    assert states(refused) == dict.fromkeys(IDS)
    done = run("replay", IDS["notifier"], "--why", "try")
    assert done.output == "replay: 1 of 1 dead letters (notifier 1)\n"
    assert states(refused) == {"notifier": "replay", "ledger_writer": None}
    again = run("replay", IDS["notifier"], "--why", "try")
    assert again.output == "replay: 0 of 1 dead letters (notifier 1)\n"


def test_the_audit_can_be_read(run: Dlq) -> None:
    """Given a decision, then the list says who decided what, when and why."""
    run("discard", IDS["ledger_writer"], "--why", "sent by mistake")
    one = listed(run)[IDS["ledger_writer"]]
    assert (one["decision"], one["decision_reason"]) == ("discard", "sent by mistake")
    assert one["decided_by"]
    assert one["decided_at"]
    assert f"discard by {one['decided_by']}" in run("list").output


def test_a_corrected_event_is_taken_from_a_file_or_an_editor(
    run: Dlq, refused: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the event as it should have been, then it is kept beside the broken one."""
    file = tmp_path / "mended.json"
    file.write_text(PAYMENT.model_copy(update={"currency": "JPY"}).model_dump_json())
    done = run("replay", IDS["notifier"], "--value", file, "--why", "wrong currency")
    assert done.output == "replay: 1 of 1 dead letters (notifier), mended\n"
    monkeypatch.setenv("VISUAL", "sed -i s/EUR/JPY/")
    done = run("replay", IDS["ledger_writer"], "--edit", "--why", "wrong currency")
    assert done.exit_code == 0, done.output
    for name in SERVICES:
        shown = json.loads(run("show", IDS[name], "--json").output)
        assert [json.loads(shown[v])["currency"] for v in ("value", "mended")] == ["EUR", "JPY"]
    monkeypatch.setenv("VISUAL", "true")
    assert "nothing was changed" in refusal(run("replay", IDS["notifier"], "--edit", "--why", "x"))
    assert states(refused) == dict.fromkeys(SERVICES, "replay")


def test_a_bad_correction_is_refused_by_field(run: Dlq, tmp_path: Path) -> None:
    """Given a file that is no such event, or none at all, then plain words and nothing marked."""
    file = tmp_path / "bad.json"
    file.write_text(PAYMENT.model_dump_json().replace('"EUR"', '"euro"').replace('"10"', '"x"'))
    said = refusal(run("replay", IDS["notifier"], "--value", file, "--why", "x"))
    assert "\n  currency: " in said
    assert "\n  amount: " in said
    assert "pydantic" not in said
    file.write_text(PAYMENT.model_copy(update={"payment_id": "PAY-2"}).model_dump_json())
    tried = run("replay", IDS["notifier"], "--value", file, "--why", "x", "--dry-run")
    assert isinstance(tried.exception, Invalid)
    assert "keeps what makes it unique" in str(tried.exception)
    said = refusal(run("replay", IDS["notifier"], "--value", tmp_path / "none", "--why", "x"))
    assert said == f"--value {tmp_path / 'none'} cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--service", "nobody"), "no service 'nobody'"),
        (("list", "--topic", "nonsense"), "no topic 'nonsense'"),
        (("list", "--older-than", "soon"), "not a duration"),
        (("replay", "--why", "all of them"), "name dead letters"),
        (("replay", "--code", "currency-mismatch", "--why", ""), "say why"),
        (("discard", str(cause_id("none")), "--why", "x"), "no such open dead letter"),
        (("show", str(cause_id("none"))), "no such dead letter"),
        (("replay", "--value", "file", "--code", "x", "--why", "x"), "name it by its id"),
    ],
)
def test_wrong_use_is_refused(
    run: Dlq, refused: Settings, arguments: tuple[str, ...], said: str
) -> None:
    assert said in refusal(run(*arguments))
    assert states(refused) == dict.fromkeys(SERVICES)


def test_a_long_list_is_cut_and_counted(run: Dlq) -> None:
    """Given more letters than asked for, then the sum still tells of all."""
    said = run("list", "--limit", "1").output
    assert str(IDS["notifier"]) in said
    assert str(IDS["ledger_writer"]) not in said
    assert "1 ledger_writer currency-mismatch" in said
    assert said.endswith("2 dead letters, the first 1 shown (--limit 0 shows all)\n")
    assert run("list", "--limit", "0").output.endswith("2 dead letters\n")
    assert len(listed(run)) == 2


def test_a_letter_that_came_twice_is_shown_as_it_came_last(run: Dlq, refused: Settings) -> None:
    """Given a topic that was read from its beginning again, then an id has two rows."""
    later = PAYMENT.model_copy(update={"amount": Decimal(11)})
    first, again = (fail(refused, event, "another key") for event in (PAYMENT, later))
    assert first == again
    shown = json.loads(run("show", first, "--json").output)
    assert json.loads(shown["value"])["amount"] == "11.0000"


def test_a_letter_without_a_key_is_not_mended(refused: Settings) -> None:
    """Given a record whose key is missing, then whoever mends it is told what to do instead."""
    letter = replace(find(refused, Filter(service="notifier"))[0], key="")
    with pytest.raises(Invalid, match="cannot be mended: discard it"):
        check_mend(letter, PAYMENT)


def test_letters_are_chosen_by_age(run: Dlq, refused: Settings) -> None:
    """Given letters of this moment, then only a filter that reaches them marks them."""
    run("discard", "--older-than", "1h", "--why", "stale")
    assert states(refused) == dict.fromkeys(SERVICES)
    done = run("discard", "--newer-than", "1h", "--per-second", "1000", "--why", "the test run")
    assert done.output == "discard: 2 of 2 dead letters (notifier 1, ledger_writer 1)\n"


# ---------------------------------------------------------------- what is shown of a record

SECRET = "erika.mustermann@example.com"
CONTACT = Contact(contact_id="C1", revision=1, customer_id="K1", recorded_at=AT, name="Erika")
HOSTILE = "\x1b[2J\x00\u202e\n"


def to(name: str, **changes: object) -> Event:
    """An invoice to a buyer of this name."""
    return invoice(buyer=ISSUED.buyer.model_copy(update={"name": name}), **changes)


def fail(settings: Settings, event: Event, key: str) -> UUID:
    """The notifier's dead letter of `event` as it came under `key`, with a header of that name."""
    topic = topic_of(event)
    value, headers = Codec().encode(event), ((key, key.encode()),)
    (arrival,) = arrive(Codec(), [Record(topic, 0, 9, 0, key.encode(), value, headers)])
    failed = arrival if arrival.failure else arrival.failed(Rejected("no", "no"))
    row = letters.row("notifier", failed)
    with db.transaction(settings, OWNER, search_path="notifier") as connection:
        held.insert(connection, [row])
    assert row.dead_letter_id
    return row.dead_letter_id


def apply(settings: Settings, letter_id: UUID, event: Event) -> None:
    """`event` was applied before, as the mended version of a record of the same fact."""
    with db.transaction(settings, OWNER, search_path="notifier") as connection:
        connection.execute(
            text(
                "INSERT INTO held_record (topic, lane, state, partition, position, timestamp_ms,"
                " headers, message_id, mended_value) SELECT topic, lane, 'replayed', 0, 3, 0, '[]',"
                " message_id, :mended FROM held_record WHERE dead_letter_id = :id"
            ),
            {"id": letter_id, "mended": Codec().encode(event)},
        )
        connection.execute(
            text(
                "INSERT INTO inbox (message_id, fingerprint, topic, partition, position)"
                " SELECT message_id, '', topic, 0, 3 FROM held_record WHERE dead_letter_id = :id"
            ),
            {"id": letter_id},
        )


def test_a_person_is_shown_to_nobody_who_did_not_ask(run: Dlq, refused: Settings) -> None:
    """Given contacts that are invalid, one told otherwise before, then only --reveal shows them.

    If it failed: whoever lists dead letters, or keeps what it printed, would have people's data.
    """
    invalid = CONTACT.model_copy(update={"name": SECRET + "x" * 2000})
    letter_id = fail(refused, invalid, "C1")
    apply(refused, letter_id, CONTACT)
    for arguments in (("list",), ("list", "--json"), ("show", letter_id)):
        shown = run(*arguments).output
        assert "name: String should have at most 2000 characters" in shown
        assert "mustermann" not in shown
    shown = json.loads(run("show", letter_id, "--json").output)
    assert shown["value"] == HIDDEN
    assert "cannot be compared: name: String should have" in shown["difference"]["problem"]
    assert "mustermann" not in str(shown)
    (letter,) = find(refused, Filter(ids=(letter_id,)))
    assert "mustermann" not in str((letter, content(refused, letter)))
    revealed = run("show", letter_id, "--reveal").output
    assert f"value={SECRET}" in revealed


def test_of_a_document_just_the_buyer_is_left_out(run: Dlq, refused: Settings) -> None:
    """Given an invoice that differs from the applied one, then its figures show, its buyer hides.

    If it failed: an operator would see either whom an invoice is to, or not what it says.
    """
    letter_id = fail(refused, to(SECRET, gross_total=Decimal(7)), key_of(topic_of(ISSUED), ISSUED))
    apply(refused, letter_id, ISSUED)
    seen, revealed = (
        json.loads(run("show", letter_id, "--json", *reveal).output)
        for reveal in ((), ("--reveal",))
    )
    assert "mustermann" not in str(seen)
    value, whole = json.loads(seen["value"]), json.loads(revealed["value"])
    assert value == whole | {"buyer": HIDDEN}
    assert whole["buyer"]["name"] == SECRET
    total = {"path": "gross_total", "applied": "1223.0800", "here": "7.0000"}
    name = {"path": "buyer.name", "applied": ISSUED.buyer.name, "here": SECRET}
    assert sorted(revealed["difference"]["fields"], key=str) == [name, total]
    hidden = name | {"applied": HIDDEN, "here": HIDDEN}
    assert sorted(seen["difference"]["fields"], key=str) == [hidden, total]


def test_a_document_that_cannot_be_decoded_is_left_out_whole(run: Dlq, refused: Settings) -> None:
    """Given an invoice whose buyer is invalid, then neither list nor bytes tell the name."""
    letter_id = fail(refused, to(SECRET + "x" * 2000), key_of(topic_of(ISSUED), ISSUED))
    for arguments in (("list",), ("list", "--json"), ("show", letter_id)):
        shown = run(*arguments).output
        assert "buyer.name: String should have at most 2000 characters" in shown
        assert "mustermann" not in shown
    assert json.loads(run("show", letter_id, "--json").output)["value"] == HIDDEN
    assert f"value={SECRET}" in run("show", letter_id, "--reveal").output


def test_what_a_record_holds_does_not_steer_the_terminal(run: Dlq, refused: Settings) -> None:
    """Given a key, a header and an error with control characters, then they are shown escaped.

    If it failed: a record could clear an operator's screen, or forge the lines of another letter.
    """
    letter_id = fail(refused, PAYMENT, HOSTILE)
    would = run("discard", letter_id, "--why", "hostile", "--dry-run")
    for shown in (run("list").output, run("show", letter_id).output, would.output):
        assert "key" in shown
        assert r"\x1b[2J\x00\u202e\n" in shown
        assert not {"\x1b", "\x00", "\u202e"} & set(shown)
    for arguments in (("list", "--json"), ("show", letter_id, "--json")):
        assert not {"\x1b", "\x00", "\u202e"} & set(run(*arguments).output)
