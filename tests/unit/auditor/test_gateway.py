"""What the auditor reads for itself: record values in both framings, PDFs, mails."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from services.auditor.domain.deliveries import Stored
from services.auditor.domain.facts import wanted
from services.auditor.gateway.avro import Decoder, Unreadable
from services.auditor.gateway.documents import mail_copies, pdf_texts, stored_documents
from services.auditor.gateway.topics import seen
from shared.codec.codec import Codec
from shared.codec.registry import HttpRegistry, _Answer
from shared.documents import DocumentStore
from shared.events.billing import InvoiceIssued
from shared.events.masterdata import Contact
from shared.events.production import JobCompleted
from shared.identity import key_of, message_id
from shared.schemas import ROOT, newest
from shared.topology import BY_EVENT, TOPICS, Topic
from tests.invoices import ISSUED

INVOICES = BY_EVENT[InvoiceIssued]
VALUE = Codec().encode(ISSUED)


class FakeMessage:
    """A record as the client hands it out."""

    def __init__(self, topic: Topic, key: bytes | None, value: bytes | None) -> None:
        self._topic, self._key, self._value = topic, key, value

    def topic(self) -> str:
        return self._topic.name

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 14

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_700_000_000_000


def asked_before() -> HttpRegistry:
    """A registry that has told the id of every topic's newest schema, and is away now."""
    registry = HttpRegistry("http://127.0.0.1:2")
    for number, topic in enumerate(TOPICS, 1):
        registry._keep(newest(topic.name), _Answer({"id": number}))
    return registry


def read(key: bytes | None, value: bytes | None, topic: Topic = INVOICES, **mended: bytes) -> Any:  # noqa: ANN401 -- any field
    message: Any = FakeMessage(topic, key, value)
    return seen(Decoder(wanted(), None), message, {(topic.name, 3, 14): mended})


def test_a_mended_record_says_what_was_applied_in_its_place() -> None:
    """Given broken bytes and the value that two services applied instead, then that is read."""
    key = key_of(INVOICES, ISSUED).encode()
    assert read(key, b"broken").problem is not None
    found = read(key, b"broken", ledger_writer=VALUE, notifier=b"other")
    assert found.problem is None
    assert found.fields == read(key, VALUE).fields
    assert found.mended_by == ("ledger_writer", "notifier")


def examples() -> list[Any]:
    return [
        pytest.param(topic, file, id=f"{topic.name} {file.stem}")
        for topic in TOPICS
        for file in sorted((ROOT / topic.name).glob("examples/v*/*.json"))
    ]


def said(value: Any) -> Any:  # noqa: ANN401 - any part of an event
    """A dumped event as a decoder without models has it: lists, and enums as their names."""
    if isinstance(value, dict):
        return {name: said(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [said(part) for part in value]
    return str(value) if isinstance(value, str) else value


@pytest.mark.parametrize(("topic", "file"), examples())
def test_the_auditor_reads_what_the_codec_writes(topic: Topic, file: Path) -> None:
    # Given every released example, written by the codec
    event = topic.event.model_validate_json(json.dumps(json.loads(file.read_text("utf-8"))))
    whole = Decoder({}, None).whole(topic.name, Codec().encode(event))
    # Then a decoder that shares nothing with it reads the same
    assert whole == said(event.model_dump())


def test_only_what_is_wanted_is_converted() -> None:
    decoder = Decoder({INVOICES.name: {"gross_total": None, "lines": {"net": None}}}, None)
    assert decoder.decode(INVOICES.name, VALUE) == {
        "gross_total": Decimal("1223.08"),
        "lines": [{"net": Decimal("1027.80")}],
    }


def test_the_confluent_framing_is_read_through_the_registry() -> None:
    registry = asked_before()
    framed = Codec(registry).encode(ISSUED)
    assert framed[0] == 0
    assert Decoder({}, registry).whole(INVOICES.name, framed)["invoice_number"] == "R-2026-000001"
    with pytest.raises(Unreadable, match="no released schema"):
        Decoder({}, None).whole(INVOICES.name, framed)
    with pytest.raises(Unreadable, match="no registry gives out such an id"):
        Decoder({}, registry).whole(INVOICES.name, b"\x00" + b"\xff" * 8)
    with pytest.raises(Unreadable, match="Schema"):
        Decoder({}, registry).whole(BY_EVENT[JobCompleted].name, framed)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"this is not Avro", "neither framing"),
        (b"", "neither framing"),
        (b"\xc3\x01" + b"\x00" * 8, "no released schema"),
        (VALUE + b"\x00", "longer than its schema"),
        (VALUE[:-1], "EOF|Error"),
    ],
)
def test_what_is_no_event_is_said_to_be_none(value: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        Decoder({}, None).whole(INVOICES.name, value)


def test_an_event_of_another_topic_is_none_of_this() -> None:
    jobs = BY_EVENT[JobCompleted].name
    with pytest.raises(Unreadable, match="an event of"):
        Decoder({}, None).whole(jobs, VALUE)


def test_a_record_is_identified_by_its_value_and_placed_by_the_broker() -> None:
    found = read(key_of(INVOICES, ISSUED).encode(), VALUE)
    assert found.message_id == message_id(INVOICES, ISSUED)
    assert found.place == (INVOICES.name, 3, 14)
    assert found.problem is None


def test_a_record_under_another_key_or_none_is_no_event() -> None:
    for key in (b"somebody-else", None):
        found = read(key, VALUE)
        assert (found.message_id, found.problem) == (None, "the record's key is not its value's")
    assert read(b"key", b"this is not Avro").problem.startswith("it begins with neither framing")
    assert read(b"key", None).message_id is None


def test_a_tombstone_is_an_event_where_the_map_says_so() -> None:
    contacts = BY_EVENT[Contact]
    assert read(b"P-1", None, contacts).message_id is not None
    assert read(None, None, contacts).message_id is None


def test_a_time_that_is_none_is_no_event() -> None:
    """Given the moment after the year 9999, then the record is unreadable, as it is to services."""
    last = ISSUED.model_copy(update={"completed_at": datetime.max.replace(tzinfo=UTC)})
    value = Codec().encode(last)
    start = datetime.max.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    micros = start // timedelta(microseconds=1)
    beyond = value.replace(_varint(2 * micros), _varint(2 * micros + 2))
    assert beyond != value
    with pytest.raises(Unreadable, match="OverflowError"):
        Decoder(wanted(), None).whole(INVOICES.name, beyond)


def _varint(number: int) -> bytes:
    """As Avro writes it."""
    if number < 128:
        return bytes([number])
    return bytes([number & 127 | 128]) + _varint(number >> 7)


def test_documents_are_hashed_as_they_lie(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path)
    whole, rotten = store.put(b"whole"), store.put(b"rotten")
    (tmp_path / rotten[:2] / rotten).write_bytes(b"changed")
    missing = sha256(b"missing").hexdigest()
    (tmp_path / "secret").write_bytes(b"no document")
    no_digests = ["../secret", "\x00", ""]
    assert stored_documents(tmp_path, [whole, rotten, missing, *no_digests]) == {
        whole: Stored(whole, 5),
        rotten: Stored(sha256(b"changed").hexdigest(), 7),
    }


def test_pdfs_are_read_and_what_is_none_has_no_text(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path / "documents")
    canvas = Canvas(str(tmp_path / "one.pdf"))
    canvas.drawString(72, 720, "Rechnung R-2026-000001")
    canvas.save()
    digest = store.put((tmp_path / "one.pdf").read_bytes())
    broken = store.put(b"no PDF")
    missing = sha256(b"missing").hexdigest()
    texts = dict(pdf_texts(store.root, [digest, broken, missing]))
    assert texts[digest].strip() == "Rechnung R-2026-000001"
    assert (texts[broken], texts[missing]) == ("", "")


def test_mails_are_counted_by_delivery(tmp_path: Path) -> None:
    for name, head in (
        ("a", "Message-ID: <m-1@x>"),
        ("b", "message-id:\r\n <m-1@x>"),
        ("c", "X: 1"),
    ):
        (tmp_path / f"{name}.eml").write_bytes(f"{head}\r\n\r\nMessage-ID: <body@x>".encode())
    found = mail_copies(tmp_path) or {}
    assert {name: mails.copies for name, mails in found.items()} == {"m-1": 2, "c.eml": 1}
    assert found["c.eml"].newest_ms == (tmp_path / "c.eml").stat().st_mtime_ns // 1_000_000
    assert mail_copies(tmp_path / "none") is None
