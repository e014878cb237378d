"""The mail relay and the drop folder: what each answer means, and what silence means."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from services.notifier.domain.delivery import Deferred, Refused, Sent
from services.notifier.gateway import Drop, Relay
from shared.errors import Transient
from shared.local.mailsink import MailSink
from shared.settings import Settings
from tests.integration.notifier.conftest import Postmaster

TO = "marlene@nordlicht.example"
MAIL = b"Message-ID: <1@colophon.example>\r\n\r\nGuten Tag\r\n.ein Punkt\r\n..zwei\r\n"


def settings_for(port: int, **changes: object) -> Settings:
    return Settings(smtp_host="127.0.0.1", smtp_port=port).model_copy(update=changes)


@contextmanager
def scripted(*answers: bytes) -> Iterator[int]:
    """A server that greets, gives one answer per command, then hangs up; yields its port."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 ready\r\n")
            for answer in answers:
                line = lines.readline()
                while answer.startswith(b"\0") and line and line != b".\r\n":
                    line = lines.readline()
                connection.sendall(answer.removeprefix(b"\0"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(10)
            assert not thread.is_alive()


HELLO, YES, GO_ON = b"250 hello\r\n", b"250 ok\r\n", b"354 go on\r\n"
AFTER_CONTENT = b"\0"


def test_a_mail_arrives_byte_for_byte_dots_included(sink: MailSink) -> None:
    with Relay(settings_for(sink.port)) as relay:
        outcome = relay.send(TO, MAIL)

    assert outcome == Sent()
    assert (sink.directory / "1@colophon.example.eml").read_bytes() == MAIL


def test_one_connection_carries_a_portion_and_survives_refusals(
    sink: MailSink, postmaster: Postmaster
) -> None:
    postmaster.refusals = {
        ("RCPT", "gone@a.example"): "550 5.1.1 <gone@a.example> unknown",
        ("RCPT", "crowd@a.example"): "452 4.2.2 mailbox full",
        ("DATA", "picky@a.example"): "554 5.6.0 content",
        ("DATA", "busy@a.example"): "451 4.3.2 later",
    }
    addresses = ["gone@a.example", "crowd@a.example", "picky@a.example", "busy@a.example", TO]

    with Relay(settings_for(sink.port)) as relay:
        outcomes = [relay.send(address, MAIL) for address in addresses]
        assert not relay.is_lost

    assert outcomes == [
        Refused("recipient-refused", "550 5.1.1 <[recipient]> unknown"),
        Deferred("recipient-deferred", "452 4.2.2 mailbox full"),
        Refused("content-refused", "554 5.6.0 content"),
        Deferred("content-deferred", "451 4.3.2 later"),
        Sent(),
    ]
    assert sink.copies == {"1@colophon.example": 1}


def test_a_sender_refused_is_our_own_fault_and_no_mails(
    sink: MailSink, postmaster: Postmaster
) -> None:
    postmaster.refusals = {("MAIL", "billing@colophon.example"): "550 not you"}

    with Relay(settings_for(sink.port)) as relay:
        assert relay.send(TO, MAIL) == Deferred("sender-deferred", "550 not you")


def test_a_relay_that_closes_is_lost_for_the_rest(sink: MailSink, postmaster: Postmaster) -> None:
    postmaster.refusals = {("MAIL", "billing@colophon.example"): "421 closing"}

    with Relay(settings_for(sink.port)) as relay:
        assert relay.send(TO, MAIL) == Deferred("sender-deferred", "421 closing")
        assert relay.is_lost


def test_a_lost_answer_to_the_content_is_ambiguous() -> None:
    with (
        scripted(HELLO, YES, YES, GO_ON, AFTER_CONTENT) as port,
        Relay(settings_for(port)) as relay,
    ):
        outcome = relay.send(TO, MAIL)
        is_lost = relay.is_lost

    assert outcome == Deferred("connection-lost", "SMTPServerDisconnected", is_ambiguous=True)
    assert is_lost


def test_a_connection_lost_before_the_content_is_not() -> None:
    with scripted(HELLO, YES) as port, Relay(settings_for(port)) as relay:
        outcome = relay.send(TO, MAIL)

    assert isinstance(outcome, Deferred)
    assert not outcome.is_ambiguous


def test_a_refusal_stands_even_when_the_server_hangs_up_after_it() -> None:
    with scripted(HELLO, YES, b"550 no such user\r\n") as port, Relay(settings_for(port)) as relay:
        outcome = relay.send(TO, MAIL)
        is_lost = relay.is_lost

    assert outcome == Refused("recipient-refused", "550 no such user")
    assert is_lost


def test_a_server_without_extensions_takes_mail_too() -> None:
    with (
        scripted(HELLO, YES, YES, GO_ON, AFTER_CONTENT + YES, b"221 bye\r\n") as port,
        Relay(settings_for(port)) as relay,
    ):
        assert relay.send(TO, MAIL) == Sent()


def nobody_there() -> dict[str, object]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return {"smtp_port": listener.getsockname()[1]}


@pytest.mark.parametrize(
    "change",
    [
        nobody_there,
        lambda: {"smtp_starttls": True},
        lambda: {"smtp_user": "colophon", "smtp_password": SecretStr("secret")},
    ],
    ids=["no server", "no STARTTLS", "no AUTH"],
)
def test_a_relay_that_will_not_have_us_is_the_worlds_fault(
    sink: MailSink, change: Callable[[], dict[str, object]]
) -> None:
    with pytest.raises(Transient) as away, Relay(settings_for(sink.port, **change())):
        pass

    assert away.value.reason == "smtp"
    assert "secret" not in str(away.value)


def test_a_relay_is_used_inside_its_block_only(sink: MailSink) -> None:
    with pytest.raises(AssertionError):
        Relay(settings_for(sink.port)).send(TO, MAIL)


# ---------------------------------------------------------------- the drop folder


def test_a_dropped_file_is_whole_and_alone(tmp_path: Path) -> None:
    with Drop(tmp_path / "drop") as folder:
        first = folder.put(("C-1", "DE01", "R-1.pdf"), b"one")
        again = folder.put(("C-1", "DE01", "R-1.pdf"), b"one")

    assert (first, again) == (Sent(), Sent())
    assert [(f.name, f.read_bytes()) for f in (tmp_path / "drop").rglob("*.*")] == [
        ("R-1.pdf", b"one")
    ]


def test_what_cannot_be_written_is_tried_later(tmp_path: Path) -> None:
    (tmp_path / "C-1").write_text("a file where a folder should be")

    with Drop(tmp_path) as folder:
        outcome = folder.put(("C-1", "R-1.pdf"), b"one")

    assert isinstance(outcome, Deferred)
    assert outcome.code == "drop-failed"


def test_a_drop_folder_that_cannot_be_made_is_the_worlds_fault(tmp_path: Path) -> None:
    (tmp_path / "drop").write_text("a file where the folder should be")

    with pytest.raises(Transient) as away, Drop(tmp_path / "drop"):
        pass

    assert away.value.reason == "file-drop"
